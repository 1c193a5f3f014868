"""Formants move by the factor, and pitch, level and length stay."""

import numpy as np
import pytest
from numpy.typing import NDArray

from research.bundled.formants import warp_formants
from research.bundled.spectra import SAMPLE_RATE

PITCH = 125.0
FORMANT = 1000.0


def vowel(seconds: float = 1.0) -> NDArray[np.float32]:
    """Harmonics of PITCH, of which those near FORMANT are loudest."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    harmonics = PITCH * np.arange(1, 60)
    levels = 1 / (1 + ((harmonics - FORMANT) / 200) ** 2) + 0.01
    sound = sum(level * np.cos(2 * np.pi * one * time) for one, level in zip(harmonics, levels, strict=True))
    return (0.05 * np.asarray(sound)).astype(np.float32)


def harmonics(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the amplitudes of the harmonics of PITCH, from the first on."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    step = PITCH * len(samples) / SAMPLE_RATE
    return np.array([spectrum[round(step * number) - 2 : round(step * number) + 3].max() for number in range(1, 60)])


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.25])
def test_the_formant_moves_and_the_pitch_stays(factor: float) -> None:
    warped = warp_formants(vowel(), factor)
    levels = harmonics(warped)

    assert PITCH * (1 + levels.argmax()) == pytest.approx(FORMANT * factor, abs=PITCH)
    power = np.abs(np.fft.rfft(warped * np.hanning(len(warped)))) ** 2
    assert (levels**2).sum() > 0.25 * power.sum()  # what is between the harmonics is small


def test_factor_one_changes_nothing() -> None:
    sound = vowel()

    assert warp_formants(sound, 1.0) == pytest.approx(sound, abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 5000])
def test_the_length_stays(count: int) -> None:
    warped = warp_formants(vowel()[:count], 1.2)

    assert warped.shape == (count,)
    assert warped.dtype == np.float32
    assert np.isfinite(warped).all()


def test_silence_stays_silent() -> None:
    assert not warp_formants(np.zeros(2000, np.float32), 0.8).any()
