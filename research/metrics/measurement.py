"""Measure the words, voice, pitch and quality of a recording."""

from dataclasses import dataclass
from typing import Protocol

from cloning.media.audio import Recording
from research.metrics.dnsmos import Opinion, opinion
from research.metrics.pitch import log_f0
from research.metrics.recogniser import TINY, Whisper
from research.metrics.speakers import Embedding, embed


@dataclass(frozen=True)
class Measurements:
    """The measurements of a recording: its recognised words, its speaker's embedding, `pitch.log_f0`, and DNSMOS."""

    words: str
    voice: Embedding
    log_f0: float | None
    opinion: Opinion


class Meter(Protocol):
    """Measures recordings of any sample rate. Raises InvalidInput for a silent or empty one."""

    def words(self, recording: Recording) -> str:
        """Return the words."""

    def voice(self, recording: Recording) -> Embedding:
        """Return the embedding of the speaker."""

    def all(self, recording: Recording) -> Measurements:
        """Return all measurements."""


class ModelMeter:
    """A Meter with Whisper, the speaker encoder, WORLD and DNSMOS. `recogniser`, `language`: see `Whisper`."""

    def __init__(self, recogniser: str = TINY, language: str = "en") -> None:
        self._listener = Whisper(recogniser, language)

    def words(self, recording: Recording) -> str:
        """Return the words."""
        return self._listener(recording)

    def voice(self, recording: Recording) -> Embedding:
        """Return the embedding of the speaker."""
        return embed(recording.samples, recording.sample_rate)

    def all(self, recording: Recording) -> Measurements:
        """Return all measurements."""
        samples, rate = recording.samples, recording.sample_rate
        return Measurements(self.words(recording), self.voice(recording), log_f0(samples, rate), opinion(samples, rate))
