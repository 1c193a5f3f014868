"""Numbers are written out in sentences that the recipe can pronounce, and are the same every time."""

import random
import re

import pytest

from research.bundled import number_phrases
from research.bundled.number_phrases import number_sentences
from research.bundled.phones import Pronouncer
from research.bundled.texts import is_clean
from training.shards import split_of


def test_they_are_plenty_distinct_and_the_same_every_time() -> None:
    made = number_sentences()

    assert made == number_sentences()
    assert len(made) == len(set(made)) > 4_000
    assert {split_of(sentence) for sentence in made} == {"train", "valid", "test"}


def test_they_are_written_out_and_short_enough_to_say() -> None:
    for sentence in number_sentences():
        assert re.fullmatch(r"[A-Z][a-z' ,-]*(?:[A-Z][a-z' ,-]*)*[.?!]", sentence), sentence
        assert is_clean(sentence), sentence


def test_they_can_be_pronounced() -> None:
    pronounce = Pronouncer()
    for sentence in number_sentences()[::40]:
        assert pronounce(sentence), sentence


@pytest.mark.parametrize(
    ("slot", "some"),
    [
        ("ordinal", {"first", "third", "twenty-first", "thirtieth"}),
        ("year", {"nineteen eighty-four", "two thousand and one"}),
        ("clock", {"seven o'clock", "a quarter past nine", "eight oh five", "twelve forty-five"}),
        ("small", {"two", "ninety-nine"}),
    ],
)
def test_a_slot_reads_numbers_as_people_do(slot: str, some: set[str]) -> None:
    draw = random.Random(0)

    assert some <= {number_phrases._SLOTS[slot](draw) for _ in range(5_000)}
