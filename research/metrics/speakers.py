"""Compare speakers with the encoder of `cloning.consent.speaker`."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from cloning.consent.speaker import SAMPLE_RATE, Embedding, SpeakerEncoder, similarity
from cloning.media.audio import Recording, Samples
from errors import InvalidInput

__all__ = ["Embedding", "embed", "encoder", "picked", "similarity"]


@cache
def encoder() -> SpeakerEncoder:
    """Return the encoder, which is loaded once."""
    return SpeakerEncoder()


def embed(samples: Samples, sample_rate: int = SAMPLE_RATE) -> Embedding:
    """Return the embedding of samples, float32 (N,). Raises InvalidInput for silence."""
    return encoder().embed(Recording(samples, sample_rate))


def picked(voice: Embedding, candidates: Sequence[Embedding]) -> int:
    """Return the index of the candidate most similar to `voice`. Raises InvalidInput if there is none."""
    if not candidates:
        raise InvalidInput("There are no voices to pick from. Give at least two reference speakers.")
    return int(np.argmax(np.stack(candidates) @ voice))
