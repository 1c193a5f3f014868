"""Cells and a meter that are made up, for the tests of everything above them."""

from pathlib import Path

import numpy as np

from cloning.media.audio import Recording
from errors import InvalidInput
from research.evaluate.references import TranscribedRecording
from research.evaluate.trial import Cell, MeasuredSpeaker
from research.metrics.dnsmos import Opinion
from research.metrics.measurement import Measurements
from research.metrics.speakers import Embedding


def a_cell(speaker: str, like: dict[str, float], **others: object) -> Cell:
    known: dict[str, object] = {"text": "hello there", "seed": 0, "words": 2, "quality": 3.0, "seconds": 2.0}
    known |= {"clone_seconds": 1.0, "say_seconds": 0.5}
    return Cell("quantizer", speaker, similarities=like, **{**known, **others})  # type: ignore[arg-type]  # of several types


def a_speaker(name: str, direction: int, log_f0: float = 5.0, other: int | None = None) -> MeasuredSpeaker:
    take = TranscribedRecording(Path(f"{name}.flac"), "")
    return MeasuredSpeaker(name, take, a_voice(direction), log_f0, None if other is None else a_voice(other))


def a_voice(direction: int) -> Embedding:
    voice = np.full(256, 0.01, np.float32)
    voice[direction] = 1.0
    return voice / np.linalg.norm(voice)


class FakeMeter:
    """Meter that hear "hello there" always, and a voice that depends on the length. They count what they heard."""

    def __init__(self) -> None:
        self.heard = 0

    def words(self, recording: Recording) -> str:
        return "hello there"

    def voice(self, recording: Recording) -> Embedding:
        return a_voice(recording.samples.size % 256)

    def all(self, recording: Recording) -> Measurements:
        self.heard += 1
        if not np.any(recording.samples):
            raise InvalidInput("A clip is silent.")
        return Measurements(self.words(recording), self.voice(recording), 5.0, Opinion(3.0, 3.0, 3.0))
