"""What is held out shares neither speaker nor text with what is learned from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import InvalidInput
from training.held_out import split_clips


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_no_text_is_on_both_sides_and_no_speaker_if_there_are_enough(seed: int, voices: int, sentences: int) -> None:
    random = np.random.default_rng(seed)
    speakers = [f"speaker {one}" for one in random.integers(0, voices, 80)]
    texts = [f"text {one}" for one in random.integers(0, sentences, 80)]
    try:
        division = split_clips(speakers, texts)
    except InvalidInput:
        return

    assert not {texts[place] for place in division.train} & {texts[place] for place in division.valid}
    if division.by_speaker:
        assert not {speakers[place] for place in division.train} & {speakers[place] for place in division.valid}


def test_random_speakers_are_divided_and_nothing_is_lost() -> None:
    names = [str(number) for number in range(300)]

    division = split_clips([f"s{name}" for name in names], names)

    assert division.by_speaker
    assert sorted([*division.train, *division.valid]) == list(range(300))
    assert 20 < len(division.valid) < 80


def test_a_clip_stays_on_its_side_when_more_are_made() -> None:
    names = [str(number) for number in range(300)]

    few, many = split_clips(names[:200], names[:200]), split_clips(names, names)

    assert few.valid == tuple(place for place in many.valid if place < 200)


def test_one_voice_leaves_texts_to_hold_out() -> None:
    names = [str(number) for number in range(100)]

    division = split_clips(["one"] * 100, names)

    assert not division.by_speaker
    assert division.valid


def test_too_few_clips_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Make more clips"):
        split_clips(["a"], ["b"])
    with pytest.raises(InvalidInput, match="0 clips are too few"):
        split_clips([], [])
