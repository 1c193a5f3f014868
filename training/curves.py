"""Record the figures of a run in a table (`log.csv`) and plot them (`curves.png`).

The table has one line per figure: step, part ("train" or "valid"), name, value. A resumed run drops the lines after its
step.
"""

import csv
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

_HEADER = ("step", "part", "figure", "value")
_REDRAWN_AFTER_SECONDS = 60.0
_PANEL_INCHES = (5.0, 3.0)
_COLUMNS = 2


class CurvePoint(NamedTuple):
    """One figure of one step."""

    step: int
    part: str
    figure: str
    value: float


class Curves:
    """The figures of the run in `folder` up to and including `step`; later lines of an existing table are dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        self._table = folder / "log.csv"
        self._picture = folder / "curves.png"
        self._lines = [line for line in read_log(self._table) if line.step <= step]
        self._write("w", [_HEADER, *self._lines])
        self._drawn = time.monotonic()

    def add(self, step: int, part: str, figures: Mapping[str, float]) -> None:
        """Append the figures of one step."""
        lines = [CurvePoint(step, part, name, value) for name, value in figures.items()]
        self._lines += lines
        self._write("a", lines)

    def draw_if_old(self) -> None:
        """Draw the plot if the last one is older than a minute."""
        if time.monotonic() - self._drawn > _REDRAWN_AFTER_SECONDS:
            self.draw()

    def draw(self) -> None:
        """Draw one panel per figure, training and validation together. Nothing if there are no figures."""
        if not self._lines:
            return
        from matplotlib.figure import Figure  # takes a second, which commands that draw nothing need not wait

        names = sorted({line.figure for line in self._lines})
        columns = min(_COLUMNS, len(names))
        rows = -(-len(names) // columns)
        picture = Figure(figsize=(_PANEL_INCHES[0] * columns, _PANEL_INCHES[1] * rows), layout="constrained")
        panels = picture.subplots(rows, columns, squeeze=False).ravel()
        for panel, name in zip(panels, names, strict=False):
            for part, points in sorted(self._points(name).items()):
                panel.plot(*zip(*points, strict=True), label=part, linewidth=1.0)
            panel.set(title=name, xlabel="step")
            panel.grid(alpha=0.3)
            panel.legend()
        for panel in panels[len(names) :]:
            panel.set_visible(False)
        picture.savefig(self._picture, dpi=100)
        self._drawn = time.monotonic()

    def _points(self, name: str) -> dict[str, list[tuple[int, float]]]:
        points: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for line in self._lines:
            if line.figure == name:
                points[line.part].append((line.step, line.value))
        return points

    def _write(self, mode: str, lines: Iterable[Iterable[object]]) -> None:
        with self._table.open(mode, newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(lines)


def read_log(table: Path) -> list[CurvePoint]:
    """Read the lines of a `log.csv`, none if it does not exist; a truncated last line is skipped."""
    if not table.is_file():
        return []
    lines = []
    with table.open(newline="", encoding="utf-8") as file:
        for fields in csv.reader(file):
            try:
                step, part, figure, value = fields
                lines.append(CurvePoint(int(step), part, figure, float(value)))
            except ValueError:
                continue  # the heading, or a line that was being written when the machine stopped
    return lines
