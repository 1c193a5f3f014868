"""How tokens are drawn, against Suno's code said again in numpy."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor

from cloning.bark.sampling import END, BatchSampler, Sampler
from tests.cloning.tiny_engine import narrowed_by_suno

VOCABULARY = 40
CPU = torch.device("cpu")


def drawn_by_suno(logits: Tensor, sampler: Sampler, min_eos_p: float, end: int | None) -> int:
    probabilities = (narrowed_by_suno(logits, sampler.top_k, sampler.top_p) / (sampler.temperature or 1.0)).softmax(-1)
    if sampler.temperature == 0:
        token = int(logits.argmax())
    else:
        token = int(torch.multinomial(probabilities, 1, generator=sampler.generator))
    if end is not None and (token == end or (min_eos_p and probabilities[end] >= min_eos_p)):
        return END
    return token


def sampler(temperature: float, seed: int, top_k: int | None = None, top_p: float | None = None) -> Sampler:
    return Sampler(temperature, torch.Generator().manual_seed(seed), top_k, top_p)


def drawn(batch: BatchSampler, logits: Tensor, samplers: list[Sampler]) -> list[int]:
    """One draw of every row."""
    for slot, one in enumerate(samplers):
        batch.draw_noise(slot, one)
    keep_all = all(one.keeps_all for one in samplers)
    chosen: list[int] = batch.choose(logits, slice(0, len(samplers)), keep_all=keep_all).tolist()
    return chosen


@pytest.mark.parametrize("end", [None, VOCABULARY - 1])
@pytest.mark.parametrize(
    ("top_k", "top_p"), [(None, None), (1, None), (7, None), (999, None), (None, 0.3), (None, 1.0), (5, 0.8), (20, 0.2)]
)
@pytest.mark.parametrize("temperature", [0.3, 0.7, 1.0, 2.0])
def test_draws_are_sunos(temperature: float, top_k: int | None, top_p: float | None, end: int | None) -> None:
    torch.manual_seed(0)
    ours, theirs = (sampler(temperature, 5, top_k, top_p) for _ in range(2))
    batch = BatchSampler(1, VOCABULARY, end, CPU)
    batch.enter(0, ours, 0.15)
    logits = 3 * torch.randn(150, VOCABULARY)
    found = [drawn(batch, row[None], [ours])[0] for row in logits]
    assert found == [drawn_by_suno(row, theirs, 0.15, end) for row in logits]
    assert torch.equal(ours.generator.get_state(), theirs.generator.get_state())
    assert (END in found) == (end is not None)


def test_rows_draw_as_if_alone_each_in_its_own_way() -> None:
    torch.manual_seed(1)
    kinds = [(0.7, 0, None, None), (0.0, 1, 3, 0.5), (1.0, 2, 4, None), (0.5, 3, None, 0.6), (2.0, 4, 9, 0.9)]
    batch, alone = BatchSampler(5, VOCABULARY, 0, CPU), [sampler(*kind) for kind in kinds]
    together = [sampler(*kind) for kind in kinds]
    for slot, one in enumerate(together):
        batch.enter(slot, one, 0.2)
    for _ in range(100):
        logits = 2 * torch.randn(5, VOCABULARY)
        expected = []
        for row, one in zip(logits, alone, strict=True):
            # The end's probability is that of all tokens at temperature 0, where nothing is left out.
            plain = one if one.temperature else Sampler(0.0, one.generator)
            expected.append(drawn_by_suno(row, plain, 0.2, 0))
        assert drawn(batch, logits, together) == expected


@settings(max_examples=60)
@given(
    some.lists(some.floats(-30, 30, width=32), min_size=2, max_size=VOCABULARY, unique=True),
    some.integers(1, VOCABULARY),
    some.floats(0.01, 1.0),
)
def test_nothing_that_is_left_out_is_drawn_and_the_likeliest_always_can_be(
    values: list[float], top_k: int, top_p: float
) -> None:
    logits = torch.tensor(values)
    one = sampler(1.0, 0, top_k, top_p)
    batch = BatchSampler(1, len(values), None, CPU)
    batch.enter(0, one, 0.0)
    kept = batch._likeliest(logits[None], slice(0, 1))[0].isfinite()
    assert kept[logits.argmax()]
    assert 1 <= int(kept.sum()) <= top_k
    assert drawn(batch, logits[None], [one])[0] in kept.nonzero().ravel().tolist()


def test_temperature_0_takes_the_likeliest_whatever_is_left_out() -> None:
    one, plain = sampler(0.0, 0, 1, 0.01), sampler(0.0, 0)
    before = one.generator.get_state()
    for kind in (one, plain):
        batch = BatchSampler(1, 3, 2, CPU)
        batch.enter(0, kind, 0.3)
        assert drawn(batch, torch.tensor([[1.0, 2.0, 0.0]]), [kind]) == [1]
        assert drawn(batch, torch.tensor([[1.0, 2.0, 1.9]]), [kind]) == [END]  # likely enough, though not the likeliest
    assert torch.equal(one.generator.get_state(), before)
    assert one.keeps_all


def test_a_slot_forgets_who_had_it_before() -> None:
    batch, logits = BatchSampler(1, VOCABULARY, None, CPU), torch.randn(1, VOCABULARY)
    batch.enter(0, sampler(2.0, 0, 3, 0.5), 0.9)
    batch.enter(0, fresh := sampler(1.0, 4), 0.0)
    again = BatchSampler(1, VOCABULARY, None, CPU)
    again.enter(0, other := sampler(1.0, 4), 0.0)
    assert [drawn(batch, logits, [fresh]) for _ in range(20)] == [drawn(again, logits, [other]) for _ in range(20)]
