"""Something that a codec can take for a voice: harmonics under moving formants, in syllables. Says nothing."""

import numpy as np
from numpy.typing import NDArray

_SYLLABLE_SECONDS = 0.2
_FORMANT_WIDTH_HZ = 180.0
_BREATH = 0.02


def synthetic_voice(seed: int, seconds: float, pitch: float = 120.0, sample_rate: int = 24_000) -> NDArray[np.float32]:
    """Float32 (N,) in -1..1: syllables of random vowels at about `pitch` Hz, with pauses; the same for a seed."""
    random = np.random.default_rng(seed)
    length = round(seconds * sample_rate)
    syllables = int(np.ceil(seconds / _SYLLABLE_SECONDS)) + 1
    time = np.arange(length) / sample_rate
    anchors = np.arange(syllables) * _SYLLABLE_SECONDS

    def contour(low: float, high: float) -> NDArray[np.float64]:
        return np.interp(time, anchors, random.uniform(low, high, syllables))

    frequency = pitch * contour(0.85, 1.2)
    phase = 2 * np.pi * np.cumsum(frequency) / sample_rate
    formants = [contour(300, 900), contour(900, 2300), contour(2300, 3200)]
    voiced = np.zeros(length)
    for harmonic in range(1, int(min(5000.0, sample_rate / 2) / (1.2 * pitch))):
        distance = np.stack([(frequency * harmonic - formant) / _FORMANT_WIDTH_HZ for formant in formants])
        voiced += np.exp(-0.5 * distance**2).sum(axis=0) / harmonic**0.5 * np.sin(harmonic * phase)
    loudness = (
        np.abs(np.sin(np.pi * time / _SYLLABLE_SECONDS))
        * np.repeat(random.random(syllables) < 0.85, round(_SYLLABLE_SECONDS * sample_rate))[:length]
    )
    samples = (voiced + _BREATH * random.standard_normal(length)) * loudness
    voice: NDArray[np.float32] = (0.5 * samples / np.abs(samples).max()).astype(np.float32)
    return voice
