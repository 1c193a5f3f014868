"""Sentences of consent: they are new, and their words are found in what was heard."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from cloning.consent.sentences import VOCABULARY, WORDS, found_in_order, new_sentence, parts, tokens

DRAWN = st.lists(st.sampled_from(VOCABULARY), min_size=WORDS, max_size=WORDS, unique=True)


def test_no_word_sounds_like_another() -> None:
    assert len(set(VOCABULARY)) == len(VOCABULARY) >= 60
    alike = [
        (one, other)
        for place, one in enumerate(VOCABULARY)
        for other in VOCABULARY[place + 1 :]
        if Levenshtein.normalized_similarity(one, other) >= 0.7
    ]
    assert alike == []
    assert all(word == word.lower() and word.isalpha() for word in VOCABULARY)


def test_a_sentence_states_and_draws_different_words() -> None:
    sentences = {new_sentence() for _ in range(50)}
    assert len(sentences) == 50
    for sentence in sentences:
        statement, drawn = parts(sentence)
        assert " ".join(statement) == "i agree to a copy of my voice"
        assert len(set(drawn)) == WORDS
        assert set(drawn) <= set(VOCABULARY)


def test_spelling_case_and_punctuation_do_not_matter() -> None:
    assert found_in_order(["harbor", "honey", "orange"], tokens("Harbour! Honey... and, oranges?")) == 3


def test_words_count_in_their_order_only() -> None:
    assert found_in_order(["apple", "river", "zebra"], ["zebra", "river", "apple"]) == 1
    assert found_in_order(["apple", "river", "zebra"], []) == 0
    assert found_in_order([], ["apple"]) == 0


@given(DRAWN, st.lists(st.text(max_size=8), max_size=10))
def test_words_are_found_among_others_and_never_more_than_were_wanted(drawn: list[str], others: list[str]) -> None:
    between = [part for word, other in zip(drawn, others + [""] * WORDS, strict=False) for part in (word, other)]
    assert found_in_order(drawn, between) == WORDS
    assert 0 <= found_in_order(drawn, others) <= min(WORDS, len(others))


@given(DRAWN, DRAWN)
def test_another_sentence_is_not_this_one(drawn: list[str], other: list[str]) -> None:
    same = [word for word in other if word in drawn]
    assert found_in_order(drawn, other) <= len(same)
    in_order = [drawn.index(word) for word in same]
    if all(one < two for one, two in pairwise(in_order)):
        assert found_in_order(drawn, other) == len(same)


@given(st.text())
def test_any_text_has_words_or_none(text: str) -> None:
    assert all(any(character.isalnum() for character in word) for word in tokens(text))
