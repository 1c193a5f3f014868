"""What counts as a yes."""

from dataclasses import replace
from typing import Any

import pytest

from cloning.consent.answer import LEAST_LIKENESS, LEAST_PART, LEAST_WORDS, MOST_HEARD, SpokenAnswer

YES = SpokenAnswer("", LEAST_WORDS, 5, 0.5, 1.0, LEAST_LIKENESS, weakest=LEAST_PART, is_generated=False)


def test_the_limits_themselves_count() -> None:
    assert YES.counts


@pytest.mark.parametrize(
    "change",
    [
        {"words": LEAST_WORDS - 1},
        {"statement": 0.49},
        {"length": MOST_HEARD + 0.1},
        {"likeness": LEAST_LIKENESS - 0.001},
        {"weakest": LEAST_PART - 0.001},
        {"is_generated": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_shortcoming_alone_is_a_no(change: dict[str, Any]) -> None:
    assert not replace(YES, **change).counts
