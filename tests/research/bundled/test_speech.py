"""Stretches of clips are found by arithmetic; here they are found by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidInput
from research.bundled.layout import BOOKS
from research.bundled.speech import Joined, SpeechTokens, draw_joined


def some_speech(lengths: list[int], speakers: list[str]) -> SpeechTokens:
    """Clips whose semantic tokens count up through all of them, in order of speaker."""
    semantic, codes, begin = [], [], 0
    for length in lengths:
        semantic.append(np.arange(begin, begin + length, dtype=np.uint16))
        codes.append(np.tile(semantic[-1] % 512, (BOOKS, 1)))
        begin += length
    return SpeechTokens.of(semantic, codes, codes, speakers, [f"text {number}" for number in range(len(lengths))])


def test_clips_lie_by_speaker() -> None:
    speech = some_speech([4, 3, 2], ["b", "a", "b"])

    assert speech.semantic.tolist() == [4, 5, 6, 0, 1, 2, 3, 7, 8]
    assert speech.speakers.tolist() == [0, 1, 1]
    assert speech.texts == ["text 1", "text 0", "text 2"]
    assert speech.starts.tolist() == [0, 3, 7]


def test_what_one_kind_of_token_has_too_many_is_left_out() -> None:
    codes, prompts = [np.zeros((BOOKS, 4), np.uint16)], [np.zeros((BOOKS, 3), np.uint16)]
    speech = SpeechTokens.of([np.arange(5, dtype=np.uint16)], codes, prompts, ["a"], ["x"])
    assert speech.semantic.tolist() == [0, 1, 2]
    assert speech.codes.shape == speech.prompts.shape == (BOOKS, 3)


def test_a_prompt_has_the_encoders_codes() -> None:
    codes, prompts = [np.full((BOOKS, 4), 1)], [np.full((BOOKS, 4), 2)]
    speech = SpeechTokens.of([np.arange(4)], codes, prompts, ["a"], ["x"])
    found = speech.codes_at(np.array([[0, 1, 2]]), np.array([[True, True, False]]), 3)
    assert found.tolist() == [[[2] * 3, [2] * 3, [1] * 3]]


def test_no_clips_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no clips"):
        SpeechTokens.of([], [], [], [], [])


def test_another_clip_of_the_speaker_is_another_one_if_there_is_one() -> None:
    speech = some_speech([2] * 6, ["a", "b", "b", "c", "c", "c"])
    random = np.random.default_rng(0)
    clips = np.repeat(np.arange(6), 50)
    others = speech.of_same_speaker(random, clips)

    assert np.array_equal(speech.speakers[others], speech.speakers[clips])
    assert (others != clips)[50:].all()
    assert set(others[clips == 4]) == {3, 5}
    assert set(others[:50]) == {0}


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_rows_are_a_prompt_and_a_clip_of_one_speaker(seed: int, most: int, alone: float, whole: float) -> None:
    speech = some_speech([7, 20, 3, 40, 9], ["a", "a", "b", "b", "b"])
    rows = draw_joined(speech, np.random.default_rng(seed), 12, most_before=most, alone=alone, whole=whole)
    frames = np.tile(np.arange(rows.before.max() + rows.length.max() + 2), (12, 1))
    places, exists = rows.places(frames)

    assert (rows.before <= most).all()
    clip_of = np.repeat(np.arange(5), speech.lengths)
    for row in range(12):
        assert exists[row].sum() == rows.before[row] + rows.length[row]
        stretch = places[row][exists[row]]
        before, after = np.split(stretch, [rows.before[row]])
        assert after.tolist() == list(range(rows.start[row], rows.start[row] + rows.length[row]))
        if len(before):
            assert np.array_equal(before, np.arange(before[0], before[-1] + 1))
            assert len(set(clip_of[before])) == 1
            assert speech.speakers[clip_of[before[0]]] == speech.speakers[clip_of[after[0]]]


def test_frames_that_do_not_exist_are_told() -> None:
    rows = Joined(past=np.array([3]), before=np.array([2]), start=np.array([10]), length=np.array([2]))
    places, exists = rows.places(np.array([[0, 1, 2, 3, 4]]))
    assert places.tolist() == [[3, 4, 10, 11, 0]]
    assert exists.tolist() == [[True] * 4 + [False]]
