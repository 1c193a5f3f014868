"""What both smaller formats of matrices have in common: their size, their heads, and that a row knows no other."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from cloning.bark.engine import GenerationOptions, Utterance
from cloning.bark.linear import half_is_supported, halve, int8_is_supported, quantise
from cloning.bark.model import Transformer
from cloning.bark.precision import HALF_MATRICES, PRECISIONS, Precision
from cloning.progress import ProgressReporter
from tests.cloning.tiny_engine import OTHER, PUBLISHED, a_voice, silent_engine, tiny_bark, tiny_engine


@dataclass(frozen=True)
class Format:
    """`smaller`: how many times as small as float32. `error`: the most that a head may be off, of its norm."""

    change: Callable[[Any], None]
    precision: Precision
    smaller: int
    error: float


def _unless(supported: bool) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not supported, reason="this processor has no instructions for it")


@pytest.fixture(
    params=[
        pytest.param(Format(quantise, PRECISIONS["int8"], 4, 0.02), id="int8", marks=_unless(int8_is_supported())),
        pytest.param(Format(halve, HALF_MATRICES, 2, 1e-3), id="float16", marks=_unless(half_is_supported())),
    ]
)
def small(request: pytest.FixtureRequest) -> Format:
    chosen: Format = request.param
    return chosen


def test_a_model_keeps_a_part_of_its_matrices_bytes(small: Format) -> None:
    model = tiny_bark()
    size = Transformer(copy.deepcopy(model.semantic)).nbytes
    small.change(model)
    changed = Transformer(model.semantic)
    assert changed.nbytes * small.smaller == size
    assert changed.dtype == torch.float32
    assert model.semantic.layers[0].attn.att_proj.weight is None


def test_the_plan_of_memory_counts_what_is_smaller(small: Format) -> None:
    model = tiny_bark()
    plan = small.precision.plan(model.config.to_dict(), batch=3)
    small.change(model)
    parts = (model.semantic, model.coarse_acoustics, model.fine_acoustics)
    weights = [tensor for part in parts for name, tensor in part.state_dict().items() if not name.endswith("attn.bias")]
    assert plan.weights == pytest.approx(sum(tensor.nbytes for tensor in weights), rel=0.05)


@pytest.mark.parametrize("kind", [PUBLISHED, OTHER], ids=["published", "other"])
def test_heads_of_steps_are_near_the_float_ones(small: Format, kind: dict[str, Any]) -> None:
    model = tiny_bark(**kind)
    exact, changed = tiny_engine(model)._stages, silent_engine(model, small.change)._stages
    for one, other in ((exact.semantic, changed.semantic), (exact.coarse, changed.coarse)):
        x = torch.randn(5, one.embeddings.shape[1])
        assert len(one.heads) == len(other.heads)
        for head, smaller in zip(one.heads, other.heads, strict=True):
            assert smaller.nbytes * small.smaller == head.nbytes
            assert 0 < (smaller(x) - head(x)).norm() < small.error * head(x).norm()


def test_together_is_as_alone_to_the_last_bit(small: Format) -> None:
    engine = silent_engine(tiny_bark(), small.change)
    wanted = [
        Utterance("hello"[: number + 1], a_voice(engine, 20, seed=number), _options(number)) for number in range(4)
    ]
    together = engine.generate_many(wanted)
    for one, other in zip(wanted, together, strict=True):
        assert engine.generate(one.text, one.history, one.options, ProgressReporter()).prompt == other.prompt
    assert len({generated.prompt.coarse.tobytes() for generated in together}) == 4


def _options(number: int) -> GenerationOptions:
    return GenerationOptions(seed=number, max_semantic_tokens=8 + 5 * number, min_eos_p=0)
