"""Attention to keys and values in float16: nearly that to float32, of each row by itself, whatever else lies there."""

import pytest
import torch

from cloning.bark.cache import Cache, HalfCache, KeyValueCache
from cloning.bark.config import Shape

SHAPE = Shape(layers=2, heads=4, width=64, block=300)
CPU = torch.device("cpu")


def both(slots: int = 3) -> tuple[KeyValueCache, HalfCache]:
    return KeyValueCache(SHAPE, slots, torch.float32, CPU), HalfCache(SHAPE, slots)


def attended(cache: Cache, slots: list[int], lengths: list[int], queries: torch.Tensor) -> torch.Tensor:
    into = torch.zeros(len(queries), SHAPE.width)
    cache.attend(1, slots, lengths, queries, into)
    return into


@torch.inference_mode()
@pytest.mark.parametrize("length", [1, 2, 127, 128, 129, 257, 300])
def test_it_is_nearly_float32(length: int) -> None:
    torch.manual_seed(0)
    exact, half = both()
    keys, values = torch.randn(2, SHAPE.heads, length - 1, SHAPE.head_width)
    last = torch.randn(1, 2, SHAPE.heads, SHAPE.head_width)
    for cache in (exact, half):
        cache.write(1, 2, keys, values)
        cache.append(1, [2], [length - 1], last)
    queries = torch.randn(1, SHAPE.heads, SHAPE.head_width)
    wanted, found = (attended(cache, [2], [length], queries) for cache in (exact, half))
    assert 0 < (found - wanted).norm() < 0.002 * wanted.norm()


@torch.inference_mode()
def test_rows_do_not_depend_on_others_or_on_what_lay_there() -> None:
    torch.manual_seed(0)
    cache = HalfCache(SHAPE, 3)
    lengths, slots = [300, 5, 130], [1, 0, 2]
    for slot in slots:
        cache.write(1, slot, *torch.randn(2, SHAPE.heads, 300, SHAPE.head_width))
    queries = torch.randn(4, SHAPE.heads, SHAPE.head_width)  # one more than slots, as a step fills up
    together = attended(cache, slots, lengths, queries)
    assert not together[3].any()
    for row, (slot, length) in enumerate(zip(slots, lengths, strict=True)):
        assert torch.equal(attended(cache, [slot], [length], queries[row : row + 1])[0], together[row])
    shorter = HalfCache(SHAPE, 1)
    shorter.write(1, 0, cache.keys[1, 0, :, :, :5].transpose(1, 2), cache.values[1, 0, :, :5])
    assert torch.equal(attended(shorter, [0], [5], queries[1:2])[0], together[1])


@torch.inference_mode()
def test_the_number_of_threads_changes_nothing() -> None:
    torch.manual_seed(0)
    cache = HalfCache(SHAPE, 1)
    cache.write(1, 0, *torch.randn(2, SHAPE.heads, 300, SHAPE.head_width))
    queries, before, found = torch.randn(1, SHAPE.heads, SHAPE.head_width), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(attended(cache, [0], [300], queries))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_it_takes_half_the_bytes() -> None:
    exact, half = both()
    assert 2 * (half.keys.nbytes + half.values.nbytes) == exact.keys.nbytes + exact.values.nbytes
