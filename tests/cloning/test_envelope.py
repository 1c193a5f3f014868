"""The correction of envelopes: learned from filtered noise and tones, and applied to other ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloning.envelope import EnvelopeCorrection
from cloning.media.audio import Samples

RATE = 16_000


def noise(seconds: float, seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def buzz(seconds: float, pitch: float = 110.0) -> Samples:
    """A pulse train, whose spectrum is flat like that of noise, below 1 kHz only."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.cos(2 * np.pi * number * pitch * time) for number in range(1, int(1000 // pitch)))
    return np.asarray(0.05 * wave, np.float32)


def filtered(samples: Samples, decibels: float) -> Samples:
    """Everything above 2 kHz is changed by this much."""
    frequencies = np.fft.rfftfreq(samples.size, 1 / RATE)
    gains = np.where(frequencies > 2000, 10 ** (decibels / 20), 1.0)
    return np.fft.irfft(gains * np.fft.rfft(samples), samples.size).astype(np.float32)


def treble(samples: Samples) -> float:
    """How much more power is above 2.5 kHz than below 1.5 kHz, in dB."""
    power = np.square(np.abs(np.fft.rfft(samples)))
    frequencies = np.fft.rfftfreq(samples.size, 1 / RATE)
    return float(10 * np.log10(power[frequencies > 2500].sum() / power[frequencies < 1500].sum()))


def fitted(coarse: Samples, fine: Samples, strength: float = 1.0) -> EnvelopeCorrection:
    correction = EnvelopeCorrection.fit(coarse, fine, RATE, strength)
    assert correction is not None
    return correction


def test_equal_sounds_change_nothing() -> None:
    sound = noise(2, 1)

    corrected = fitted(sound, sound)(noise(1, 2))

    np.testing.assert_allclose(corrected, noise(1, 2), atol=1e-5)


@pytest.mark.parametrize(("decibels", "strength"), [(6.0, 1.0), (-6.0, 1.0), (4.0, 2.0), (4.0, 0.0)])
def test_another_sound_gets_the_change_that_was_fitted(decibels: float, strength: float) -> None:
    correction = fitted(noise(4, 1), filtered(noise(4, 1), decibels), strength)

    change = treble(correction(noise(2, 2))) - treble(noise(2, 2))

    assert change == pytest.approx(strength * decibels, abs=0.5)


def test_the_change_depends_on_the_sound_of_a_frame() -> None:
    """Hiss becomes brighter in this voice, and its vowels do not."""
    coarse = np.concatenate([noise(3, 1), buzz(3) + 0.05 * noise(3, 3)])
    fine = np.concatenate([filtered(noise(3, 1), 8.0), buzz(3) + 0.05 * noise(3, 3)])
    correction = fitted(coarse, fine)

    hiss, vowel = noise(1, 4), buzz(1, 130.0) + 0.05 * noise(1, 5)

    assert treble(correction(hiss)) - treble(hiss) > 6.0
    assert abs(treble(correction(vowel)) - treble(vowel)) < 3.0


def test_a_gain_is_bounded() -> None:
    correction = fitted(noise(2, 1), filtered(noise(2, 1), 40.0), strength=5.0)

    assert treble(correction(noise(1, 2))) - treble(noise(1, 2)) < 24.5


def test_pauses_do_not_count() -> None:
    pause = 1e-4 * noise(4, 7)

    correction = fitted(np.concatenate([noise(2, 1), pause]), np.concatenate([filtered(noise(2, 1), 6.0), -pause]))

    assert treble(correction(noise(2, 2))) - treble(noise(2, 2)) == pytest.approx(6.0, abs=0.5)


def test_less_than_a_second_is_not_fitted() -> None:
    assert EnvelopeCorrection.fit(noise(0.8, 1), filtered(noise(0.8, 1), 6.0), RATE, 1.0) is None
    silence = np.zeros(4 * RATE, np.float32)
    silence[: RATE // 2] = noise(0.5, 1)
    assert EnvelopeCorrection.fit(silence, silence, RATE, 1.0) is None


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 2000), level=st.sampled_from([0.0, 1e-6, 0.1, 1.0]))
def test_any_length_and_level_is_kept(length: int, level: float) -> None:
    samples = (level * np.sign(np.sin(np.arange(length) * 0.3))).astype(np.float32)

    corrected = fitted(noise(2, 1), filtered(noise(2, 1), 6.0), strength=2.0)(samples)

    assert corrected.shape == samples.shape
    assert corrected.dtype == np.float32
    assert np.isfinite(corrected).all()
    assert np.abs(corrected).max() <= 5 * level
