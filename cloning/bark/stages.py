"""The stages of one utterance: the input and output of each."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from cloning.bark.coarse import CoarseModel, CoarseRow
from cloning.bark.config import BarkSpec
from cloning.bark.engine import Generated, Samples, Utterance
from cloning.bark.fine import FineModel, FineWork
from cloning.bark.sampling import Sampler
from cloning.bark.semantic import SemanticModel, SemanticRow
from cloning.bark.special_tokens import InputLayout
from cloning.bark.windows import Windows
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from errors import Cancelled, InvalidInput

AUDIO = "audio"
"""The name of the last stage, as members see it."""

Decode = Callable[[Tokens], Samples]
"""The codec: fine tokens int64 (books, T) -> float32 (N,) at the codec's sample rate."""
DecodeTogether = Callable[[Sequence[Tokens]], list[Samples]]
"""The same for several at once."""
Tokenize = Callable[[str], list[int]]


@dataclass(eq=False)
class Generation:
    """The generation of an utterance, with its state. `party` is the same for all that were submitted together."""

    utterance: Utterance
    party: object
    semantic_only: bool = False
    result: Future[Generated] = field(default_factory=Future)
    dropped: threading.Event = field(default_factory=threading.Event)
    """Set when the result is no longer needed."""
    semantic: list[int] = field(default_factory=list)
    generator: torch.Generator | None = None

    @property
    def reporter(self) -> ProgressReporter:
        """The utterance's reporter, which also raises Cancelled once the generation is dropped."""

        def report(stage: str, fraction: float) -> None:
            if self.dropped.is_set():
                raise Cancelled("The job was cancelled.")
            self.utterance.reporter.report(stage, fraction)

        return ProgressReporter(report)


class Stages:
    """The three models of `model`, whose matrices they take over, with a tokenizer and the codec.

    windows: of the coarse stage (`InputLayout.with_windows`) and the fine one (`FineModel`).
    """

    def __init__(
        self, model: Any, tokenize: Tokenize, decode: DecodeTogether, windows: Windows = Windows.EXACT
    ) -> None:
        generation = model.generation_config.to_dict()
        self.spec = BarkSpec.from_configs(model.config.to_dict(), generation)
        layout = InputLayout.from_config(generation)
        layout = layout.with_windows(windows, self.spec, model.config.coarse_acoustics_config.block_size)
        self._tokenize = tokenize
        self.decode = decode
        self.semantic = SemanticModel(model.semantic, self.spec, layout)
        self.coarse = CoarseModel(model.coarse_acoustics, self.spec, layout)
        self.fine = FineModel(model.fine_acoustics, self.spec, windows)

    def begin(self, generation: Generation) -> SemanticRow:
        """Start the first stage. Raises InvalidInput for a text or a voice that does not fit the models."""
        text, history, options = generation.utterance.text, generation.utterance.history, generation.utterance.options
        tokens = self._tokens(text)
        if history is not None:
            history.validate(self.spec.prompt)
        generation.generator = torch.Generator(self.semantic.transformer.device).manual_seed(options.seed)
        return SemanticRow(
            self.semantic.context(tokens, None if history is None else history.semantic),
            limit=min(options.max_semantic_tokens or self.spec.max_semantic_tokens, self.spec.max_semantic_tokens),
            min_eos_p=options.min_eos_p,
            sampler=self._sampler(generation, 0),
            reporter=generation.reporter,
        )

    def go_on(self, generation: Generation, row: SemanticRow) -> CoarseRow | None:
        """Start the second stage; None if the utterance ends here, with its result set."""
        row.check()
        generation.semantic = row.tokens
        if generation.semantic_only or self.spec.frames(len(row.tokens)) == 0:
            generation.result.set_result(self._without_sound(row.tokens if generation.semantic_only else []))
            return None
        return CoarseRow(
            self.coarse, row.tokens, generation.utterance.history, self._sampler(generation, 1), generation.reporter
        )

    def refine(self, generation: Generation, row: CoarseRow) -> FineWork:
        """Start the third stage."""
        row.check()
        return FineWork(
            self.fine, row.codes, generation.utterance.history, self._sampler(generation, 2), generation.reporter
        )

    def codes(self, generation: Generation, work: FineWork) -> Tokens:
        """Return the input of the codec: fine tokens (books, T). Raises Cancelled."""
        generation.reporter.report(AUDIO, 0.0)
        return work.codes

    def finish(self, generation: Generation, codes: Tokens, samples: Samples) -> None:
        """Set the result."""
        generation.reporter.report(AUDIO, 1.0)
        prompt = VoicePrompt(np.array(generation.semantic, np.int64), codes[: self.spec.coarse_books], codes)
        generation.result.set_result(Generated(prompt, samples))

    def _tokens(self, text: str) -> list[int]:
        tokens, room = self._tokenize(text), self.spec.max_text_tokens
        if not tokens:
            raise InvalidInput("There is no text to speak.")
        if len(tokens) > room:
            raise InvalidInput(f"This text has {len(tokens)} tokens, and {room} fit one window of Bark. Divide it.")
        return tokens

    def _sampler(self, generation: Generation, stage: int) -> Sampler:
        if generation.generator is None:
            raise ValueError("The first stage of this generation has not started.")
        options = generation.utterance.options
        temperature = self.spec.temperatures[stage] if options.temperature is None else options.temperature
        if stage == 2:  # Suno's code draws fine tokens from all
            return Sampler(temperature, generation.generator)
        return Sampler(temperature, generation.generator, options.top_k, options.top_p)

    def _without_sound(self, semantic: list[int]) -> Generated:
        none = np.zeros((self.spec.fine_books, 0), np.int64)
        prompt = VoicePrompt(np.array(semantic, np.int64), none[: self.spec.coarse_books], none)
        return Generated(prompt, np.zeros(0, np.float32))
