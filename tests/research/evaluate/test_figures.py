"""The columns of the table of methods."""

from dataclasses import replace

import pytest

from research.evaluate.figures import (
    FIGURES,
    WORD_ERROR,
    other_similarity,
    own_similarity,
    picked,
    right_words_in_the_right_voice,
    with_interval,
    word_error,
)
from research.evaluate.trial import Cell
from research.metrics.statistics import Estimate
from tests.research.evaluate.cells import a_cell

RIGHT = a_cell("ann", {"ann": 0.9, "bob": 0.5, "cat": 0.3}, wrong=1, words=10)
WRONG = a_cell("bob", {"ann": 0.8, "bob": 0.6, "cat": 0.3}, wrong=0, words=30)
FAILED = Cell("quantizer", "cat", "two words", 0, failed="No sound.", wrong=2, words=2)


def test_words_count_over_all_lines() -> None:
    assert word_error([RIGHT, WRONG]) == pytest.approx(1 / 40)
    assert word_error([RIGHT, WRONG, FAILED]) == pytest.approx(3 / 42)
    assert word_error([]) is None


def test_similarity_and_who_is_picked() -> None:
    cells = [RIGHT, WRONG, FAILED]
    assert own_similarity(cells) == pytest.approx(0.75)
    assert other_similarity(cells) == pytest.approx((0.5 + 0.3 + 0.8 + 0.3) / 4)
    assert picked(cells) == pytest.approx(1 / 3)


def test_words_count_where_the_right_speaker_is_picked() -> None:
    assert right_words_in_the_right_voice([RIGHT, WRONG, FAILED]) == pytest.approx(9 / 42)
    more_wrong_than_said = a_cell("ann", {"ann": 0.9}, wrong=12, words=10)
    assert right_words_in_the_right_voice([more_wrong_than_said]) == 0


def test_two_methods_are_compared_on_the_same_speakers() -> None:
    names = [f"speaker {number}" for number in range(8)]
    one = [a_cell(name, {name: 0.9}, wrong=place, words=10) for place, name in enumerate(names)]
    other = [replace(cell, method="codebook", wrong=cell.wrong + 2) for cell in one]

    found = WORD_ERROR.between(one, other)

    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((-0.2, -0.2, -0.2))
    assert WORD_ERROR.difference_text(found) == "-20.0 points (-20.0 to -20.0)"
    assert WORD_ERROR.between(one, []) is None
    assert WORD_ERROR.difference_text(None) == "–"


def test_the_models_own_voice_resembles_nobody() -> None:
    own = a_cell("", {"ann": 0.9, "bob": 0.5})
    assert own_similarity([own]) is None
    assert other_similarity([own]) is None
    assert picked([own]) is None
    assert right_words_in_the_right_voice([own]) is None


def test_all_figures_exist_for_good_and_for_failed_cells() -> None:
    assert all(figure.of([RIGHT, WRONG]) is not None for figure in FIGURES)
    texts = [figure.text(figure.of([FAILED])) for figure in FIGURES]
    assert texts[0].startswith("100.0 %")
    assert texts.count("–") == 5


def test_a_figure_as_text() -> None:
    found = Estimate(0.1234, 0.1, 0.2, 9)
    assert with_interval(found, percent=True) == "12.3 % (10.0–20.0)"
    assert with_interval(found, percent=False) == "0.12 (0.10–0.20)"
