"""Residual codebooks: each book takes off some of the error, entries follow the data, dead ones come back."""

import numpy as np
import pytest
import torch

from research.bundled.residual_quantizer import ResidualQuantizer

BOOKS, SIZE, WIDTH = 4, 16, 8


def data(count: int = 600, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def quantizer() -> ResidualQuantizer:
    made = ResidualQuantizer(BOOKS, SIZE, WIDTH)
    made.begin(data(), np.random.default_rng(0))
    return made


def error(quantizer: ResidualQuantizer, latents: torch.Tensor, books: int) -> float:
    codes = quantizer.encode(latents)[:, :books]
    return float((quantizer.decode(codes) - latents).square().mean())


def test_every_book_takes_off_some_of_the_error(quantizer: ResidualQuantizer) -> None:
    errors = [error(quantizer, data()[None], books) for books in range(1, BOOKS + 1)]

    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0] < 0.5 * float(data().square().mean())


def test_an_entry_is_its_own_code(quantizer: ResidualQuantizer) -> None:
    entries = quantizer.embed[0][None]

    assert quantizer.encode(entries)[0, 0].tolist() == list(range(SIZE))


def test_items_use_as_many_books_as_they_are_told(quantizer: ResidualQuantizer) -> None:
    latents = data(60).view(3, 20, WIDTH)
    quantizer.eval()
    codes, used = quantizer.encode(latents), torch.tensor([1, 3, 4])

    whole = quantizer(latents, used, np.random.default_rng(0))

    torch.testing.assert_close(whole.latents, quantizer.decode(codes, used))
    torch.testing.assert_close(whole.first, quantizer.decode(codes[:, :1]))
    torch.testing.assert_close(whole.second[1:], quantizer.decode(codes[1:, :2]))


def test_the_gradient_goes_straight_through(quantizer: ResidualQuantizer) -> None:
    latents = data(20)[None].requires_grad_()

    quantizer(latents, torch.tensor([BOOKS]), np.random.default_rng(0)).latents.sum().backward()

    assert latents.grad is not None
    assert torch.equal(latents.grad, torch.ones_like(latents))


def test_books_follow_data_that_move(quantizer: ResidualQuantizer) -> None:
    random, moved = np.random.default_rng(0), (data(seed=1) + 2.0)[None]
    before = error(quantizer, moved, BOOKS)

    for _ in range(200):
        quantizer(moved, torch.tensor([BOOKS]), random)

    assert error(quantizer, moved, BOOKS) < 0.5 * before


def test_dead_entries_are_drawn_anew(quantizer: ResidualQuantizer) -> None:
    quantizer.embed[0, 1:] = 100.0
    quantizer.sums[0, 1:] = 100.0 * quantizer.counts[0, 1:, None]

    for seed in range(600):
        quantizer(data(200, seed)[None], torch.tensor([BOOKS]), np.random.default_rng(seed))

    assert quantizer.perplexity()[0] > SIZE / 2


def test_nothing_moves_in_evaluation(quantizer: ResidualQuantizer) -> None:
    before = quantizer.embed.clone()
    quantizer.eval()

    quantizer(data()[None], torch.tensor([BOOKS]), np.random.default_rng(0))

    assert torch.equal(quantizer.embed, before)
