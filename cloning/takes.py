"""Choose the best of several takes of a sentence: the one with the lowest cost, by measurements of its audio.

    cost = 3   if the model was stopped at its limit instead of ending by itself
         + 4 * (|log2(seconds / expected seconds)| - 0.6), if that is positive: too short or too long for the text
         + 2   if the peak is below -30 dBFS, and 2 if more than a thousandth of the samples are clipped
         + (timbre's distance to the voice, in dB) / 6
         + (pitch's distance to the voice, in semitones) / 4; 12 semitones if only one of the two has a pitch

Without a voice the distances are 0. Timbre is the mean spectrum of the loud frames in mel bands, minus its own mean, so
that loudness does not count; its distance is the root mean square over the bands: 2 to 3 dB between texts of one
speaker, 4 dB and more between speakers. The weights make one clear error (a tail as long as the sentence, the wrong
voice) cost more than the random differences between good takes. The features are not stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cloning.media import audio, world_vocoder
from cloning.media.audio import Recording, Samples
from cloning.text import durations

MOST = 4
"""The maximum number of takes of a sentence: each costs as much as the first."""

_STOPPED, _LENGTH, _LEVEL = 3.0, 4.0, 2.0
_TIMBRE_DB, _SEMITONES = 6.0, 4.0
_FREE_OCTAVES = 0.6
"""The deviation that costs nothing: readers differ from the mean speed by a factor of about 1.5."""
_QUIET = 10 ** (-30 / 20)
_CLIPPED, _CLIPPED_SHARE = 0.999, 0.001
_UNVOICED = 12.0

_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 24, 60.0, 7600.0
_FRAME_SECONDS = 0.04
_LOUD_WITHIN_DB = 30.0
_VOICED_FRAMES = 10
"""50 ms. Fewer voiced frames are taken for noise."""


@dataclass(frozen=True)
class VoiceFeatures:
    """The features of a voice that are compared: `timbre` float64 (bands,) in dB around 0, median `pitch` in Hz."""

    timbre: NDArray[np.float64]
    pitch: float | None

    @classmethod
    def of(cls, samples: Samples, rate: int) -> "VoiceFeatures":
        """Return the features of usable sound."""
        voiced = np.sort(world_vocoder.pitch(Recording(samples, rate)))
        voiced = voiced[voiced > 0]
        return cls(_timbre(samples, rate), float(np.median(voiced)) if voiced.size >= _VOICED_FRAMES else None)

    def distance(self, other: "VoiceFeatures") -> tuple[float, float]:
        """Return the distance of the timbres in dB and of the pitches in semitones."""
        timbre = float(np.sqrt(np.square(self.timbre - other.timbre).mean()))
        if self.pitch is None or other.pitch is None:
            return timbre, 0.0 if self.pitch is other.pitch else _UNVOICED
        return timbre, 12 * abs(float(np.log2(self.pitch / other.pitch)))


@dataclass(frozen=True)
class TakeTarget:
    """The sentence that takes should speak, its language, and the features of its voice; None without a voice."""

    text: str
    language: str
    voice: VoiceFeatures | None


@dataclass(frozen=True)
class Take:
    """`samples` float32 (N,) at `rate`. `ended`: whether the model ended before its limit."""

    samples: Samples
    rate: int
    ended: bool

    @property
    def is_usable(self) -> bool:
        """Whether the take has sound."""
        return audio.is_usable(self.samples)


def best(takes: Sequence[Take], wanted: TakeTarget) -> int | None:
    """Return the index of the best take, the first among equals; None if none has sound.

    A single take is not measured.
    """
    usable = [index for index, take in enumerate(takes) if take.is_usable]
    if len(usable) < 2:
        return usable[0] if usable else None
    return min(usable, key=lambda index: cost(takes[index], wanted))


def cost(take: Take, wanted: TakeTarget) -> float:
    """Return the cost of a usable take, by the formula above."""
    spoken = audio.trim(take.samples, take.rate)
    octaves = abs(float(np.log2(spoken.size / take.rate / durations.expected_seconds(wanted.text, wanted.language))))
    levels = np.abs(take.samples)
    total = (
        _STOPPED * (not take.ended)
        + _LENGTH * max(0.0, octaves - _FREE_OCTAVES)
        + _LEVEL * bool(levels.max() < _QUIET)
        + _LEVEL * bool((levels >= _CLIPPED).mean() > _CLIPPED_SHARE)
    )
    if wanted.voice is None:
        return total
    timbre, pitch = wanted.voice.distance(VoiceFeatures.of(spoken, take.rate))
    return total + timbre / _TIMBRE_DB + pitch / _SEMITONES


def _timbre(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Return the mean spectrum of the frames within 30 dB of the loudest, in mel bands, in dB minus its mean."""
    size = round(_FRAME_SECONDS * rate)
    padded = np.pad(samples.astype(np.float64), (0, max(0, size - samples.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)))  # (frames, frequencies)
    loudness = power.sum(axis=1)
    mean = power[loudness >= loudness.max() * 10 ** (-_LOUD_WITHIN_DB / 10)].mean(axis=0)
    edges = np.searchsorted(
        np.fft.rfftfreq(size, 1 / rate), audio.mel_edges(_LOWEST_HZ, min(_HIGHEST_HZ, rate / 2), _BANDS)
    )
    bands = np.array([mean[start : max(end, start + 1)].mean() for start, end in pairwise(edges)])
    levels = 10 * np.log10(bands + 1e-10 * bands.max() + 1e-20)
    return np.asarray(levels - levels.mean(), np.float64)
