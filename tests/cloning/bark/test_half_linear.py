"""Matrices in float16: near the float ones, rows independent, and an engine of them that says nearly the same."""

import copy
from typing import Any

import numpy as np
import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.engine import GenerationOptions, Utterance
from cloning.bark.half_linear import HalfLinear, halve, is_supported
from cloning.bark.linear import MOST_ROWS, Linear
from cloning.bark.model import Transformer
from cloning.bark.precision import HALF_MATRICES
from cloning.progress import ProgressReporter
from tests.cloning.tiny_engine import OTHER, PUBLISHED, Letters, a_voice, tiny_bark, tiny_engine

pytestmark = pytest.mark.skipif(not is_supported(), reason="this processor has no instructions for it")
SHAPES = [(768, 3072), (3072, 768), (48, 200)]


def an_engine(model: Any) -> BarkEngine:
    changed = copy.deepcopy(model)
    halve(changed)
    return BarkEngine(changed, Letters(), lambda codes: np.zeros(320 * codes.shape[1], np.float32), batch=3)


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


def test_a_model_keeps_half_of_its_matrices_bytes() -> None:
    model = tiny_bark()
    size = Transformer(copy.deepcopy(model.semantic)).nbytes
    halve(model)
    small = Transformer(model.semantic)
    assert small.nbytes * 2 == size
    assert small.dtype == torch.float32
    assert model.semantic.layers[0].attn.att_proj.weight is None


def test_the_plan_of_memory_counts_what_is_halved() -> None:
    model = tiny_bark()
    plan = HALF_MATRICES.plan(model.config.to_dict(), batch=3)
    halve(model)
    parts = (model.semantic, model.coarse_acoustics, model.fine_acoustics)
    weights = [tensor for part in parts for name, tensor in part.state_dict().items() if not name.endswith("attn.bias")]
    assert plan.weights == pytest.approx(sum(tensor.nbytes for tensor in weights), rel=0.05)


@pytest.mark.parametrize("kind", [PUBLISHED, OTHER], ids=["published", "other"])
def test_heads_of_steps_are_near_the_float_ones(kind: dict[str, Any]) -> None:
    model = tiny_bark(**kind)
    exact, halved = tiny_engine(model)._stages, an_engine(model)._stages
    for one, other in ((exact.semantic, halved.semantic), (exact.coarse, halved.coarse)):
        x = torch.randn(5, one.embeddings.shape[1])
        assert len(one.heads) == len(other.heads)
        for head, small in zip(one.heads, other.heads, strict=True):
            assert small.nbytes * 2 == head.nbytes
            assert 0 < (small(x) - head(x)).norm() < 1e-3 * head(x).norm()


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
