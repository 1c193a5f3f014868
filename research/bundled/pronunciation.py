"""Measure the phone errors of the semantic model's own speech on held-out sentences.

Uses the exported checkpoint through the engine.
"""

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
    """`error`: edits per phone. `length`: the length of the speech, as a share of the synthesiser's."""

    way: str
    error: float
    length: float

    def __str__(self) -> str:
        return f"{self.way}: {self.error:.1%} of phones wrong, {self.length:.2f} times as long"


def held_out(text: Path, count: int) -> list[tuple[str, Tokens]]:
    """Return sentences of the test split with their semantic tokens. Raises InvalidInput if there are none."""
    shards = ClipShards(text)
    chosen = [index for index, spelled in enumerate(shards.texts) if split_of(spelled) == "test"][:count]
    if not chosen:
        raise InvalidInput("There are no held-out sentences to measure with; make the text corpus first.")
    return [(shards.texts[index], shards.semantic(index).astype(np.int64)) for index in chosen]


def pronounced(
    engine: SpeechEngine, sentences: Sequence[tuple[str, Tokens]], voice: VoicePrompt
) -> Iterator[PhoneAccuracy]:
    """Measure greedy and sampled speech, without a voice and with one."""
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
