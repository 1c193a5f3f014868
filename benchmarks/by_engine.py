"""Speak the benchmark's lines with Barkeep's engine. Imports only the engine, for `benchmarks.gpu`."""

from collections.abc import Callable, Sequence
from time import perf_counter

from benchmarks.rows import STAGES, BenchmarkLine, LineResults
from cloning.bark.engine import Generated, GenerationOptions, SpeechEngine, Utterance
from cloning.progress import ProgressReporter


def _keep(generated: list[Generated]) -> None:
    """Do nothing."""


def spoken(
    engine: SpeechEngine,
    text: str,
    lines: Sequence[BenchmarkLine],
    *,
    takes: int = 1,
    choose: Callable[[list[Generated]], object] = _keep,
) -> LineResults:
    """Speak all lines together, each `takes` times. `choose` gets the takes of each line; its time is measured too."""
    clock = _Clock()
    wanted = [
        Utterance(
            text,
            line.voice,
            GenerationOptions(min_eos_p=0, seed=takes * line.seed + take, max_semantic_tokens=line.semantic_tokens),
            ProgressReporter(clock.note),
        )
        for line in lines
        for take in range(takes)
    ]
    generated = engine.generate_many(wanted)
    for first in range(0, len(generated), takes):
        choose(generated[first : first + takes])
    clock.note(clock.stage, 1.0)
    return LineResults(sum(one.samples.size for one in generated) // takes, clock.first, clock.stages)


class _Clock:
    """Divides time among stages: the time between two reports counts for the stage of the first.

    The engine reports before each step of each line, so this is also right when lines are in different stages.
    """

    def __init__(self) -> None:
        self._began = self._last = perf_counter()
        self.stage = STAGES[0]
        self.stages = LineResults().stages
        self.first = 0.0
        """Seconds until the first line can be heard."""

    def note(self, stage: str, fraction: float) -> None:
        """Record the engine's progress."""
        now = perf_counter()
        self.stages[self.stage] += now - self._last
        self._last, self.stage = now, stage.removesuffix(" tokens")
        if self.stage == STAGES[-1] and fraction == 1.0 and not self.first:
            self.first = now - self._began
