"""What people type becomes letters and four marks, and nothing that is meant to be said gets lost."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.checkpoints import libraries
from research.bundled import spelling

transformers: Any = libraries.transformers
tokenizer = spelling.make()


def spelled(text: str) -> str:
    return "".join(tokenizer.encode(text, add_special_tokens=False).tokens)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello there!", "hello there!"),
        ("Made more obvious or prominent.", "made more obvious or prominent."),
        ("no full stop", "no full stop."),
        ("a piece that ends at a clause,", "a piece that ends at a clause."),
        ("What?!", "what?"),
        ("Wait... what?", "wait, what?"),
        ("it’s “quoted” and 'quoted' well-known", "it's quoted and quoted well-known."),
        ("Café — naïve; Zürich: yes", "cafe, naive, zurich, yes."),
        ("He left - at once", "he left, at once."),
        ("[laughs] That is funny [sighs]", "that is funny."),
        ("7 of 10", "seven of ten."),
        ("21, 40 and 99", "twenty one, forty and ninety nine."),
        ("in 1984 and 1900", "in nineteen eighty four and nineteen hundred."),
        ("100, 305, 345", "one hundred, three hundred and five, three hundred and forty five."),
        ("3,000 and 2.5", "three thousand and two point five."),
        ("5% & more", "five percent and more."),
        ("a\n\nb   c", "a b c."),
        ("  ... hm", "hm."),
        ("dogs' tails", "dogs tails."),
        ("don't 'em", "don't em."),
    ],
)
def test_text_as_it_is_said(text: str, said: str) -> None:
    assert spelled(text) == said


@pytest.mark.parametrize("text", ["", "   ", "?!", "[laughs]", "Привет", "—"])
def test_what_cannot_be_said_has_no_tokens(text: str) -> None:
    assert tokenizer.encode(text, add_special_tokens=False).ids == []


@given(st.text())
def test_every_text_becomes_known_characters_and_ends_once(text: str) -> None:
    said = spelled(text)

    assert set(said) <= set(spelling.PIECES[2:])
    assert said == "" or (said[0].isalpha() and said[-1] in ".?!" and said[-2] not in ",.?! ")
    assert "  " not in said
    assert spelled(said) == said


def test_the_files_make_the_same_tokens(tmp_path: Path) -> None:
    spelling.write(tmp_path)
    read = transformers.AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)

    for text in ("Hello there!", "It's 25 °C outside, isn't it?"):
        assert read(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(text).ids
