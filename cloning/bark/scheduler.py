"""Schedule the generations of any number of threads together through the three stages.

A separate thread works while there is work. Each round gives every row of the two causal stages one token, and makes
one pass of the oldest utterances in the fine stage, so that the first result comes early.
"""

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

import torch

from cloning.bark.coarse import CoarseRow
from cloning.bark.decoding import Decoder
from cloning.bark.fine import FineWork, Refiner
from cloning.bark.semantic import SemanticRow
from cloning.bark.stages import Generation, Stages
from cloning.bark.thread_count import ThreadCount
from cloning.prompt import Tokens


class Scheduler:
    """Runs at most `size` generations in the causal stages at once; parties take turns for free places.

    windows: the number that share a pass of the fine stage, and then the codec.
    """

    def __init__(self, stages: Stages, size: int, windows: int) -> None:
        self._stages = stages
        self._size = size
        self._semantic = Decoder[SemanticRow](stages.semantic, size)
        self._coarse = Decoder[CoarseRow](stages.coarse, size)
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
        codes[generation] = self._stages.codes(generation, work)

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
