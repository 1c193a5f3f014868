"""Word errors, and one sentence through the real recogniser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.media.audio import read_clip
from errors import Unavailable
from research.metrics.recogniser import Whisper, WordErrors, recognise, word_error_rate, word_errors
from tests.test_architecture import ROOT

WORDS = st.lists(st.sampled_from(["red", "lorry", "yellow", "bar", "story"]), min_size=1, max_size=8)


def test_forms_of_numbers_case_and_punctuation_are_no_errors() -> None:
    assert word_errors("Twenty-one bottles, don't you think?", "21 bottles do not you think") == WordErrors(0, 6)


def test_every_kind_of_error_counts_once() -> None:
    assert word_errors("red lorry yellow lorry", "red lorry lorry yellow").wrong == 2
    assert word_errors("red lorry", "red lorry and more") == WordErrors(2, 2)
    assert word_errors("red lorry", "") == WordErrors(2, 2)


def test_what_is_heard_where_nothing_was_said_is_wrong() -> None:
    assert word_errors("...", "thank you") == WordErrors(2, 0)


@given(WORDS, WORDS)
def test_errors_are_bounded_by_the_lengths(said: list[str], heard: list[str]) -> None:
    errors = word_errors(" ".join(said), " ".join(heard))
    assert errors.words == len(said)
    assert abs(len(said) - len(heard)) <= errors.wrong <= max(len(said), len(heard))
    assert (errors.wrong == 0) == (said == heard)


def test_the_rate_weighs_long_sentences_more() -> None:
    assert word_error_rate([("one", "red"), ("red lorry yellow", "red lorry yellow")]) == pytest.approx(1 / 4)


def test_other_languages_keep_their_letters() -> None:
    assert word_errors("Grüße, Jürgen!", "grüße jürgen", "de") == WordErrors(0, 2)


def test_hindi_keeps_its_vowel_signs() -> None:
    assert word_errors("मेरी किताब!", "मेरा किताब", "hi") == WordErrors(1, 2)
    assert word_errors("मेरी किताब!", "मेरी किताब", "hi") == WordErrors(0, 2)


def test_turkish_has_two_letters_i() -> None:
    assert word_errors("İYİ IŞIK", "iyi ışık", "tr") == WordErrors(0, 2)


@pytest.mark.parametrize(
    ("language", "said", "heard"),
    [("ja", "今日は雨です。", "今日は雷です"), ("zh", "今天下雨了！", "今天下雪了")],
)
def test_characters_count_where_words_are_not_spaced(language: str, said: str, heard: str) -> None:
    assert word_errors(said, heard, language) == WordErrors(1, len(heard))


def test_what_is_in_brackets_is_no_speech() -> None:
    assert word_errors("Na ja [laughs] (leise)", "na ja", "de") == WordErrors(0, 2)


def test_whisper_hears_what_is_said() -> None:
    clip = read_clip(ROOT / "simulator" / "media" / "reference.flac")
    heard = recognise(clip.samples, clip.sample_rate)
    assert word_errors("Pull up a chair and tell me a story.", heard[-40:]).rate < 0.3


def test_the_english_model_refuses_other_languages() -> None:
    with pytest.raises(Unavailable, match="only supports English"):
        Whisper(language="de")


def test_a_folder_without_a_recogniser_is_named() -> None:
    with pytest.raises(Unavailable, match="/nowhere/at/all"):
        Whisper("/nowhere/at/all")
