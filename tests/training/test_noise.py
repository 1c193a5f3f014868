"""Gains, filters and noise are as strong as they were asked to be, item by item."""

import numpy as np
import pytest
import torch

from training.noise import add_noise, equalise, gain


def noise(batch: int = 40, count: int = 4_000) -> torch.Tensor:
    return 0.1 * torch.randn(batch, count, generator=torch.Generator().manual_seed(0))


def decibels(samples: torch.Tensor) -> torch.Tensor:
    return 10 * samples.square().mean(dim=1).log10()


def test_each_item_has_its_own_gain_within_the_limits() -> None:
    samples = noise()

    change = decibels(gain(samples, np.random.default_rng(0), -12.0, 4.0)) - decibels(samples)

    assert -12.0 <= float(change.min()) < -8.0
    assert 1.0 < float(change.max()) <= 4.0


def test_an_equaliser_changes_the_colour_and_neither_length_nor_place() -> None:
    samples = torch.zeros(3, 1_000)
    samples[:, 500] = 1.0

    filtered = equalise(samples, np.random.default_rng(0), 3.0)

    assert filtered.shape == samples.shape
    assert filtered.abs().argmax(dim=1).tolist() == [500] * 3
    assert not torch.allclose(filtered, samples, atol=1e-2)


def test_an_equaliser_of_no_decibels_is_none() -> None:
    torch.testing.assert_close(equalise(noise(), np.random.default_rng(0), 0.0), noise())


def test_a_share_of_the_items_gets_noise_of_the_level() -> None:
    samples = noise()

    noisy = add_noise(samples, np.random.default_rng(0), 10.0, 20.0, 0.5)

    added = noisy - samples
    touched = added.abs().amax(dim=1) > 0
    assert 10 < int(touched.sum()) < 30
    ratio = (decibels(samples) - decibels(added))[touched]
    assert 9.9 < float(ratio.min()) <= float(ratio.max()) < 20.1


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_silence_stays_finite(share: float) -> None:
    assert torch.equal(add_noise(torch.zeros(2, 500), np.random.default_rng(0), 0.0, 9.0, share), torch.zeros(2, 500))
