"""210 items in Bark's languages as people read them, and what must hold for any text."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.text.normalisation import normalise
from cloning.text.splitting import LANGUAGES

ITEMS = [line.split("\t") for line in Path(__file__).with_name("spoken.tsv").read_text("utf-8").splitlines()]
"""Language, written, and one or more readings."""

LANGUAGE = st.sampled_from(sorted(LANGUAGES))
SIGNS = "0123456789 .,:;-–/%$€£°CkmghK+=#@&'()[]♪½ºª№万年月日시개maiMaystndrhUhrz.B\n٣५"
TAG = re.compile(r"\[[^\[\]\n]{1,40}\]")


@pytest.mark.parametrize("item", ITEMS, ids=["-".join(item[:2]) for item in ITEMS])
def test_a_text_is_read_as_people_read_it(item: list[str]) -> None:
    language, written, *readings = item
    assert normalise(written, language) in readings


def test_every_language_has_its_items() -> None:
    assert {item[0] for item in ITEMS} == set(LANGUAGES)
    assert len(ITEMS) >= 200


@given(st.text(SIGNS, max_size=60) | st.text(max_size=40), LANGUAGE)
def test_no_digit_is_left_and_a_second_time_changes_nothing(written: str, language: str) -> None:
    spoken = normalise(written, language)
    assert not re.search(r"\d", TAG.sub("", spoken))
    assert normalise(spoken, language) == spoken


@given(
    st.lists(
        st.sampled_from(["[laughs]", "[2 claps]", "♪", "WOW", "NASA", "hello", "…", "—", "café", "don't"]), max_size=20
    )
)
def test_tags_songs_capitals_and_plain_words_pass_untouched(words: list[str]) -> None:
    text = " ".join(words)
    assert normalise(text, "en") == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_more_digits_than_have_a_name_are_read_one_by_one(language: str) -> None:
    spoken = normalise("7" * 195, language)
    assert len(spoken) >= 195
    assert len(set(spoken.replace(" ", ""))) <= 5


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("It is 5 p.m. She left.", "It is five p m. She left."),
        ("apples, pears, etc. They ate.", "apples, pears, et cetera. They ate."),
        ("Dr. No said no. 5 times", "Doctor No said number five times"),
        ("St. Mary", "St. Mary"),
        ("the mp3 of B2B", "the mp three of B two B"),
        ("call +1 555 123 4567", "call plus one, five five five, one two three, four five six seven"),
        ("13/25/2026", "thirteen over twenty-five over twenty twenty-six"),
        ("at 0:30 and 24:00", "at zero thirty and twenty-four hundred"),
        ("a-5 and x -5", "a-five and x minus five"),
    ],
)
def test_what_is_near_to_a_rule(written: str, spoken: str) -> None:
    assert normalise(written, "en") == spoken
