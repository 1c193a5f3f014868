"""Constants of the bundled model's stages: vocabularies, special tokens, windows, sizes.

They are written to `config.json` and `generation_config.json`, and determine the training examples.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from research.bundled.phones import SEMANTIC_SIZE, TOKEN_RATE
from research.bundled.spelling import PIECES

SAMPLE_RATE = 16_000
BOOKS = 8
COARSE_BOOKS = 2
CODEBOOK_SIZE = 512

SEMANTIC_END = SEMANTIC_SIZE
"""Ends the speech, and fills missing semantic tokens."""
TEXT_OFFSET = SEMANTIC_END + 1
TEXT_PAD = TEXT_OFFSET
"""The tokenizer's padding: the first entry of its vocabulary."""
SEMANTIC_INFER = TEXT_OFFSET + len(PIECES)
SEMANTIC_INPUTS = SEMANTIC_INFER + 1
SEMANTIC_OUTPUTS = SEMANTIC_END + 1
TEXT_ROOM = 128
"""Text tokens (characters) per window. As many semantic tokens, the last ones of a voice, are added as embeddings."""
SEMANTIC_ROOM = 480
"""Semantic tokens per window: 9.6 s."""

COARSE_PAD = SEMANTIC_SIZE + COARSE_BOOKS * CODEBOOK_SIZE
COARSE_INFER = COARSE_PAD + 1
COARSE_VOCABULARY = COARSE_INFER + 1
COARSE_FRAMES_BEFORE = 256
"""The maximum of earlier frames in a coarse window: 5.12 s."""
COARSE_FRAMES_AT_ONCE = 64
"""Frames that are generated in one coarse window."""
COARSE_SEMANTIC = COARSE_FRAMES_BEFORE + COARSE_FRAMES_AT_ONCE + 16
"""Semantic tokens in a coarse window: those of these frames, and of the next 0.32 s."""
COARSE_FRAMES = COARSE_FRAMES_BEFORE + COARSE_FRAMES_AT_ONCE
COARSE_OFFSETS = SEMANTIC_SIZE + CODEBOOK_SIZE * np.arange(COARSE_BOOKS)
"""The token of code 0 of each book, (books,)."""

TEMPERATURE = 0.3
"""The temperature of all stages: with Suno's 0.7, 0.7 and 0.5 a third more words are wrong (research/README.md)."""

ENVELOPE_CORRECTION = 2.0
"""The strength of `cloning.envelope`: 2, to correct the codec's loss as well (research/README.md)."""

SILENT = 0
"""The code of the fine books whose vector is zero; the fine model predicts it where it is sure of no other code."""
FINE_PAD = CODEBOOK_SIZE
FINE_VOCABULARY = CODEBOOK_SIZE + 1
FINE_FRAMES = 256
"""Frames of a fine window: 5.1 s."""
FINE_FRAMES_BEFORE = 128
"""Frames at the start of a fine window with all books: those of the voice, or of the previous window."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of one stage's transformer."""

    layers: int
    heads: int
    width: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the three stages."""

    semantic: Size
    coarse: Size
    fine: Size


def semantic_config(size: Size) -> dict[str, Any]:
    """Return the arguments of transformers' BarkSemanticConfig."""
    return {
        **_common(size),
        "block_size": TEXT_ROOM + SEMANTIC_ROOM,
        "input_vocab_size": SEMANTIC_INPUTS,
        "output_vocab_size": SEMANTIC_OUTPUTS,
    }


def coarse_config(size: Size) -> dict[str, Any]:
    """Return the arguments of transformers' BarkCoarseConfig."""
    return {
        **_common(size),
        "block_size": COARSE_SEMANTIC + 1 + COARSE_BOOKS * COARSE_FRAMES,
        "input_vocab_size": COARSE_VOCABULARY,
        "output_vocab_size": COARSE_VOCABULARY,
    }


def fine_config(size: Size) -> dict[str, Any]:
    """Return the arguments of transformers' BarkFineConfig. As in Bark, a book's head is its embedding table."""
    return {
        **_common(size),
        "block_size": FINE_FRAMES,
        "input_vocab_size": FINE_VOCABULARY,
        "output_vocab_size": FINE_VOCABULARY,
        "n_codes_total": BOOKS,
        "n_codes_given": 1,
    }


def generation_config() -> dict[str, Any]:
    """Return the `generation_config.json` of a Bark checkpoint."""
    sampling = {"do_sample": True, "temperature": TEMPERATURE, "renormalize_logits": True}
    return {
        "sample_rate": SAMPLE_RATE,
        "codebook_size": CODEBOOK_SIZE,
        "languages": ["en"],
        "envelope_correction": ENVELOPE_CORRECTION,
        "semantic_config": {
            **sampling,
            "max_new_tokens": SEMANTIC_ROOM,
            "text_encoding_offset": TEXT_OFFSET,
            "text_pad_token": TEXT_PAD,
            "semantic_infer_token": SEMANTIC_INFER,
            "semantic_vocab_size": SEMANTIC_SIZE,
            "eos_token_id": SEMANTIC_END,
            "pad_token_id": SEMANTIC_END,
            "semantic_pad_token": SEMANTIC_END,
            "max_input_semantic_length": TEXT_ROOM,
            "semantic_rate_hz": TOKEN_RATE,
        },
        "coarse_acoustics_config": {
            **sampling,
            "coarse_semantic_pad_token": COARSE_PAD,
            "coarse_infer_token": COARSE_INFER,
            "coarse_rate_hz": TOKEN_RATE,
            "n_coarse_codebooks": COARSE_BOOKS,
            "max_coarse_input_length": COARSE_SEMANTIC,
            "max_coarse_history": COARSE_BOOKS * COARSE_FRAMES_BEFORE,
            "sliding_window_len": COARSE_BOOKS * COARSE_FRAMES_AT_ONCE,
        },
        "fine_acoustics_config": {
            "temperature": TEMPERATURE,
            "max_fine_history_length": FINE_FRAMES_BEFORE,
            "max_fine_input_length": FINE_FRAMES,
            "n_fine_codebooks": BOOKS,
        },
    }


def _common(size: Size) -> dict[str, Any]:
    return {"num_layers": size.layers, "num_heads": size.heads, "hidden_size": size.width, "bias": False}
