"""Barkeep's engine in the benchmark.

No contender may end a line by itself, so every line has exactly the length of the task.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import by_engine, checkpoints
from benchmarks.rows import SPEC, TEXT_TOKENS, BenchmarkLine, LineResults
from cloning import takes
from cloning.bark.engine import Generated
from cloning.checkpoints.model_choice import AUTO, FAST, ModelChoice
from cloning.model_set import LoadedModels
from cloning.takes import Take, TakeTarget, VoiceFeatures

_TEXT = " ".join([checkpoints.WORD] * TEXT_TOKENS)


class BarkeepEngine:
    """Barkeep's engine, loaded as in the bot. It keeps the best of several takes of a line, as the bot does."""

    def __init__(self, folder: Path, dtype: str, device: str, *, fast: bool = False, takes_of_each: int = 1) -> None:
        self._takes = takes_of_each
        preset = FAST if fast else AUTO
        self._engine = LoadedModels(ModelChoice(str(folder), dtype=dtype, device=device, preset=preset)).engine

    def speak(self, lines: Sequence[BenchmarkLine]) -> LineResults:
        """Speak the lines together."""
        return by_engine.spoken(self._engine, _TEXT, lines, takes=self._takes, choose=_choose)


def _choose(generated: list[Generated]) -> None:
    """Choose the best of several takes of a line."""
    if len(generated) == 1:
        return
    same = [Take(one.samples, SPEC.sample_rate, True) for one in generated]
    takes.best(same, TakeTarget(_TEXT, "en", VoiceFeatures.of(same[0].samples, SPEC.sample_rate)))
