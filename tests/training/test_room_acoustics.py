"""Rooms ring behind the sound, narrow lines take its treble, and a share of nothing changes nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.room_acoustics import narrow, reverberate

CLICK = torch.zeros(4, 16_000)
CLICK[:, 4_000] = 1.0


def generator() -> np.random.Generator:
    torch.manual_seed(0)
    return np.random.default_rng(0)


def noise(batch: int = 8) -> torch.Tensor:
    return torch.randn(batch, 16_000, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("change", [reverberate, narrow])
def test_a_share_of_nothing_changes_nothing(change: object) -> None:
    assert callable(change)
    torch.testing.assert_close(change(noise(), generator(), share=0.0), noise(), atol=2e-4, rtol=0)


@pytest.mark.parametrize("change", [reverberate, narrow])
def test_the_same_seeds_do_the_same(change: object) -> None:
    assert callable(change)
    assert torch.equal(change(noise(), generator(), share=0.5), change(noise(), generator(), share=0.5))


def test_a_room_rings_behind_the_sound_and_dies_away() -> None:
    heard = reverberate(CLICK, generator(), share=1.0)

    assert torch.allclose(heard[:, :4_000], torch.zeros(4, 4_000), atol=1e-5)
    assert torch.allclose(heard[:, 4_000], torch.ones(4), atol=1e-3)
    early, late = heard[:, 4_050:5_650].square().sum(dim=1), heard[:, 12_000:13_600].square().sum(dim=1)
    assert bool((early > 0.01).all())
    assert bool((late < 0.02 * early).all())


def test_a_narrow_line_keeps_what_is_below() -> None:
    heard = torch.fft.rfft(narrow(noise(), generator(), share=1.0)).abs()
    whole = torch.fft.rfft(noise()).abs()

    torch.testing.assert_close(heard[:, :1_500], whole[:, :1_500], atol=1e-2, rtol=1e-3)
    assert bool((heard[:, -100:].mean(dim=1) < 0.1 * whole[:, -100:].mean(dim=1)).all())


@given(st.integers(2, 2_000), st.integers(0, 3))
def test_any_length_stays_as_it_is_and_finite(length: int, seed: int) -> None:
    samples = torch.ones(2, length)
    random = np.random.default_rng(seed)

    for heard in (reverberate(samples, random, share=0.7), narrow(samples, random, share=0.7)):
        assert heard.shape == samples.shape
        assert bool(heard.isfinite().all())
