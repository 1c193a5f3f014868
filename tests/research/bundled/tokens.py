"""Drawn tokens that look like a corpus."""

import numpy as np
import torch
from torch import Tensor

from research.bundled.layout import BOOKS, CODEBOOK_SIZE
from research.bundled.phones import SEMANTIC_SIZE
from research.bundled.speech import SpeechTokens


def drawn_speech(clips: int, frames: tuple[int, int] = (60, 240), speakers: int = 3) -> SpeechTokens:
    """Clips of drawn tokens, of a length between the two."""
    random = np.random.default_rng(0)
    lengths = random.integers(frames[0], frames[1] + 1, clips)
    return SpeechTokens.of(
        [random.integers(0, SEMANTIC_SIZE, length) for length in lengths],
        [random.integers(0, CODEBOOK_SIZE, (BOOKS, length)) for length in lengths],
        [random.integers(0, CODEBOOK_SIZE, (BOOKS, length)) for length in lengths],
        [f"speaker-{clip * speakers // clips}" for clip in range(clips)],
        [f"text {clip}" for clip in range(clips)],
    )


def drawn_codebooks() -> Tensor:
    """What codes stand for, (books, entries, latent)."""
    return torch.randn(BOOKS, CODEBOOK_SIZE, 8, generator=torch.Generator().manual_seed(0))
