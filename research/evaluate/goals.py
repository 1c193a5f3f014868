"""The goals of the bundled model's second edition: required values, aims and measurements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from research.evaluate.figures import QUALITY, WORD_ERROR, Cells, is_picked, with_interval
from research.evaluate.trial import Cell, MeasuredSpeaker
from research.metrics.pitch import correlation
from research.metrics.speakers import similarity
from research.metrics.statistics import Estimate, estimate, mean, share

CHOICE = 10
"""The number of voices from which the right one is to be picked."""
_PITCHES, _SENTENCES = 20, 60
"""The numbers of voices and sentences that the goals need; a run with fewer cannot meet them."""


@dataclass(frozen=True)
class Bar:
    """A required value: a maximum if `at_most`, else a minimum."""

    value: float
    at_most: bool = False

    def is_met(self, value: float) -> bool:
        """Return whether `value` meets the bar."""
        return value <= self.value if self.at_most else value >= self.value

    def text(self, *, percent: bool) -> str:
        """Format as `<= 30 %`."""
        return f"{'<=' if self.at_most else '>='} {f'{self.value * 100:g} %' if percent else f'{self.value:g}'}"


@dataclass(frozen=True)
class Goal:
    """A row of the table: the name of the goal, its bars, and the result.

    `beside`: an addition to the result. `lacks`: a number that the run does not reach, such as "30 sentences", or "".
    """

    name: str
    measured: Estimate | None
    required: Bar | None = None
    aim: Bar | None = None
    percent: bool = True
    beside: str = ""
    lacks: str = ""

    @property
    def met(self) -> str:
        """The verdict: `aim`, `required` or `no`; `reported` if nothing is required; `not measured`; `needs ...`."""
        if self.measured is None:
            return "not measured"
        if self.lacks:
            return f"needs {self.lacks}"
        if self.aim is not None and self.aim.is_met(self.measured.value):
            return "aim"
        if self.required is None:
            return "reported"
        return "required" if self.required.is_met(self.measured.value) else "no"

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text: name, required, aim, measured, met."""
        bars = [bar.text(percent=self.percent) if bar else "reported" for bar in (self.required, self.aim)]
        measured = "–" if self.measured is None else with_interval(self.measured, percent=self.percent)
        return (self.name, *bars, f"{measured}{f'; {self.beside}' if self.beside else ''}", self.met)


@dataclass(frozen=True)
class ClonedVoices:
    """The cells of cloned voices, and their references in order."""

    cells: Cells
    speakers: Mapping[str, MeasuredSpeaker]


def goals(
    built_in: Cells, codec: Cells, clones: ClonedVoices, recordings: ClonedVoices | None, frames: Estimate | None
) -> list[Goal]:
    """Return the rows, in order. `recordings`: clones of real people. `frames`: the quantizer's frame accuracy."""
    alone = WORD_ERROR.of(codec)
    ceiling = share([right for _, right in _ceiling(clones.speakers)])
    choice = min(CHOICE, len(clones.speakers))
    return [
        Goal(
            f"word error of the built-in voices, {len(built_in)} held-out sentences",
            WORD_ERROR.of(built_in),
            Bar(0.08, at_most=True),
            Bar(0.04, at_most=True),
            beside=f"the codec alone {WORD_ERROR.text(alone)}" if alone else "",
            lacks=_lacks(len(built_in), _SENTENCES, "sentences"),
        ),
        Goal(
            "word error in cloned held-out voices",
            WORD_ERROR.of(clones.cells),
            Bar(0.13, at_most=True),
            Bar(0.07, at_most=True),
        ),
        Goal(
            f"the right one of {choice} held-out voices is picked",
            _picked(clones, choice),
            Bar(0.80),
            Bar(0.90),
            beside="" if ceiling is None else f"ceiling with real audio {ceiling * 100:.0f} %",
            lacks=_lacks(choice, CHOICE, "voices"),
        ),
        Goal(
            f"log-F0 correlation of clone and reference, {len(clones.speakers)} voices",
            pitch_correlation(clones),
            Bar(0.8),
            Bar(0.95),
            percent=False,
            lacks=_lacks(len(clones.speakers), _PITCHES, "voices"),
        ),
        Goal("exchanging two prompts exchanges the picked voice", exchanged(clones), Bar(0.85), Bar(0.95)),
        *_of_people(recordings),
        Goal("quantizer frame accuracy on held-out voices", frames, aim=Bar(0.8)),
        Goal("DNSMOS of cloned voices", QUALITY.of(clones.cells), Bar(2.5), Bar(3.0), percent=False),
        Goal("DNSMOS of the codec alone", QUALITY.of(codec), Bar(2.8), Bar(3.2), percent=False),
    ]


def pitch_correlation(voices: ClonedVoices) -> Estimate | None:
    """Return the correlation, over voices, of a clone's mean log F0 with its reference's log F0."""
    pairs = []
    for name, speaker in voices.speakers.items():
        spoken = mean([cell.log_f0 for cell in voices.cells if cell.speaker == name and cell.log_f0 is not None])
        if spoken is not None and speaker.log_f0 is not None:
            pairs.append((speaker.log_f0, spoken))
    return estimate(pairs, correlation)


def exchanged(voices: ClonedVoices) -> Estimate | None:
    """Return how often both voices of a pair, with the same text and seed, are more similar to their own reference.

    Voices are paired in order: the first with the second, the third with the fourth.
    """
    names = list(voices.speakers)
    found: list[tuple[str, bool]] = []
    for one, other in list(pairwise(names))[::2]:
        lines = {(cell.text, cell.seed): cell for cell in voices.cells if cell.speaker == other}
        for cell in voices.cells:
            partner = lines.get((cell.text, cell.seed))
            if cell.speaker == one and partner is not None:
                pair = (one, other)
                found.append((one, is_picked(cell, pair) and is_picked(partner, pair)))
    return _share_over_groups(found)


def _lacks(count: int, needed: int, what: str) -> str:
    return "" if count >= needed else f"{needed} {what}"


def _picked(voices: ClonedVoices, choice: int) -> Estimate | None:
    candidates = _candidates(list(voices.speakers), choice)
    return _share_over_groups([(cell.speaker, is_picked(cell, candidates[cell.speaker])) for cell in voices.cells])


def _candidates(names: Sequence[str], choice: int) -> dict[str, list[str]]:
    """Return `choice` candidates for each voice: itself and the next ones, cyclically."""
    return {name: [names[(place + step) % len(names)] for step in range(choice)] for place, name in enumerate(names)}


def _ceiling(speakers: Mapping[str, MeasuredSpeaker]) -> list[tuple[str, bool]]:
    """Return for each speaker with two recordings whether the second is picked as the speaker of the first."""
    candidates = _candidates(list(speakers), min(CHOICE, len(speakers)))
    found = []
    for name, speaker in speakers.items():
        if speaker.other is not None:
            likeness = {one: similarity(speaker.other, speakers[one].voice) for one in candidates[name]}
            found.append((name, is_picked(Cell("", name, "", 0, similarities=likeness), candidates[name])))
    return found


def _of_people(recordings: ClonedVoices | None) -> list[Goal]:
    if recordings is None:
        return [Goal("clones of real recordings", None)]
    count = len(recordings.speakers)
    own = _margin(recordings.cells)
    return [
        Goal(
            f"real recordings: the right one of {count} is picked",
            _picked(recordings, count),
            Bar(0.70),
            Bar(0.85),
            beside=f"chance {100 / count:.0f} %",
        ),
        Goal(
            "real recordings: log-F0 correlation of clone and reference", pitch_correlation(recordings), percent=False
        ),
        Goal(
            "real recordings: more similar to the reference than to others by",
            own,
            Bar(0.10),
            Bar(0.15),
            percent=False,
        ),
    ]


def _margin(cells: Cells) -> Estimate | None:
    margins = []
    for cell in cells:
        others = mean([value for name, value in (cell.similarities or {}).items() if name != cell.speaker])
        if cell.similarities and others is not None:
            margins.append((cell.speaker, cell.similarities[cell.speaker] - others))
    return estimate(margins, lambda items: mean([value for _, value in items]), lambda item: item[0])


def _share_over_groups(found: Sequence[tuple[str, bool]]) -> Estimate | None:
    return estimate(found, lambda items: share([right for _, right in items]), lambda item: item[0])
