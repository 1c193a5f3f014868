"""DNSMOS: noise makes speech worse."""

import numpy as np
import pytest

from cloning.media.audio import read_clip
from errors import InvalidInput
from research.metrics.dnsmos import opinion
from tests.test_architecture import ROOT


def test_noise_is_heard() -> None:
    clip = read_clip(ROOT / "simulator" / "media" / "reference.flac")
    noise = 0.05 * np.random.default_rng(0).standard_normal(clip.samples.size)
    clean = opinion(clip.samples, clip.sample_rate)
    noisy = opinion((clip.samples + noise).astype(np.float32), clip.sample_rate)
    assert 1 <= noisy.overall < clean.overall - 0.5 <= 4.5
    assert noisy.background < clean.background


def test_an_empty_clip_is_refused() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        opinion(np.zeros(0, np.float32))
