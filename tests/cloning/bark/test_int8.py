"""Matrices of 8 bits: near the float ones, rows independent, and an engine of them that says nearly the same."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.engine import GenerationOptions, Utterance
from cloning.bark.int8 import Int8Linear, is_supported, quantise, rounded
from cloning.bark.linear import Linear
from cloning.bark.model import Transformer
from cloning.bark.precision import PRECISIONS
from cloning.progress import ProgressReporter
from tests.cloning.tiny_engine import OTHER, PUBLISHED, Letters, a_voice, tiny_bark, tiny_engine

pytestmark = pytest.mark.skipif(not is_supported(), reason="this processor has no instructions for it")
SHAPES = [(768, 3072), (3072, 768), (48, 200)]


def an_engine(model: Any) -> BarkEngine:
    changed = copy.deepcopy(model)
    quantise(changed)
    return BarkEngine(changed, Letters(), lambda codes: np.zeros(320 * codes.shape[1], np.float32), batch=3)


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


def test_a_model_keeps_a_quarter_of_its_matrices_bytes() -> None:
    model = tiny_bark()
    size = Transformer(copy.deepcopy(model.semantic)).nbytes
    quantise(model)
    small = Transformer(model.semantic)
    assert small.nbytes * 4 == size
    assert small.dtype == torch.float32
    assert model.semantic.layers[0].attn.att_proj.weight is None


def test_the_plan_of_memory_counts_what_is_rounded() -> None:
    model = tiny_bark()
    plan = PRECISIONS["int8"].plan(model.config.to_dict(), batch=3)
    quantise(model)
    parts = (model.semantic, model.coarse_acoustics, model.fine_acoustics)
    weights = [tensor for part in parts for name, tensor in part.state_dict().items() if not name.endswith("attn.bias")]
    assert plan.weights == pytest.approx(sum(tensor.nbytes for tensor in weights), rel=0.05)


@pytest.mark.parametrize("kind", [PUBLISHED, OTHER], ids=["published", "other"])
def test_heads_of_steps_are_rounded_and_near_the_float_ones(kind: dict[str, Any]) -> None:
    model = tiny_bark(**kind)
    exact, rounded_ones = tiny_engine(model)._stages, an_engine(model)._stages
    for one, other in ((exact.semantic, rounded_ones.semantic), (exact.coarse, rounded_ones.coarse)):
        x = torch.randn(5, one.embeddings.shape[1])
        assert len(one.heads) == len(other.heads)
        for head, small in zip(one.heads, other.heads, strict=True):
            assert small.nbytes * 4 == head.nbytes
            assert 0 < (small(x) - head(x)).norm() < 0.02 * head(x).norm()


@pytest.mark.parametrize("kind", [PUBLISHED, OTHER], ids=["published", "other"])
def test_what_it_likes_best_is_mostly_the_same(kind: dict[str, Any]) -> None:
    model = tiny_bark(**kind)
    favourites = []
    for int8 in (False, True):
        coarse = (an_engine if int8 else tiny_engine)(model)._stages.coarse
        torch.manual_seed(0)
        ids = torch.randint(0, 200, (200,))
        hidden = coarse.transformer.see(coarse.embeddings[ids], 0, lambda: None)
        favourites.append(coarse.heads[0](hidden).argmax(1))
    agreed = (favourites[0] == favourites[1]).float().mean()
    assert 0.8 < agreed < 1


def test_together_is_as_alone_to_the_last_bit() -> None:
    engine = an_engine(tiny_bark())
    wanted = [
        Utterance("hello"[: number + 1], a_voice(engine, 20, seed=number), _options(number)) for number in range(4)
    ]
    together = engine.generate_many(wanted)
    for one, other in zip(wanted, together, strict=True):
        assert engine.generate(one.text, one.history, one.options, ProgressReporter()).prompt == other.prompt
    assert len({generated.prompt.coarse.tobytes() for generated in together}) == 4


def _options(number: int) -> GenerationOptions:
    return GenerationOptions(seed=number, max_semantic_tokens=8 + 5 * number, min_eos_p=0)
