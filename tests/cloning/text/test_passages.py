"""The passages: one for each language, of a length that makes a prompt."""

import pytest

from cloning.text.durations import expected_seconds
from cloning.text.passages import PASSAGES
from cloning.text.splitting import LANGUAGES, sentences


def test_every_language_has_one() -> None:
    assert PASSAGES.keys() == LANGUAGES.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_passage_fills_a_prompt_and_not_much_more(language: str) -> None:
    assert 8 < expected_seconds(PASSAGES[language], language) < 16
    assert len(sentences(PASSAGES[language], language)) <= 2
