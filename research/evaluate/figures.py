"""The figures of one method's cells: word error, similarity, identification, quality and time, with intervals.

A line that failed counts as all words wrong and not identified.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from research.evaluate.trial import Cell
from research.metrics.recogniser import WordErrors
from research.metrics.statistics import Estimate, estimate, mean, share

Cells = Sequence[Cell]


@dataclass(frozen=True)
class Figure:
    """A column of a table: its heading and statistic, whether it is in percent, and whether less is better."""

    heading: str
    statistic: Callable[[Cells], float | None]
    percent: bool = False
    less_is_better: bool = False

    def of(self, cells: Cells) -> Estimate | None:
        """Return the figure with an interval over speakers, or over texts for the built-in voices."""
        return estimate(cells, self.statistic, lambda cell: cell.speaker or cell.text)

    def between(self, one: Cells, other: Cells) -> Estimate | None:
        """Return the difference of two methods' figures, with an interval over speakers, which both methods share."""
        methods = [{cell.method for cell in cells} for cells in (one, other)]

        def difference(cells: Cells) -> float | None:
            values = [self.statistic([cell for cell in cells if cell.method in names]) for names in methods]
            return None if values[0] is None or values[1] is None else values[0] - values[1]

        return estimate([*one, *other], difference, lambda cell: cell.speaker)

    def text(self, found: Estimate | None) -> str:
        """Format the figure as a table's cell."""
        return "–" if found is None else with_interval(found, percent=self.percent)

    def difference_text(self, found: Estimate | None) -> str:
        """Format a difference, as `-3.1 points (-8.0 to +1.9)`, or without percent as `-0.31 (-0.80 to +0.19)`."""
        if found is None:
            return "–"
        scale, digits = (100, 1) if self.percent else (1, 2)
        value, low, high = (f"{number * scale:+.{digits}f}" for number in (found.value, found.low, found.high))
        return f"{value}{' points' if self.percent else ''} ({low} to {high})"


def with_interval(found: Estimate, *, percent: bool) -> str:
    """Format as `12.3 % (10.1–14.9)`, or without percent `0.81 (0.78–0.84)`."""
    scale, digits = (100, 1) if percent else (1, 2)
    value, low, high = (f"{number * scale:.{digits}f}" for number in (found.value, found.low, found.high))
    return f"{value}{' %' if percent else ''} ({low}–{high})"


def word_error(cells: Cells) -> float | None:
    """Return the word error rate of all lines together, 0 or more; None without words."""
    errors = sum((cell.errors for cell in cells), WordErrors(0, 0))
    return errors.rate if errors.words else None


def own_similarity(cells: Cells) -> float | None:
    """Return the mean similarity to the cloned reference."""
    return mean([cell.similarities[cell.speaker] for cell in cells if cell.similarities and cell.speaker])


def other_similarity(cells: Cells) -> float | None:
    """Return the mean similarity to the other references."""
    clones = [cell for cell in cells if cell.speaker]
    return mean([like for cell in clones for name, like in (cell.similarities or {}).items() if name != cell.speaker])


def picked(cells: Cells) -> float | None:
    """Return the share of lines whose own reference is the most similar of all. None for the model's own voice."""
    return share([is_picked(cell, tuple(cell.similarities or ())) for cell in cells if cell.speaker])


def right_words_in_the_right_voice(cells: Cells) -> float | None:
    """Return the share of all words that are right, and in a line whose own reference is the most similar.

    None for the model's own voice, and without words.
    """
    clones = [cell for cell in cells if cell.speaker]
    words = sum(cell.words for cell in clones)
    right = [max(0, cell.words - cell.wrong) for cell in clones if is_picked(cell, tuple(cell.similarities or ()))]
    return sum(right) / words if words else None


def is_picked(cell: Cell, candidates: Sequence[str]) -> bool:
    """Return whether the line is more similar to its own reference than to those of all other candidates."""
    known: Mapping[str, float] = cell.similarities or {}
    return bool(known) and max(candidates, key=lambda name: known[name]) == cell.speaker


def _quality(cells: Cells) -> float | None:
    return mean([cell.quality for cell in cells if not cell.failed])


def _clone_seconds(cells: Cells) -> float | None:
    return mean([cell.clone_seconds for cell in cells if cell.clone_seconds])


def _real_time_factor(cells: Cells) -> float | None:
    return mean([cell.say_seconds / cell.seconds for cell in cells if cell.say_seconds])


FIGURES = (
    Figure("word error", word_error, percent=True, less_is_better=True),
    Figure("similarity to the reference", own_similarity),
    Figure("similarity to others", other_similarity, less_is_better=True),
    Figure("right speaker picked", picked, percent=True),
    Figure("right words in the right voice", right_words_in_the_right_voice, percent=True),
    Figure("DNSMOS", _quality),
    Figure("seconds to clone", _clone_seconds, less_is_better=True),
    Figure("real-time factor", _real_time_factor, less_is_better=True),
)
"""The columns of the table of methods."""
WORD_ERROR, QUALITY = FIGURES[0], FIGURES[5]
