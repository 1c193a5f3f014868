"""Bootstrap intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.metrics.statistics import estimate, mean, share


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=12))
def test_an_interval_lies_within_the_values_and_around_most_means(values: list[float]) -> None:
    found = estimate(values, mean)
    assert found is not None
    assert found.count == len(values)
    assert min(values) - 1e-6 <= found.low <= found.high <= max(values) + 1e-6
    assert found.value == pytest.approx(np.mean(values), abs=1e-6)


def test_it_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    intervals = [estimate(random.normal(3, 1, 40).tolist(), mean) for _ in range(60)]
    covered = [found is not None and found.low <= 3 <= found.high for found in intervals]
    assert np.mean(covered) > 0.8


def test_whole_groups_are_drawn() -> None:
    items = [(speaker, float(speaker)) for speaker in range(4) for _ in range(50)]

    def value(some: "list[tuple[int, float]] | object") -> float | None:
        return mean([number for _, number in some])  # type: ignore[union-attr]  # pairs, as above

    alone = estimate(items, value)
    grouped = estimate(items, value, lambda item: item[0])
    assert alone is not None
    assert grouped is not None
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_the_same_items_give_the_same_interval() -> None:
    assert estimate([1.0, 2.0, 5.0], mean) == estimate([1.0, 2.0, 5.0], mean)


def test_nothing_has_no_figure() -> None:
    assert estimate([], mean) is None
    assert estimate([1], lambda _: None) is None
    assert mean([]) is None
    assert share([True, False, False, False]) == 0.25
