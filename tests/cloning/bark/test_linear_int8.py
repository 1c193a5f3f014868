"""Matrices of 8 bits: near the float ones, and rows independent. `test_small_matrices` has an engine of them."""

from typing import Any

import pytest
import torch

from cloning.bark.linear import Int8Linear, Linear, int8_is_supported, quantise, rounded
from tests.cloning.tiny_engine import OTHER, PUBLISHED, silent_engine, tiny_bark, tiny_engine

pytestmark = pytest.mark.skipif(not int8_is_supported(), reason="this processor has no instructions for it")
SHAPES = [(768, 3072), (3072, 768), (48, 200)]


def test_rounding_is_at_most_half_a_step_of_the_output() -> None:
    weight = torch.randn(200, 48) * torch.logspace(-3, 3, 200)[:, None]
    numbers, scales = rounded(weight)
    assert numbers.dtype == torch.int8
    assert numbers.abs().amax(1).eq(127).all()
    assert ((numbers * scales[:, None] - weight).abs() <= scales[:, None] * 0.5001).all()


@pytest.mark.parametrize(("inside", "outside"), SHAPES)
@pytest.mark.parametrize("gelu", [False, True])
def test_it_is_near_the_float_one(inside: int, outside: int, gelu: bool) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(outside, inside), torch.randn(outside), torch.randn(40, inside) + 0.5
    exact = Linear(weight, bias, gelu=gelu)(x)
    error = (Int8Linear(*rounded(weight), bias, gelu=gelu)(x) - exact).pow(2).mean().sqrt()
    assert 0 < error < 0.02 * exact.std()


@pytest.mark.parametrize(("inside", "outside"), SHAPES)
def test_a_row_knows_no_other(inside: int, outside: int) -> None:
    torch.manual_seed(0)
    linear = Int8Linear(*rounded(torch.randn(outside, inside)), torch.randn(outside))
    rows = torch.randn(40, inside) * torch.logspace(-3, 3, 40)[:, None]
    everybody = linear(rows)
    for count in (1, 2, 3, 5, 8, 16):
        assert torch.equal(linear(rows[:count]), everybody[:count])
        assert torch.equal(linear(rows[-count:]), everybody[-count:])


def test_zeros_and_rows_of_one_number_stay_what_they_are() -> None:
    linear = Int8Linear(*rounded(torch.zeros(8, 16)), torch.ones(8))
    assert torch.equal(linear(torch.randn(2, 16)), torch.ones(2, 8))
    weight = torch.randn(8, 16)
    given = torch.tensor([[0.0], [3.0], [-2.0]]).expand(3, 16)
    torch.testing.assert_close(Int8Linear(*rounded(weight))(given), given @ weight.T, rtol=0.02, atol=0.2)


@pytest.mark.parametrize("kind", [PUBLISHED, OTHER], ids=["published", "other"])
def test_what_it_likes_best_is_mostly_the_same(kind: dict[str, Any]) -> None:
    model = tiny_bark(**kind)
    favourites = []
    for int8 in (False, True):
        coarse = (silent_engine(model, quantise) if int8 else tiny_engine(model))._stages.coarse
        torch.manual_seed(0)
        ids = torch.randint(0, 200, (200,))
        (hidden,) = coarse.transformer.run_windows(coarse.embeddings[ids][None], [0], lambda: None)
        favourites.append(coarse.heads[0](hidden).argmax(1))
    agreed = (favourites[0] == favourites[1]).float().mean()
    assert 0.8 < agreed < 1
