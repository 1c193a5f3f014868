"""Write the results: a table in Markdown, a plot of bars with intervals, and raw figures in JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Canvas

from cloning.atomic_files import write_atomically
from research.evaluate.figures import FIGURES, Cells
from research.evaluate.goals import Goal

TABLE, PICTURE, RAW = "table.md", "methods.png", "results.json"
_PICTURED = FIGURES[:6]
"""The figures of quality. Those of time are left out."""
_PICTURE_COLUMNS = 3
_COMPARED = [figure for figure in _PICTURED if figure.percent]
"""The figures by which methods are compared speaker by speaker."""


@dataclass(frozen=True)
class Results:
    """The results of one evaluation. `facts`: the models and settings, by name.

    `methods`: the cells of each cloning method, of the built-in voices and of the codec. `main`: the method with which
    the others are compared.
    """

    facts: Mapping[str, str]
    methods: Mapping[str, Cells]
    goals: Sequence[Goal]
    main: str


def write_report(folder: Path, results: Results) -> None:
    """Write `table.md`, `methods.png` and `results.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / TABLE, markdown(results).encode())
    write_atomically(folder / RAW, (json.dumps(_raw(results), indent=1, ensure_ascii=False) + "\n").encode())
    draw(folder / PICTURE, results.methods)


def markdown(results: Results) -> str:
    """Return the page: facts, the table of methods, the table of goals."""
    headings = ["method", *(figure.heading for figure in FIGURES), "lines", "failed"]
    rows = [
        [
            method,
            *(figure.text(figure.of(cells)) for figure in FIGURES),
            str(len(cells)),
            str(sum(bool(cell.failed) for cell in cells)),
        ]
        for method, cells in results.methods.items()
    ]
    reasons = sorted({cell.failed for cells in results.methods.values() for cell in cells if cell.failed})
    return "\n".join(
        [
            "# Evaluation",
            "",
            *(f"- {name}: {value}" for name, value in results.facts.items()),
            "",
            "In brackets: the 95 % bootstrap interval over speakers, or over sentences for the built-in voices.",
            "Failed lines count as all words wrong and as not identified.",
            "",
            "## Methods",
            "",
            *_table(headings, rows),
            *(["", "Failed:", ""] if reasons else []),
            *(f"- {reason}" for reason in reasons),
            "",
            *_compared(results),
            "## Goals of the bundled model",
            "",
            *_table(["", "required", "aim", "measured", "met"], [list(goal.cells) for goal in results.goals]),
            "",
        ]
    )


def _compared(results: Results) -> list[str]:
    """Return the table of differences between methods, or no lines if there is only one method."""
    own = results.methods[results.main]
    others = {
        method: cells
        for method, cells in results.methods.items()
        if method != results.main and any(cell.speaker for cell in cells)
    }
    if not others:
        return []
    rows = [
        [method, *(figure.difference_text(figure.between(own, cells)) for figure in _COMPARED)]
        for method, cells in others.items()
    ]
    return [
        f"## The method {results.main} less another",
        "",
        "Paired by speaker. If the interval contains zero, the two may be equal.",
        "",
        *_table(["less", *(figure.heading for figure in _COMPARED)], rows),
        "",
    ]


def draw(path: Path, methods: Mapping[str, Cells]) -> None:
    """Draw bars with intervals: one panel for each figure, one bar for each method."""
    lines = len(_PICTURED) // _PICTURE_COLUMNS
    canvas = Canvas(figsize=(4 * _PICTURE_COLUMNS, 3.4 * lines), layout="constrained")
    panels = canvas.subplots(lines, _PICTURE_COLUMNS)
    names = list(methods)
    for panel, figure in zip(panels.flat, _PICTURED, strict=True):
        found = {name: figure.of(cells) for name, cells in methods.items()}
        scale = 100 if figure.percent else 1
        for place, name in enumerate(names):
            measured = found[name]
            if measured is not None:
                value, low, high = (scale * number for number in (measured.value, measured.low, measured.high))
                ends = [[max(0.0, value - low)], [max(0.0, high - value)]]
                panel.bar(place, value, yerr=ends, capsize=4, color=f"C{place}")
        panel.set_title(f"{figure.heading}{', %' if figure.percent else ''}", fontsize=10)
        panel.set_xlabel("less is better" if figure.less_is_better else "more is better", fontsize=8)
        panel.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8)
        panel.set_xlim(-0.6, len(names) - 0.4)
        panel.set_ylim(bottom=0)
    canvas.savefig(path, dpi=120)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _raw(results: Results) -> dict[str, Any]:
    def estimates(cells: Cells) -> dict[str, Any]:
        found = {figure.heading: figure.of(cells) for figure in FIGURES}
        return {heading: asdict(value) if value else None for heading, value in found.items()}

    return {
        "facts": dict(results.facts),
        "methods": {method: estimates(cells) for method, cells in results.methods.items()},
        "goals": [{**asdict(goal), "met": goal.met} for goal in results.goals],
        "cells": [asdict(cell) for cells in results.methods.values() for cell in cells],
    }
