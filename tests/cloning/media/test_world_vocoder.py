"""Taking speech apart and putting it together."""

import numpy as np
import pytest

from cloning.media.audio import Recording
from cloning.media.world_vocoder import FRAME_SECONDS, analyse, pitch, synthesise
from tests.stand_in.synthetic_voice import synthetic_voice

RATE = 16_000


def test_what_is_put_together_sounds_as_high_and_as_long_as_before() -> None:
    voice = Recording(synthetic_voice(2, 1.5, 150.0, RATE), RATE)
    parts = analyse(voice)
    again = synthesise(parts, voice.samples.size)
    assert again.shape == voice.samples.shape
    assert again.dtype == np.float32
    assert np.abs(again).max() <= 1.0
    before, after = pitch(voice), pitch(Recording(again, RATE))
    assert np.median(after[after > 0]) == pytest.approx(np.median(before[before > 0]), rel=0.03)


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_the_envelope_of_a_deep_voice_does_not_follow_its_pulses(rate: int) -> None:
    samples = np.zeros(rate, np.float32)
    samples[:: round(rate / 67.0)] = 0.5  # 67 Hz: a pulse in every third frame
    parts = analyse(Recording(samples, rate))
    middle = slice(parts.f0.size // 4, 3 * parts.f0.size // 4)
    assert np.all(parts.f0[middle] == pytest.approx(67.0, abs=1.0))
    levels = 10 * np.log10(parts.envelope[middle].mean(axis=1))
    assert np.ptp(levels) < 1.0


def test_shapes() -> None:
    parts = analyse(Recording(synthetic_voice(2, 1.0, 150.0, RATE), RATE))
    frames = parts.f0.size
    assert frames == pytest.approx(1.0 / FRAME_SECONDS, abs=2)
    assert parts.envelope.shape == parts.aperiodicity.shape == (frames, 513)
    assert np.all(parts.envelope > 0)
    assert 0 <= parts.aperiodicity.min() <= parts.aperiodicity.max() <= 1
