"""Build engines with random models of the published shapes. Only the codec is written to files."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.gpu.context import Context
from cloning.bark.bark import BarkEngine
from cloning.codec import Codec
from cloning.prompt import Tokens, VoicePrompt

SEMANTIC_VOCABULARY, CODES, BOOKS = 10_000, 1024, 8
"""Sizes of the published checkpoints' vocabularies, and the number of their codebooks."""
_SHARPNESS = 3.0
"""The factor by which random weights are scaled, so that rounding does not decide the most likely token."""


class Numbers:
    """A tokenizer whose texts are lists of ids: the tokens of "5 17" are 5 and 17."""

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        """Return the ids of a text, in the form that the engine reads."""
        return {"input_ids": [int(number) for number in text.split()]}


def text(tokens: int, seed: int = 0) -> str:
    """Return a text of `tokens` tokens for `Numbers`."""
    return " ".join(map(str, np.random.default_rng(seed).integers(1_000, 100_000, tokens)))


def voice(semantic: int, frames: int, seed: int = 0) -> VoicePrompt:
    """Return a voice prompt of random tokens of the published vocabularies."""
    random = np.random.default_rng(seed)
    fine: Tokens = random.integers(0, CODES, (BOOKS, frames))
    return VoicePrompt(random.integers(0, SEMANTIC_VOCABULARY, semantic), fine[:2].copy(), fine)


def sharpened(model: Any) -> Any:
    """Return a copy with scaled weights."""
    sharp = copy.deepcopy(model)
    for name, parameter in sharp.named_parameters():
        if not name.startswith("codec"):
            parameter.data.mul_(_SHARPNESS)
    return sharp


def converted(model: Any, dtype: torch.dtype) -> Any:
    """Return a copy with its three transformers in this precision; the codec stays in float32 as for all contenders."""
    other = copy.deepcopy(model)
    for part in (other.semantic, other.coarse_acoustics, other.fine_acoustics):
        part.to(dtype)
    return other


def engine(context: Context, model: Any, *, batch: int, refined_together: int | None = None) -> BarkEngine:
    """Return an engine with the matrices of `model`, which is unusable afterwards, and a copy of its codec."""
    sounds = codec(context, model)
    return BarkEngine(
        model,
        Numbers(),
        sounds.decode,
        batch=batch,
        decode_together=sounds.decode_together,
        refined_together=refined_together,
    )


def codec(context: Context, model: Any) -> Codec:
    """Load the codec of `model` from files, as the bot does. Write the files if they are missing."""
    return Codec(_written_codec(context.out, model), context.device)


def _written_codec(out: Path, model: Any) -> Path:
    folder = out / "codec"
    if not folder.exists():
        folder.mkdir(parents=True)
        model.config.save_pretrained(folder)
        weights = {f"codec_model.{name}": tensor for name, tensor in model.codec_model.state_dict().items()}
        save_file({name: tensor.cpu().clone() for name, tensor in weights.items()}, folder / "model.safetensors")
    return folder
