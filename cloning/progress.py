"""How long work tells of its progress and learns that nobody wants it any more."""

import threading
from collections.abc import Callable
from functools import partial

from errors import Cancelled

Progress = Callable[[str, float], None]
"""Takes a stage, as a word for people, and the fraction of it that is done, 0..1."""


def _ignore(stage: str, fraction: float) -> None:
    """Progress that nobody looks at."""


class Watch:
    """Handed down into everything that takes more than a moment."""

    def __init__(self, progress: Progress = _ignore, cancelled: threading.Event | None = None) -> None:
        self._progress = progress
        self._cancelled = cancelled or threading.Event()

    def report(self, stage: str, fraction: float) -> None:
        """Say how far `stage` is. Raises Cancelled if somebody has cancelled the work."""
        if self._cancelled.is_set():
            raise Cancelled("The job was cancelled.")
        self._progress(stage, fraction)

    def within(self, prefix: str) -> "Watch":
        """The same watch for one part of the work: its stages are reported with `prefix` in front."""
        return Watch(lambda stage, fraction: self._progress(prefix + stage, fraction), self._cancelled)

    def together(self, parts: int) -> list["Watch"]:
        """One watch for each of `parts` pieces of work of the same stages that are done at once.

        They are reported as one: the stage of the piece that is furthest behind, and how far all are with it.
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

        return [Watch(partial(report, part), self._cancelled) for part in range(parts)]
