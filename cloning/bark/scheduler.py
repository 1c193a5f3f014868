"""Schedule the generations of any number of threads together through the three stages.

A separate thread works while there is work. Each round gives every row of the two causal stages one token, and makes
one pass of the oldest utterances in the fine stage, so that the first result comes early.
"""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from cloning.bark.coarse import CoarseModel, CoarseRow
from cloning.bark.config import BarkSpec, InputLayout, Windows
from cloning.bark.cuda_graphs import batch_for
from cloning.bark.decoding import Decoder
from cloning.bark.engine import Generated, Samples, Utterance
from cloning.bark.fine import FineModel, FineWork, Refiner
from cloning.bark.sampling import Sampler
from cloning.bark.semantic import SemanticModel, SemanticRow
from cloning.bark.thread_count import ThreadCount
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from errors import Cancelled, InvalidInput

AUDIO = "audio"
"""The name of the last stage, as members see it."""

Decode = Callable[[Tokens], Samples]
"""The codec: fine tokens int64 (books, T) -> float32 (N,) at the codec's sample rate."""
DecodeTogether = Callable[[Sequence[Tokens]], list[Samples]]
"""The same for several at once."""


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
    """What goes into each stage of an utterance: the three models of `model`, whose matrices they take over, with a
    tokenizer and the codec.

    windows: of the coarse stage (`InputLayout.with_windows`) and the fine one (`FineModel`).
    """

    def __init__(
        self, model: Any, tokenize: Callable[[str], list[int]], decode: DecodeTogether, windows: Windows = Windows.EXACT
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


class Scheduler:
    """Runs at most `size` generations in the causal stages at once; parties take turns for free places.

    windows: the number that share a pass of the fine stage, and then the codec.
    """

    def __init__(self, stages: Stages, size: int, windows: int) -> None:
        self._stages = stages
        self._size = size
        self._semantic = Decoder[SemanticRow](batch_for(stages.semantic, size))
        self._coarse = Decoder[CoarseRow](batch_for(stages.coarse, size))
        self._fine = Refiner(stages.fine, windows)
        self._generations: dict[SemanticRow | CoarseRow, Generation] = {}
        self._refined: dict[FineWork, Generation] = {}
        self._waiting: list[Generation] = []
        self._threads: ThreadCount | None = None
        """Made by the first thread that works: the number of threads may be set after the engine is loaded."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, generation: Generation) -> None:
        """Queue a generation; its result follows."""
        with self._lock:
            self._waiting.append(generation)
            if self._thread is None:
                # No daemon: Python stops those at its end, and one that frees a tensor then aborts the process.
                self._thread = threading.Thread(target=self._work, name="bark")
                self._thread.start()

    def _work(self) -> None:
        threads = self._threads = self._threads or ThreadCount()
        threads.start()
        with torch.inference_mode():
            while self._admit(threads):
                try:
                    self._round()
                except Exception as error:
                    self._fail_all(error)
                threads.adjust()

    def _admit(self, threads: ThreadCount) -> bool:
        """Admit waiting generations. Return whether there is work; if not, this thread ends."""
        while len(self._generations) < self._size and (generation := self._next()) is not None:
            self._for(generation, self._begin)
        with self._lock:
            busy = bool(self._waiting or self._generations or self._refined)
            if not busy:
                threads.restore()
                self._thread = None
            return busy

    def _next(self) -> Generation | None:
        """Return the first waiting generation of the party that has the fewest places."""
        with self._lock:
            if not self._waiting:
                return None
            places = Counter(id(generation.party) for generation in self._generations.values())
            generation = min(self._waiting, key=lambda waiting: places[id(waiting.party)])
            self._waiting.remove(generation)
            return generation

    def _round(self) -> None:
        for semantic, error in self._semantic.step():
            generation = self._generations.pop(semantic)
            self._for(generation, partial(self._after_semantic, semantic), error)
        for coarse, error in self._coarse.step():
            generation = self._generations.pop(coarse)
            self._for(generation, partial(self._after_coarse, coarse), error)
        codes: dict[Generation, Tokens] = {}
        for work, error in self._fine.step():
            generation = self._refined.pop(work)
            self._for(generation, partial(self._after_fine, work, codes), error)
        if codes:
            self._sound(codes)

    def _begin(self, generation: Generation) -> None:
        row = self._stages.begin(generation)
        self._generations[row] = generation
        self._semantic.add(row)

    def _after_semantic(self, row: SemanticRow, generation: Generation) -> None:
        following = self._stages.go_on(generation, row)
        if following is not None:
            self._generations[following] = generation
            self._coarse.add(following)

    def _after_coarse(self, row: CoarseRow, generation: Generation) -> None:
        work = self._stages.refine(generation, row)
        self._refined[work] = generation
        self._fine.add(work)

    def _after_fine(self, work: FineWork, codes: dict[Generation, Tokens], generation: Generation) -> None:
        generation.reporter.report(AUDIO, 0.0)
        codes[generation] = work.codes

    def _sound(self, codes: dict[Generation, Tokens]) -> None:
        """Decode finished codes together; an error of the codec ends all of them."""
        try:
            sounds = self._stages.decode(list(codes.values()))
        except Exception as error:
            for generation in codes:
                generation.result.set_exception(error)
            return
        for (generation, tokens), samples in zip(codes.items(), sounds, strict=True):
            self._for(generation, partial(self._stages.finish, codes=tokens, samples=samples))

    def _for(
        self, generation: Generation, action: Callable[[Generation], None], error: Exception | None = None
    ) -> None:
        """Run a step of one generation; an error, also an earlier one, ends only that generation."""
        try:
            if error is not None:
                raise error
            action(generation)
        except Exception as reason:
            generation.result.set_exception(reason)

    def _fail_all(self, error: Exception) -> None:
        """End all generations: a shared step has failed, since memory is full or the device is gone."""
        self._semantic.clear()
        self._coarse.clear()
        self._fine.clear()
        generations = [*self._generations.values(), *self._refined.values()]
        self._generations.clear()
        self._refined.clear()
        for generation in generations:
            generation.result.set_exception(error)
