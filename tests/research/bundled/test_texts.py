"""Sentences are clean, distinct, plenty, and the same on every machine."""

import hashlib
import re
from importlib import util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import Unavailable
from research.bundled import texts
from research.bundled.phrases import phrases
from training.shards import split_of


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    return texts.sentences()


def test_there_are_plenty_and_none_twice(sentences: list[str]) -> None:
    assert len(sentences) > 60_000
    assert len(set(sentences)) == len(sentences)


def test_they_never_change(sentences: list[str]) -> None:
    digest = hashlib.sha256("\n".join(sentences).encode()).hexdigest()

    assert digest[:16] == "fb41e4e8f6e7cbb1"


def test_they_can_be_read_aloud(sentences: list[str]) -> None:
    assert all(re.fullmatch(r"[A-Z][A-Za-z' ,;:-]+[.?!]", sentence) for sentence in sentences)
    assert all(16 <= len(sentence) <= 120 for sentence in sentences)
    assert 2.5 < sum(map(len, sentences)) / len(sentences) / 15 < 4.0  # seconds


def test_some_of_all_kinds_are_held_out(sentences: list[str]) -> None:
    for part in (sentences[:10_000], sentences[-10_000:]):
        splits = [split_of(sentence) for sentence in part]
        assert min(splits.count("test"), splits.count("valid")) > 300


def test_every_word_is_there_more_than_once(sentences: list[str]) -> None:
    words = [word for sentence in sentences for word in texts.words(sentence)]

    assert min(words.count(word) for word in texts.words("A winner is a contestant who wins the contest.")) >= 3


def test_offensive_words_are_left_out(sentences: list[str]) -> None:
    said = {word for sentence in sentences for word in texts.words(sentence)}

    assert said.isdisjoint({"shit", "bastard", "redskin"})
    assert {"dog", "house", "speak", "voice"} <= said


@pytest.mark.parametrize(
    "sentence",
    [
        "Too short.",
        "No end to this sentence",
        "there is no capital letter here.",
        "It has 12 digits in it.",
        "A word in CAPITALS is here.",
        "An abbreviation, e.g. this one.",
        "Apples, pears etc are fruit.",
        "Brackets (like these) are hard to read.",
        "An initial like J is not a word.",
        "One sentence. And then another one.",
        "Incomprehensibilities are no longer words.",
        "This sentence goes on and on " + "and on " * 20 + "until it is far too long.",
    ],
)
def test_what_is_hard_to_read_is_not_clean(sentence: str) -> None:
    assert not texts.is_clean(sentence)


@pytest.mark.parametrize(
    "sentence", ["I don't know, do you?", "A twenty-one year old dog: mine!", "Is it a cat or not?"]
)
def test_plain_sentences_are_clean(sentence: str) -> None:
    assert texts.is_clean(sentence)


@given(st.text())
def test_anything_can_be_judged(sentence: str) -> None:
    assert texts.is_clean(sentence) in (True, False)


def test_phrases_are_filled_and_the_same_every_time() -> None:
    made = list(phrases())

    assert made == list(phrases())
    assert len(set(made)) > 8_000
    assert not any(set("{}|") & set(phrase) for phrase in made)
    assert not any(re.search(r"\b[Aa] [aeiou]", phrase) for phrase in made)


def test_missing_files_are_a_plain_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    texts._lines.cache_clear()

    with pytest.raises(Unavailable, match="WordNet is missing"):
        texts.sentences()
