"""Bark of the published shapes with random weights, made in memory: a step costs what it costs with trained ones."""

from typing import Any

import numpy as np
import torch

from cloning.bark.config import BarkSpec
from cloning.libraries import transformers
from cloning.prompt import Tokens, VoicePrompt

SHAPES = {
    "small": {"num_layers": 12, "num_heads": 12, "hidden_size": 768},
    "large": {"num_layers": 24, "num_heads": 16, "hidden_size": 1024},
    "tiny": {"num_layers": 2, "num_heads": 2, "hidden_size": 48},
}
"""`suno/bark-small`, `suno/bark`, and one to try this program with."""

GENERATION = {
    "codebook_size": 1024,
    "semantic_config": {"eos_token_id": 10_000, "pad_token_id": 10_000},
    "coarse_acoustics_config": {},
    "fine_acoustics_config": {},
}
"""The published values are the defaults of those who read it."""


def random_bark(shape: str, seed: int = 0) -> Any:
    """A transformers.BarkModel of one of SHAPES, float32, on the CPU, with EnCodec's real shape."""
    torch.manual_seed(seed)
    size = {**SHAPES[shape], "block_size": 1024, "bias": False}
    model: Any = transformers.BarkModel(
        transformers.BarkConfig(
            semantic_config={**size, "input_vocab_size": 129_600, "output_vocab_size": 10_048},
            coarse_acoustics_config={**size, "input_vocab_size": 12_096, "output_vocab_size": 12_096},
            fine_acoustics_config={**size, "input_vocab_size": 1_056, "output_vocab_size": 1_056},
            codec_config={"model_type": "encodec"},
        )
    )
    model.eval()
    config: Any = transformers.GenerationConfig
    model.generation_config = config(**GENERATION)
    # Nothing but the codebooks may win, as with trained weights; and the speech shall not end before its time.
    model.coarse_acoustics.lm_head.weight.data[12_048:] = 0.0
    return model


def cast(model: Any, dtype: torch.dtype) -> Any:
    """`model` with its three transformers in this precision. The codec stays in float32 for everybody."""
    for part in (model.semantic, model.coarse_acoustics, model.fine_acoustics):
        part.to(dtype)
    return model


def voice(spec: BarkSpec, seed: int, seconds: float = 10.0) -> VoicePrompt:
    """Random tokens as long as a clone from a clip of so many seconds."""
    random = np.random.default_rng(seed)
    semantic = random.integers(0, spec.semantic_vocab, int(seconds * spec.semantic_rate))
    fine: Tokens = random.integers(0, spec.codebook_size, (spec.fine_books, spec.frames(semantic.size)))
    return VoicePrompt(semantic, fine[: spec.coarse_books].copy(), fine)
