"""Names as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.names import fold
from studio.names import near, rank

NAMES = ["Ann", "Anna Lee", "Zoë", "Grandpa Joe", "English speaker 6", "English speaker 7"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("zoe", "Zoë"),
        ("anna", "Anna Lee"),
        ("grand", "Grandpa Joe"),
        ("joe", "Grandpa Joe"),
        ("grampa joe", "Grandpa Joe"),
        ("speaker 6", "English speaker 6"),
    ],
)
def test_what_comes_near_is_offered_first(typed: str, offered: str) -> None:
    assert near(typed, NAMES)[0] == offered


@pytest.mark.parametrize("typed", ["nobody", "", "!!!", "😀"])
def test_nothing_is_offered_when_nothing_is_near(typed: str) -> None:
    assert near(typed, NAMES) == []


def test_near_names_are_offered_most_alike_first() -> None:
    assert near("Ana", NAMES)[0] == "Ann"
    assert near("qqqqqq", NAMES) == []
    assert len(near("English speaker", NAMES, count=1)) == 1


def test_search_puts_beginnings_before_middles_and_all_for_nothing() -> None:
    assert rank("", NAMES) == list(range(len(NAMES)))
    assert [NAMES[index] for index in rank("an", NAMES)][:2] == ["Ann", "Anna Lee"]
    assert "Grandpa Joe" in [NAMES[index] for index in rank("an", NAMES)]
    assert rank("qqqqqq", NAMES) == []


def test_a_text_without_end_costs_no_more_than_a_long_name() -> None:
    names = ["a" * 32] * 200
    assert rank("ab" * 50_000, names) == rank("ab" * 50, names)
    assert len(fold("ab" * 50_000)) == 100


@given(st.text(max_size=50), st.lists(st.text(min_size=1, max_size=20), max_size=8))
def test_any_text_is_safe(typed: str, names: list[str]) -> None:
    assert set(rank(typed, names)) <= set(range(len(names)))
    assert set(near(typed, names)) <= set(names)


@given(st.lists(st.text(alphabet="abcdef", min_size=1, max_size=8), min_size=1, max_size=8, unique=True))
def test_a_name_that_fits_best_is_among_the_offered(names: list[str]) -> None:
    for name in names:
        assert name in near(name.upper(), names, count=len(names))
        assert fold(name) == name
