"""The stand-in's vocabulary is a true WordPiece vocabulary for what people type."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.checkpoints import libraries
from tests.stand_in import wordpieces
from tests.stand_in.random_model import TEXT_OFFSET, TEXT_PAD

transformers: Any = libraries.transformers


@pytest.fixture(scope="module")
def tokenizer(stand_in: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(stand_in / "bark")


def test_the_vocabulary_fits_and_has_no_doubles(tokenizer: Any) -> None:
    pieces = wordpieces.vocabulary()

    assert len(pieces) == len(set(pieces))
    assert TEXT_OFFSET + len(pieces) <= TEXT_PAD
    assert [tokenizer.convert_tokens_to_ids(piece) for piece in pieces] == list(range(len(pieces)))


def test_the_files_are_read_from_any_directory(tokenizer: Any, tmp_path: Path) -> None:
    wordpieces.write(tmp_path)

    text = "Hello, this is Ünal's voice [laughs] ♪"
    assert transformers.AutoTokenizer.from_pretrained(tmp_path).tokenize(text) == tokenizer.tokenize(text)


@pytest.mark.parametrize(
    "text",
    ["Grüße aus Köln!", "Żółw i jeż", "Çok güzel şey", "Привет, мир", "नमस्ते", "こんにちは", "¿Qué tal?", "Où ça?"],
)
def test_letters_of_barks_languages_are_known(tokenizer: Any, text: str) -> None:
    assert "[UNK]" not in tokenizer.tokenize(text)


def test_case_is_kept(tokenizer: Any) -> None:
    assert tokenizer.tokenize("Hello") != tokenizer.tokenize("hello")


@given(st.text(max_size=80))
def test_any_text_has_tokens_of_the_vocabulary(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]

    assert all(0 <= index < len(wordpieces.vocabulary()) for index in ids)


@pytest.mark.parametrize(("piece", "count"), [("[UNK]", 1), ("voice", 6), ("##ing", 3), (".", 2), ("##e", 1)])
def test_a_piece_counts_its_characters_and_the_space_before(piece: str, count: int) -> None:
    assert wordpieces.characters(piece) == count
