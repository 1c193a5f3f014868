"""A step after a reading says what reading one token more says, in every precision, and rows know no other."""

import pytest
import torch

from cloning.bark.cache import KeyValueCache
from cloning.bark.model import Transformer
from tests.cloning.tiny_engine import tiny_bark

CPU = torch.device("cpu")
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.1}


@pytest.fixture(params=TOLERANCE, ids=str)
def transformer(request: pytest.FixtureRequest) -> Transformer:
    return Transformer(tiny_bark(heads=4).semantic.to(request.param))


@torch.inference_mode()
def test_a_step_is_a_reading_of_one_more(transformer: Transformer) -> None:
    torch.manual_seed(0)
    x = torch.randn(30, transformer.shape.width).to(transformer.dtype)
    cache = KeyValueCache(transformer.shape, 3, transformer.dtype, CPU)
    wanted = transformer.read(x, cache, 0)
    transformer.read(x[:-1], cache, 2)
    stepped = transformer.step(x[-1:], cache, [2], [29])
    assert stepped.dtype == transformer.dtype
    torch.testing.assert_close(stepped, wanted, rtol=0.02, atol=TOLERANCE[transformer.dtype])
    torch.testing.assert_close(cache.keys[:, 2], cache.keys[:, 0], rtol=0.02, atol=TOLERANCE[transformer.dtype])


@torch.inference_mode()
def test_rows_of_any_length_step_together_as_alone(transformer: Transformer) -> None:
    if not all(linear.packed for layer in transformer._layers for linear in layer.linears):
        pytest.skip("this processor has no kernel for it")
    torch.manual_seed(0)
    lengths, slots = [3, 250, 77, 1, 40, 200], [5, 0, 3, 1, 4, 2]
    cache = KeyValueCache(transformer.shape, 6, transformer.dtype, CPU)
    for length, slot in zip(lengths, slots, strict=True):
        transformer.read(torch.randn(length, transformer.shape.width).to(transformer.dtype), cache, slot)
    x = torch.randn(6, transformer.shape.width).to(transformer.dtype)
    together = transformer.step(x, cache, slots, lengths)
    for row, (slot, length) in enumerate(zip(slots, lengths, strict=True)):
        assert torch.equal(transformer.step(x[row : row + 1], cache, [slot], [length]), together[row : row + 1])


def test_half_precision_is_kept_in_half_and_looked_at_in_float32() -> None:
    shape = Transformer(tiny_bark().semantic).shape
    cache = KeyValueCache(shape, 2, torch.bfloat16, CPU)
    pairs = torch.randn(1, 2, shape.heads, shape.head_width).to(torch.bfloat16)
    cache.append(1, [1], [7], pairs)
    keys, values = cache.row(1, 1, 8)
    assert cache.keys.dtype == torch.bfloat16
    assert keys.dtype == values.dtype == torch.float32
    assert torch.equal(keys[0, :, 7], pairs[0, 0].float())
    assert torch.equal(values[0, :, 7], pairs[0, 1].float())
    assert not keys[:, :, :7].any()
