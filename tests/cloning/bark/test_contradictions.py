"""Configurations that do not belong to the weights beside them, as an edited or incomplete checkpoint has them."""

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.precision import PRECISIONS
from errors import Unavailable
from tests.cloning.tiny_engine import WORDS, Letters, tiny_bark

CPU = torch.device("cpu")


def load(directory: Path, model: Any) -> BarkEngine:
    """Load a checkpoint whose weights are those of `model`."""
    with (
        mock.patch("cloning.bark.bark.load_bark", return_value=model),
        mock.patch("cloning.bark.bark.transformers.AutoTokenizer.from_pretrained", return_value=Letters()),
    ):
        return BarkEngine.load(directory, precision=PRECISIONS["float32"], device=CPU, decode=mock.Mock(), batch=1)


def with_text_offset(offset: int) -> Any:
    """The tiny Bark, whose text begins elsewhere in its vocabulary of 400 tokens."""
    model = tiny_bark()
    model.generation_config.semantic_config["text_encoding_offset"] = offset
    return model


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    return tmp_path


def test_the_model_itself_is_loaded(directory: Path) -> None:
    assert load(directory, tiny_bark()).spec.fine_books == 8


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("semantic_config", "text_pad_token", 400),
        ("semantic_config", "text_encoding_offset", 10_048),
        ("semantic_config", "semantic_infer_token", -1),
        ("semantic_config", "eos_token_id", 99_999),
        ("semantic_config", "semantic_vocab_size", 10_000),
        ("semantic_config", "semantic_vocab_size", 0),
        ("semantic_config", "max_input_semantic_length", 0),
        ("semantic_config", "semantic_rate_hz", 1e-9),
        ("semantic_config", "semantic_rate_hz", "49.9"),
        ("coarse_acoustics_config", "coarse_semantic_pad_token", 12_048),
        ("coarse_acoustics_config", "coarse_infer_token", -1),
        ("coarse_acoustics_config", "n_coarse_codebooks", 0),
        ("coarse_acoustics_config", "n_coarse_codebooks", 8),
        ("coarse_acoustics_config", "sliding_window_len", None),
        ("coarse_acoustics_config", "sliding_window_len", "60"),
        ("fine_acoustics_config", "n_fine_codebooks", 9),
        ("fine_acoustics_config", "n_fine_codebooks", 2),
    ],
)
def test_values_that_the_model_cannot_have_are_refused(directory: Path, part: str, key: str, value: object) -> None:
    model = tiny_bark()
    setattr(model.generation_config, part, getattr(model.generation_config, part) | {key: value})
    with pytest.raises(Unavailable, match="ownload the model again"):
        load(directory, model)


@pytest.mark.parametrize(("key", "value"), [("codebook_size", 0), ("codebook_size", 1024), ("languages", 5)])
def test_values_of_the_whole_are_refused(directory: Path, key: str, value: object) -> None:
    model = tiny_bark()
    setattr(model.generation_config, key, value)
    with pytest.raises(Unavailable, match="ownload the model again"):
        load(directory, model)


def test_a_size_that_is_no_number_is_refused(directory: Path) -> None:
    (directory / "config.json").write_text('{"coarse_acoustics_config": {"hidden_size": "x"}}', encoding="utf-8")
    with pytest.raises(Unavailable, match="ownload the model again"):
        load(directory, tiny_bark())


def test_a_tokenizer_with_as_many_ids_as_the_model_has_room_for_is_loaded(directory: Path) -> None:
    load(directory, with_text_offset(400 - len(WORDS)))


def test_a_tokenizer_with_an_id_too_many_is_refused(directory: Path) -> None:
    with pytest.raises(Unavailable, match=r"semantic model has 400 tokens, and its tokenizer names others\. Download"):
        load(directory, with_text_offset(400 - len(WORDS) + 1))
