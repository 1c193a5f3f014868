"""Names as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.name_search import choose, fold, near, rank

NAMES = ["Ann", "Anna Lee", "Zoë", "Grandpa Joe", "English speaker 6", "English speaker 7"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("ann", "Ann"),
        ("ANNA LEE", "Anna Lee"),
        ("annalee", "Anna Lee"),
        ("anna", "Anna Lee"),
        ("zoe", "Zoë"),
        ("ZOË", "Zoë"),
        ("grand", "Grandpa Joe"),
        ("joe", "Grandpa Joe"),
        ("grandpa jo", "Grandpa Joe"),
        ("grampa joe", "Grandpa Joe"),
        ("speaker 6", "English speaker 6"),
    ],
)
def test_a_name_is_found_however_it_is_typed(typed: str, found: str) -> None:
    index = choose(typed, NAMES)
    assert index is not None
    assert NAMES[index] == found


@pytest.mark.parametrize("typed", ["an", "english", "speaker", "nobody", "", "!!!", "😀"])
def test_nothing_is_guessed_when_several_or_none_could_be_meant(typed: str) -> None:
    assert choose(typed, NAMES) is None


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
    index = choose(typed, names)
    assert index is None or 0 <= index < len(names)
    assert set(rank(typed, names)) <= set(range(len(names)))
    assert set(near(typed, names)) <= set(names)


@given(st.lists(st.text(alphabet="abcdef", min_size=1, max_size=8), min_size=1, max_size=8, unique=True))
def test_an_exact_name_is_always_found(names: list[str]) -> None:
    for index, name in enumerate(names):
        assert choose(name.upper(), names) == index
        assert fold(name) == name
