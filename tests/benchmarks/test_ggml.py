"""bark.cpp's file is read back as its loader reads it."""

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch

from benchmarks import ggml
from cloning.checkpoints.libraries import transformers

WIDTH, LAYERS = 8, 1
VOCABULARY = ["[PAD]", "a", "ß"]


@pytest.fixture(scope="module")
def model() -> Any:
    size = {"num_layers": LAYERS, "num_heads": 2, "hidden_size": WIDTH, "block_size": 16, "bias": False}
    codec = {"model_type": "encodec", "num_filters": 2, "hidden_size": 4, "codebook_size": 16, "codebook_dim": 4}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.BarkModel(
            transformers.BarkConfig(
                semantic_config={**size, "input_vocab_size": 40, "output_vocab_size": 30},
                coarse_acoustics_config={**size, "input_vocab_size": 20, "output_vocab_size": 20},
                fine_acoustics_config={**size, "input_vocab_size": 12, "output_vocab_size": 12},
                codec_config=codec,
            )
        )


def integers(file: BinaryIO, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}i", file.read(4 * count))


def tensor(file: BinaryIO) -> tuple[str, np.ndarray] | None:
    head = file.read(12)
    if not head:
        return None
    dimensions, length, kind = struct.unpack("<3i", head)
    shape = tuple(reversed(integers(file, dimensions)))
    name = file.read(length).decode()
    dtype = np.dtype((np.float32, np.float16)[kind])
    return name, np.frombuffer(file.read(int(np.prod(shape)) * dtype.itemsize), dtype).reshape(shape)


def parsed(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        magic, words = integers(file, 2)
        vocabulary = [file.read(integers(file, 1)[0]).decode() for _ in range(words)]
        parts = []
        for _ in range(3):
            sizes = integers(file, 10)
            (count,) = integers(file, 1)
            parts.append((sizes, dict(tensor(file) or ("", np.zeros(0)) for _ in range(count))))
        codec_head = integers(file, 10)
        codec = dict(iter(lambda: tensor(file), None))
    return {"magic": magic, "vocabulary": vocabulary, "parts": parts, "head": codec_head, "codec": codec}


def test_sizes_words_and_weights_come_back(model: Any, tmp_path: Path) -> None:
    ggml.write(model, VOCABULARY, tmp_path / "bark", half=False)
    read = parsed(tmp_path / "bark")
    assert read["magic"] == 0x67676D6C
    assert read["vocabulary"] == VOCABULARY
    (semantic, weights), _, (fine, fine_weights) = read["parts"]
    assert semantic == (LAYERS, 2, WIDTH, 16, 0, 40, 30, 1, 1, 0)
    assert fine == (LAYERS, 2, WIDTH, 16, 1, 12, 12, 7, 8, 0)
    wanted = model.semantic.layers[0].attn.att_proj.weight.detach().numpy()
    np.testing.assert_array_equal(weights["model/h0/attn/c_attn/w"], wanted)
    assert {f"model/wte/{book}" for book in range(8)} | {"model/ln_f/b", "model/h0/ln_1/b"} <= fine_weights.keys()
    assert "model/lm_head/6" in fine_weights


def test_half_precision_is_for_matrices_and_tables(model: Any, tmp_path: Path) -> None:
    ggml.write(model, VOCABULARY, tmp_path / "bark", half=True)
    weights = parsed(tmp_path / "bark")["parts"][0][1]
    halves = {name for name, array in weights.items() if array.dtype == np.float16}
    assert halves == {name for name in weights if name.endswith("/w") or "/wte/" in name or "/lm_head/" in name}


def test_the_codec_has_its_weight_norm_worked_in(model: Any, tmp_path: Path) -> None:
    ggml.write(model, VOCABULARY, tmp_path / "bark")
    read = parsed(tmp_path / "bark")
    assert read["head"][:3] == (0x67676D6C, 1, 4)
    convolution = model.codec_model.decoder.layers[0].conv.weight.detach().numpy()
    np.testing.assert_allclose(read["codec"]["decoder.model.0.conv.conv.weight"], convolution, atol=1e-3)
    assert {"decoder.model.3.convtr.convtr.weight", "decoder.model.1.lstm.weight_ih_l0"} <= read["codec"].keys()
    assert "encoder.model.1.block.1.conv.conv.bias" in read["codec"]
    assert "quantizer.vq.layers.0._codebook.embed" in read["codec"]


def test_a_weight_without_a_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="no name"):
        ggml._name("layers.0.unheard_of")
