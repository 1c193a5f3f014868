"""Measure the phone errors in the semantic tokens that the exported model generates for held-out sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cloning.bark.engine import GenerationOptions, SpeechEngine
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from errors import InvalidInput
from research.bundled.phones import phone_error
from training.shards import ClipShards, split_of


@dataclass(frozen=True)
class PhoneAccuracy:
    """The result of one way of generating. `error`: edits per phone. `length`: relative to the synthesiser's length."""

    way: str
    error: float
    length: float

    def __str__(self) -> str:
        return f"{self.way}: {self.error:.1%} of phones wrong, {self.length:.2f} times as long"


def held_out(text: Path, count: int) -> list[tuple[str, Tokens]]:
    """Return up to `count` sentences of the test split with their semantic tokens, int64 (S,).

    Raises InvalidInput if there are none.
    """
    shards = ClipShards(text)
    chosen = [index for index, spelled in enumerate(shards.texts) if split_of(spelled) == "test"][:count]
    if not chosen:
        raise InvalidInput("There are no held-out sentences to measure with; make the text corpus first.")
    return [(shards.texts[index], shards.semantic(index).astype(np.int64)) for index in chosen]


def pronounced(
    engine: SpeechEngine, sentences: Sequence[tuple[str, Tokens]], voice: VoicePrompt
) -> Iterator[PhoneAccuracy]:
    """Yield the accuracy of greedy tokens, of sampled ones, and of sampled ones with a voice."""
    for way, temperature, history in (
        ("greedy", 0.0, None),
        ("drawn", 0.7, None),
        ("drawn, with a voice", 0.7, voice),
    ):
        pairs = [
            (tokens, _said(engine, spelled, temperature, history, seed))
            for seed, (spelled, tokens) in enumerate(sentences)
        ]
        length = sum(len(said) for _, said in pairs) / sum(len(tokens) for tokens, _ in pairs)
        yield PhoneAccuracy(way, phone_error(pairs), length)


def _said(engine: SpeechEngine, text: str, temperature: float, voice: VoicePrompt | None, seed: int) -> Tokens:
    return engine.semantic(
        text, voice, GenerationOptions(seed=seed, temperature=temperature), ProgressReporter(lambda *_: None)
    )
