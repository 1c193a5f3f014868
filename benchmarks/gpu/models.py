"""The engine on random models of the published shapes, without files but for the codec's."""

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
"""Of the published checkpoints."""
_SHARPNESS = 3.0
"""Makes random weights so large that the likeliest token is not decided by rounding."""


class Numbers:
    """A tokenizer for which a text is its ids: "5 17" is 5 and 17."""

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        """As far as the engine uses one."""
        return {"input_ids": [int(number) for number in text.split()]}


def text(tokens: int, seed: int = 0) -> str:
    """A text of so many tokens for `Numbers`."""
    return " ".join(map(str, np.random.default_rng(seed).integers(1_000, 100_000, tokens)))


def voice(semantic: int, frames: int, seed: int = 0) -> VoicePrompt:
    """Random tokens of the published vocabularies."""
    random = np.random.default_rng(seed)
    fine: Tokens = random.integers(0, CODES, (BOOKS, frames))
    return VoicePrompt(random.integers(0, SEMANTIC_VOCABULARY, semantic), fine[:2].copy(), fine)


def sharpened(model: Any) -> Any:
    """A copy that knows what it says."""
    sharp = copy.deepcopy(model)
    for name, parameter in sharp.named_parameters():
        if not name.startswith("codec"):
            parameter.data.mul_(_SHARPNESS)
    return sharp


def converted(model: Any, dtype: torch.dtype) -> Any:
    """A copy with its three transformers in this precision; the codec stays in float32 for everybody."""
    other = copy.deepcopy(model)
    for part in (other.semantic, other.coarse_acoustics, other.fine_acoustics):
        part.to(dtype)
    return other


def engine(context: Context, model: Any, *, batch: int, refined_together: int | None = None) -> BarkEngine:
    """The engine with the matrices of `model`, which is of no use afterwards, and a codec of its own."""
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
    """The codec of `model` through the files that it is usually loaded from."""
    return Codec(_written_codec(context.out, model), context.device)


def _written_codec(out: Path, model: Any) -> Path:
    folder = out / "codec"
    if not folder.exists():
        folder.mkdir(parents=True)
        model.config.save_pretrained(folder)
        weights = {f"codec_model.{name}": tensor for name, tensor in model.codec_model.state_dict().items()}
        save_file({name: tensor.cpu().clone() for name, tensor in weights.items()}, folder / "model.safetensors")
    return folder
