"""The result of checking a recording for the mark, and its explanation. Plain values; does not import torch."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["marked", "unclear", "unmarked"]

_SHOWN_SPANS = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """`confidence`: that of the most confident window, 0..1. `spans`: marked parts (from, to) in seconds, in order.

    `seconds`: the length that was checked. `total_seconds`: the length of the recording.
    """

    verdict: Verdict
    confidence: float
    spans: tuple[tuple[float, float], ...]
    seconds: float
    total_seconds: float


def explained(finding: Finding) -> str:
    """Explain the finding, without claiming more than was measured (`research evaluate-mark`, docs/privacy.md)."""
    return " ".join([*_result(finding), *_unchecked(finding)])


def _result(finding: Finding) -> list[str]:
    sure = f"confidence {finding.confidence:.2f} of 1"
    if finding.verdict == "marked":
        return [
            f"The mark of generated speech was found at {_places(finding.spans)} ({sure}).",
            "It was added by Barkeep, or by another program with the same mark, such as Chatterbox.",
            "Of 200 recordings of people, none was taken for marked; in general, up to 1.8 % may be (95 % interval).",
        ]
    if finding.verdict == "unclear":
        return [
            f"There may be a mark of generated speech, too weak to be sure ({sure}; a clear one has 0.8).",
            "This proves nothing. Check an earlier copy of the recording, as it was first posted.",
        ]
    return [
        f"No mark of generated speech was found ({sure}).",
        "That does not show that a person said it: most programs add no such mark, an owner of Barkeep can turn it "
        "off, and noise or a change of speed destroys it.",
    ]


def _unchecked(finding: Finding) -> list[str]:
    if finding.total_seconds - finding.seconds < 1.0:
        return []
    return [f"Only the first {_clock(finding.seconds)} of {_clock(finding.total_seconds)} were checked."]


def _places(spans: tuple[tuple[float, float], ...]) -> str:
    shown = [f"{_clock(start)} to {_clock(end)}" for start, end in spans[:_SHOWN_SPANS]]
    more = len(spans) - len(shown)
    return ", ".join([*shown, *([f"and {more} more place{'' if more == 1 else 's'}"] if more else [])])


def _clock(seconds: float) -> str:
    """Format minutes and seconds, as players show them."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
