"""Report the progress of long work, and cancel it."""

import threading
from collections.abc import Callable
from functools import partial

from errors import Cancelled

ProgressCallback = Callable[[str, float], None]
"""Takes the display name of a stage and the fraction of it that is done, 0..1."""


def _ignore(stage: str, fraction: float) -> None:
    """Do nothing: the default of a reporter that only passes on cancellation."""


class ProgressReporter:
    """Reports the progress of a function that takes long, and raises Cancelled once it is cancelled."""

    def __init__(self, progress: ProgressCallback = _ignore, cancelled: threading.Event | None = None) -> None:
        self._progress = progress
        self._cancelled = cancelled or threading.Event()

    def report(self, stage: str, fraction: float) -> None:
        """Report the fraction of `stage` that is done. Raises Cancelled if the work was cancelled."""
        if self._cancelled.is_set():
            raise Cancelled("The job was cancelled.")
        self._progress(stage, fraction)

    def within(self, prefix: str) -> "ProgressReporter":
        """Return a reporter for one part of the work, which puts `prefix` before the names of its stages."""
        return ProgressReporter(lambda stage, fraction: self._progress(prefix + stage, fraction), self._cancelled)

    def together(self, parts: int) -> list["ProgressReporter"]:
        """Return one reporter for each of `parts` parts that run at once and have the same stages.

        They report the stage of the part that is furthest behind, and the mean fraction of that stage over all parts.
        """
        stages: list[str] = []
        reached = [(0, 0.0)] * parts

        def report(part: int, stage: str, fraction: float) -> None:
            if stage not in stages:
                stages.append(stage)
            reached[part] = stages.index(stage), fraction
            behind = min(index for index, _ in reached)
            done = [1.0 if index > behind else fraction for index, fraction in reached]
            self._progress(stages[behind], sum(done) / parts)

        return [ProgressReporter(partial(report, part), self._cancelled) for part in range(parts)]
