"""Critics tell what was recorded from what was made, however long it is, and their losses ask for the right things."""

import pytest
import torch
from torch import Tensor

from research.bundled.discriminators import (
    PERIODS,
    WINDOWS,
    Discriminators,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
)


def judged(*opinions: float) -> list[list[Tensor]]:
    """One critic each, with one layer and this opinion."""
    return [[torch.full((1, 2), opinion), torch.tensor([opinion])] for opinion in opinions]


@pytest.mark.parametrize("length", [1200, 6400, 6401])
def test_every_critic_has_an_opinion_of_every_item(length: int) -> None:
    found = Discriminators()(torch.randn(3, length))

    assert len(found) == len(PERIODS) + len(WINDOWS)
    assert all(part.shape[0] == 3 and torch.isfinite(part).all() for one in found for part in one)


def test_an_opinion_is_of_its_own_item_alone() -> None:
    torch.manual_seed(0)
    critics, samples = Discriminators(), torch.randn(2, 6400)
    alone, together = critics(samples[:1]), critics(samples)

    for one, both in zip(alone, together, strict=True):
        torch.testing.assert_close(one[-1], both[-1][:1], rtol=1e-4, atol=1e-5)


def test_the_critics_are_content_with_opinions_beyond_one() -> None:
    assert discriminator_loss(judged(2.0, 1.5), judged(-1.0, -3.0)) == 0
    assert discriminator_loss(judged(0.0), judged(0.0)) == 2
    assert discriminator_loss(judged(-1.0), judged(1.0)) == 4


def test_the_decoder_wants_high_opinions_and_the_same_layers() -> None:
    assert adversarial_loss(judged(3.0, 1.0)) == -2
    assert feature_matching_loss(judged(2.0), judged(2.0)) == 0
    assert feature_matching_loss(judged(2.0), judged(1.0)) == 0.5


def test_critics_learn_to_tell_noise_from_tones() -> None:
    torch.manual_seed(0)
    critics = Discriminators()
    optimizer = torch.optim.Adam(critics.parameters(), 1e-3)
    time = torch.arange(3200) / 16_000
    for _ in range(30):
        tones = 0.1 * torch.sin(2 * torch.pi * (200 + 200 * torch.rand(4, 1)) * time)
        loss = discriminator_loss(critics(tones), critics(0.1 * torch.randn(4, 3200)))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        optimizer.step()

    assert loss < 1
