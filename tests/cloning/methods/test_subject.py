"""Tokens of a clip made into a prompt: the lengths, and whose fault it is when almost nothing is left."""

import numpy as np
import pytest

from cloning.methods.subject import prompt_of
from cloning.prompt import Tokens
from errors import InvalidInput, Unavailable
from tests.cloning.tones import SPEC


def semantic(seconds: float) -> Tokens:
    return np.zeros(SPEC.semantic_tokens(seconds), np.int64)


def codes(seconds: float) -> Tokens:
    return np.zeros((SPEC.fine_books, SPEC.frames(SPEC.semantic_tokens(seconds))), np.int64)


@pytest.mark.parametrize(("first", "second"), [(3.0, 2.0), (2.0, 3.0)])
def test_the_longer_one_loses_its_tail(first: float, second: float) -> None:
    prompt = prompt_of(semantic(first), codes(second), SPEC)
    assert prompt.seconds(SPEC.prompt) == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("tokens", [semantic(0.0), semantic(0.2), semantic(3.0)])
def test_a_clip_that_is_too_short_is_the_clips_error(tokens: Tokens) -> None:
    with pytest.raises(InvalidInput, match="too short"):
        prompt_of(tokens, codes(0.2), SPEC)


@pytest.mark.parametrize("tokens", [semantic(0.0), semantic(0.2)])
def test_a_model_that_gave_no_tokens_for_a_long_clip_is_not(tokens: Tokens) -> None:
    with pytest.raises(Unavailable, match="could not make a voice from this clip"):
        prompt_of(tokens, codes(8.0), SPEC)
