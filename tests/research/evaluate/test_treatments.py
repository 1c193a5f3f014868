"""Ten ways to treat a recording: each does what its name says, and leaves speech."""

import numpy as np
import pytest

from cloning.media.audio import Recording
from research.evaluate.treatments import TREATMENTS
from tests.media.build import speech

RATE = 24_000


@pytest.fixture(scope="module")
def spoken() -> Recording:
    return Recording(speech(rate=RATE)[RATE : 5 * RATE], RATE)


def level(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(np.float64) ** 2))))


def test_there_are_ten() -> None:
    assert len(TREATMENTS) == 10


@pytest.mark.parametrize("name", TREATMENTS)
def test_each_leaves_speech_of_the_expected_length(name: str, spoken: Recording) -> None:
    treated = TREATMENTS[name](spoken)
    assert treated.samples.dtype == np.float32
    assert np.isfinite(treated.samples).all()
    seconds = {"one second cut out": 1.0, "10 % faster": 4.0 / 1.1}.get(name, 4.0)
    assert treated.seconds == pytest.approx(seconds, abs=0.1)
    if name != "one second cut out":  # which may be a pause
        assert level(treated.samples) == pytest.approx(level(spoken.samples) - (20 if "quieter" in name else 0), abs=4)


def test_noise_is_20_db_under_the_speech_and_repeats(spoken: Recording) -> None:
    noisy = TREATMENTS["white noise at 20 dB"]
    noise = noisy(spoken).samples - spoken.samples
    assert level(spoken.samples) - level(noise) == pytest.approx(20, abs=0.2)
    assert np.array_equal(noisy(spoken).samples, noisy(spoken).samples)


def test_a_telephone_has_nothing_above_four_kilohertz(spoken: Recording) -> None:
    assert TREATMENTS["telephone band, 8 kHz"](spoken).sample_rate == 8_000


def test_a_short_recording_is_cut_out_whole() -> None:
    short = Recording(speech(rate=RATE)[RATE : RATE + 5_000], RATE)
    assert np.array_equal(TREATMENTS["one second cut out"](short).samples, short.samples)
