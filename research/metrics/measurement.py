"""Everything that is measured on one recording, together: words, voice, pitch, quality."""

from dataclasses import dataclass
from typing import Protocol

from cloning.media.audio import Recording
from research.metrics.dnsmos import Opinion, opinion
from research.metrics.pitch import log_f0
from research.metrics.recogniser import TINY, Whisper
from research.metrics.speakers import Embedding, embed


@dataclass(frozen=True)
class Measured:
    """What is heard in a recording. `log_f0`: see `pitch.log_f0`."""

    words: str
    voice: Embedding
    log_f0: float | None
    opinion: Opinion


class Meter(Protocol):
    """Somebody who listens to recordings of any rate. Raises InvalidInput for one that is silent or empty."""

    def words(self, recording: Recording) -> str:
        """What is said."""

    def voice(self, recording: Recording) -> Embedding:
        """Who speaks."""

    def all(self, recording: Recording) -> Measured:
        """Everything."""


class ModelMeter:
    """Meter made of Whisper, the speaker encoder, WORLD and DNSMOS. `recogniser`: see `recogniser.Whisper`."""

    def __init__(self, recogniser: str = TINY, language: str = "en") -> None:
        self._listener = Whisper(recogniser, language)

    def words(self, recording: Recording) -> str:
        """What is said."""
        return self._listener(recording)

    def voice(self, recording: Recording) -> Embedding:
        """Who speaks."""
        return embed(recording.samples, recording.sample_rate)

    def all(self, recording: Recording) -> Measured:
        """Everything."""
        samples, rate = recording.samples, recording.sample_rate
        return Measured(self.words(recording), self.voice(recording), log_f0(samples, rate), opinion(samples, rate))
