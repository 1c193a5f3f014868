"""Bootstrap confidence intervals over groups, such as all results of one speaker."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

DRAWS = 1000
LEVEL = 0.95

Item = TypeVar("Item")


@dataclass(frozen=True)
class Estimate:
    """A figure, the ends of its confidence interval at LEVEL, and the number of items."""

    value: float
    low: float
    high: float
    count: int


def estimate(
    items: Sequence[Item],
    statistic: Callable[[Sequence[Item]], float | None],
    group: Callable[[Item], Hashable] | None = None,
) -> Estimate | None:
    """Return `statistic` of the items, with the percentile interval of the bootstrap (B. Efron, 1979).

    Whole groups are drawn, since the results of one speaker are not independent; without `group`, each item is a group.
    Return None without items or if `statistic` is None. Deterministic.
    """
    value = statistic(items) if items else None
    if value is None:
        return None
    groups: dict[Hashable, list[Item]] = {}
    for number, item in enumerate(items):
        groups.setdefault(number if group is None else group(item), []).append(item)
    drawn = _drawn(list(groups.values()), statistic)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if drawn else (value, value)
    return Estimate(value, float(low), float(high), len(items))


def mean(values: Sequence[float]) -> float | None:
    """Return the arithmetic mean; None without values."""
    return float(np.mean(values)) if values else None


def share(truths: Sequence[bool]) -> float | None:
    """Return the share of true values, 0..1; None without values."""
    return mean([float(truth) for truth in truths])


def _drawn(groups: list[list[Item]], statistic: Callable[[Sequence[Item]], float | None]) -> list[float]:
    random = np.random.default_rng(0)
    values = []
    for picks in random.integers(0, len(groups), (DRAWS, len(groups))):
        value = statistic([item for pick in picks for item in groups[pick]])
        if value is not None:
            values.append(value)
    return values
