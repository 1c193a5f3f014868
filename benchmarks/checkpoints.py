"""Bark, HuBERT and a quantizer of the published shapes with random weights, which are as fast as trained ones.

They are written once, in the hub's layout, so that every contender loads them as usual and its measured memory is
realistic.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.rows import SHAPES
from cloning.bark.config import BarkSpec
from cloning.checkpoints.libraries import transformers
from cloning.methods.quantizer_network import Quantizer, QuantizerInfo
from cloning.prompt import Tokens, VoicePrompt

GENERATION = {
    "codebook_size": 1024,
    "semantic_config": {"eos_token_id": 10_000, "pad_token_id": 10_000},
    "coarse_acoustics_config": {},
    "fine_acoustics_config": {},
}
"""Entries of the generation configuration. The others have the published values as their defaults and are left out."""

WORD = "a"
"""The only word of the benchmark's texts."""
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", WORD)
"""The vocabulary of the checkpoints' tokenizer."""

BARK, HUBERT, QUANTIZER = "bark", "hubert", "quantizer.pth"
"""File and folder names of a written checkpoint's parts, where `cloning.checkpoints.model_choice` looks for them."""


def written(shape: str, directory: Path) -> Path:
    """Return the folder below `directory` with the checkpoint of one of SHAPES. Write it first if it is missing."""
    folder = directory / shape
    if not folder.exists():
        unfinished = directory / f"{shape}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        _write(shape, unfinished)
        unfinished.rename(folder)
    return folder


def _write(shape: str, folder: Path) -> None:
    random_bark(shape).save_pretrained(folder / BARK)
    _write_tokenizer(folder / BARK)
    hubert = random_hubert(shape)
    hubert.save_pretrained(folder / HUBERT)
    Quantizer(quantizer_info(shape)).save(folder / QUANTIZER)


def _write_tokenizer(folder: Path) -> None:
    """Write the tokenizer in BERT's format, as the published checkpoints have it."""
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    transformers.BertTokenizer(vocab=str(vocabulary), do_lower_case=False).save_pretrained(folder)


def random_bark(shape: str, seed: int = 0) -> Any:
    """Return a transformers.BarkModel of one of SHAPES, float32, on the CPU, with EnCodec's real shape."""
    torch.manual_seed(seed)
    model: Any = transformers.BarkModel(bark_config(shape))
    model.eval()
    config: Any = transformers.GenerationConfig
    model.generation_config = config(**GENERATION)
    # As with trained weights, only codebook tokens may be drawn; the speech must not end early.
    model.coarse_acoustics.lm_head.weight.data[12_048:] = 0.0
    return model


def bark_config(shape: str) -> transformers.BarkConfig:
    """Return the configuration of one of SHAPES."""
    size = {**SHAPES[shape], "block_size": 1024, "bias": False}
    return transformers.BarkConfig(
        semantic_config={**size, "input_vocab_size": 129_600, "output_vocab_size": 10_048},
        coarse_acoustics_config={**size, "input_vocab_size": 12_096, "output_vocab_size": 12_096},
        fine_acoustics_config={**size, "input_vocab_size": 1_056, "output_vocab_size": 1_056},
        codec_config={"model_type": "encodec"},
    )


def random_hubert(shape: str, seed: int = 0) -> Any:
    """Return a HubertModel of the shape of `facebook/hubert-base-ls960`, or a small one for the shape `tiny`."""
    torch.manual_seed(seed)
    hubert: Any = transformers.HubertModel(hubert_config(shape))
    return hubert.eval()


def hubert_config(shape: str) -> transformers.HubertConfig:
    """Return the configuration of HuBERT base, or of a small HuBERT for the shape `tiny`."""
    if shape != "tiny":
        return transformers.HubertConfig()
    return transformers.HubertConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96, conv_dim=(16,) * 7
    )


def quantizer_info(shape: str) -> QuantizerInfo:
    """Return the sizes of the published quantizers of version 0."""
    return QuantizerInfo(48, 64) if shape == "tiny" else QuantizerInfo()


def cast(model: Any, dtype: torch.dtype) -> Any:
    """Return `model` with its three transformers in this precision. The codec stays in float32 for all contenders."""
    for part in (model.semantic, model.coarse_acoustics, model.fine_acoustics):
        part.to(dtype)
    return model


def voice(spec: BarkSpec, seed: int, seconds: float = 10.0) -> VoicePrompt:
    """Return a voice prompt of random tokens, as long as a clone from a clip of `seconds`."""
    random = np.random.default_rng(seed)
    semantic = random.integers(0, spec.semantic_vocab, int(seconds * spec.semantic_rate))
    fine: Tokens = random.integers(0, spec.codebook_size, (spec.fine_books, spec.frames(semantic.size)))
    return VoicePrompt(semantic, fine[: spec.coarse_books].copy(), fine)
