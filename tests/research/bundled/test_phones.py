"""Semantic tokens say which phone sounds when, exactly, and can be read back."""

import json
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.bundled import phones
from research.bundled.phones import (
    END,
    PAUSE_BASE,
    SEMANTIC_SIZE,
    START,
    THIRDS,
    UNITS,
    Pronouncer,
    frame_tokens,
    segment,
)

SYMBOLS = "ˈˌ əɐᵊᵻɪiæʌɛɔɑAIOuɜWʊYɹntlskdmðzpvfbwŋhTʃjɡʤʧθʒ,.?!;:—…"
sentences = st.text(SYMBOLS, min_size=1, max_size=60)


@st.composite
def timed(draw: st.DrawFn) -> tuple[str, np.ndarray]:
    text = draw(sentences)
    durations = st.lists(st.integers(1, 12), min_size=len(text) + 2, max_size=len(text) + 2)
    return text, np.array(draw(durations))


@given(timed())
def test_tokens_last_as_long_as_the_phonemes(case: tuple[str, np.ndarray]) -> None:
    said = frame_tokens(*case)

    assert len(said.tokens) == len(said.word) == int(case[1].sum()) * 50 // 40
    assert said.tokens.dtype == np.uint16
    assert said.tokens.max() < SEMANTIC_SIZE
    assert (said.tokens[0], said.tokens[-1]) == (START, END)
    assert np.all(np.diff(said.word) >= 0)
    assert said.word[-1] == case[0].count(" ")


@given(timed())
def test_long_enough_phones_are_read_back(case: tuple[str, np.ndarray]) -> None:
    text, durations = case

    codes = segment(text).codes.tolist()
    once = [code for code, before in zip(codes, [None, *codes], strict=False) if code < PAUSE_BASE or code != before]
    assert phones.collapse(frame_tokens(text, 4 * durations).tokens) == once  # two pauses of a kind are one


@given(timed())
def test_each_unit_runs_through_its_thirds(case: tuple[str, np.ndarray]) -> None:
    tokens = frame_tokens(case[0], 3 * case[1]).tokens.astype(int)
    codes, thirds = phones.codes_of(tokens), np.where(tokens < PAUSE_BASE, tokens % THIRDS, 0)
    steps = np.diff(thirds)[(codes[1:] == codes[:-1]) & (np.diff(thirds) >= 0)]

    assert set(steps.tolist()) <= {0, 1}


def test_tokens_of_a_known_word() -> None:
    #                 start  h  ə  l  ˈ  O  .  end
    durations = np.array([4, 2, 2, 2, 1, 5, 4, 4])

    said = frame_tokens("həlˈO.", durations)

    assert phones.spelled(phones.collapse(said.tokens)) == "_ h ə l ˈO . _"
    assert len(said.tokens) == 30
    assert said.tokens.tolist()[:5] == [START] * 5


def test_a_stress_mark_reaches_its_vowel_over_consonants() -> None:
    assert phones.spelled(segment("ˈstɑp").codes.tolist()) == "_ s t ˈɑ p _"
    assert phones.spelled(segment("ˌɪn").codes.tolist()) == "_ ˈɪ n _"
    assert phones.spelled(segment("ˈəp ɪn").codes.tolist()) == "_ ə p ɪ n _"


def test_words_are_counted_by_spaces() -> None:
    word = frame_tokens("A b, k.", np.full(9, 4)).word

    assert word.tolist() == [0] * 15 + [1] * 15 + [2] * 15


def test_there_are_as_many_tokens_as_said() -> None:
    assert len(set(UNITS)) == len(UNITS)
    assert THIRDS * len(UNITS) + 6 == SEMANTIC_SIZE
    assert END == SEMANTIC_SIZE - 1


def test_every_symbol_has_an_id_for_the_synthesiser() -> None:
    vocabulary = json.loads(files("hibari").joinpath("assets/vocab.json").read_text("utf-8"))

    assert set(SYMBOLS) <= vocabulary.keys()


def test_phone_error_counts_edits_and_not_silences() -> None:
    one, other = (frame_tokens(text, np.full(len(text) + 2, 4)).tokens for text in ("həlˈO ðˈɛɹ.", "həlˈO, ðˈɛ"))

    assert phones.phone_error([(one, one)]) == 0
    assert phones.phone_error([(one, other)]) == pytest.approx(1 / 7)
    assert phones.phone_error([(one, other), (one, one)]) == pytest.approx(1 / 14)
    assert phones.phone_error([]) == 0
    assert phones.phones(np.array([START, END])) == []


@pytest.fixture(scope="module")
def pronounce() -> Pronouncer:
    return Pronouncer()


def test_words_are_pronounced_by_their_part_of_speech(pronounce: Pronouncer) -> None:
    noun, verb = pronounce("The record is old."), pronounce("We record it.")

    assert noun is not None and "ɹˈɛkəɹd" in noun
    assert verb is not None and "ɹəkˈɔɹd" in verb


@pytest.mark.parametrize("text", ["The blorptwix is here.", "Prince Edward Island is small."])
def test_what_cannot_be_said_for_sure_is_refused(pronounce: Pronouncer, text: str) -> None:
    assert pronounce(text) is None
