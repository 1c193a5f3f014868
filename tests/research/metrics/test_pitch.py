"""Pitch of synthetic voices."""

import math

import numpy as np
import pytest

from research.metrics.pitch import correlation, log_f0
from tests.stand_in.synthetic_voice import synthetic_voice


@pytest.mark.parametrize("hertz", [100.0, 210.0])
def test_the_median_is_the_voices_pitch(hertz: float) -> None:
    measured = log_f0(synthetic_voice(4, 2.0, hertz, 16_000))
    assert measured is not None
    assert math.exp(measured) == pytest.approx(hertz, rel=0.12)


@pytest.mark.parametrize("samples", [np.zeros(16_000), 0.1 * np.random.default_rng(0).standard_normal(16_000)])
def test_silence_and_noise_have_none(samples: np.ndarray) -> None:
    assert log_f0(samples.astype(np.float32)) is None


def test_correlation() -> None:
    assert correlation([(1, 2), (2, 4), (3, 6)]) == pytest.approx(1.0)
    assert correlation([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1.0)
    assert correlation([(1, 1), (2, 2)]) is None
    assert correlation([(1, 1), (1, 2), (1, 3)]) is None
