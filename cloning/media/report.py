"""The quality report of a reference recording: plain values, which cross processes and are stored."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

LISTENED_SECONDS = 180.0
"""Seconds of a long recording that are analysed: the detector needs about 3 s per minute of sound."""


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The measurements of a reference recording, in seconds, LUFS and decibels.

    `total_seconds` is the recording's length; `speech_seconds` were found in it, or in its first LISTENED_SECONDS. All
    other figures describe the stretch from `used_start` to `used_end`, which was used.
    """

    total_seconds: float
    speech_seconds: float
    used_start: float
    used_end: float
    loudness_lufs: float
    clipped_fraction: float
    noise_db: float
    verdict: str
    advice: tuple[str, ...]
    waveform: tuple[float, ...]
    """Peak levels 0..1 of the chosen clip, for a picture."""


def report_from_json(body: dict[str, Any]) -> QualityReport:
    """Build a report from the JSON form of `dataclasses.asdict`, where tuples became lists. Raises ValueError."""
    return _REPORT.validate_python(body)


_REPORT = TypeAdapter(QualityReport)
