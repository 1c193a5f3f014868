"""Matrices in float16: near the float ones, and rows independent. `test_small_matrices` has an engine of them."""

import pytest
import torch

from cloning.bark.linear import MOST_ROWS, HalfLinear, Linear, half_is_supported

pytestmark = pytest.mark.skipif(not half_is_supported(), reason="this processor has no instructions for it")
SHAPES = [(768, 3072), (3072, 768), (48, 200)]


@pytest.mark.parametrize(("inside", "outside"), SHAPES)
@pytest.mark.parametrize("gelu", [False, True])
def test_only_the_weight_is_rounded(inside: int, outside: int, gelu: bool) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(outside, inside).half(), torch.randn(outside), torch.randn(40, inside)
    exact = Linear(weight.float(), bias, gelu=gelu)(x)
    torch.testing.assert_close(HalfLinear(weight, bias, gelu=gelu)(x), exact, rtol=1e-4, atol=1e-4 * inside**0.5)


@pytest.mark.parametrize(("inside", "outside"), SHAPES)
def test_a_row_knows_no_other(inside: int, outside: int) -> None:
    torch.manual_seed(0)
    linear = HalfLinear(torch.randn(outside, inside).half(), torch.randn(outside))
    rows = torch.randn(MOST_ROWS, inside) * torch.logspace(-3, 3, MOST_ROWS)[:, None]
    everybody = linear(rows)
    for count in range(1, MOST_ROWS):
        assert torch.equal(linear(rows[:count]), everybody[:count])
        assert torch.equal(linear(rows[-count:]), everybody[-count:])
