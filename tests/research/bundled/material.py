"""A corpus of noise in the layout of the real one, small enough for tests."""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from research.bundled.clip_buffer import ClipBuffer
from research.bundled.spectra import HOP, SAMPLE_RATE
from research.bundled.teacher import Teacher
from training.shards import Clip, ShardWriter

SYMBOLS = 12


def clip(key: str, speaker: str, text: str, frames: int = 60) -> Clip:
    """Noise whose loudness follows its semantic tokens."""
    random = np.random.default_rng(sum(map(ord, key)))
    semantic = np.repeat(random.integers(0, SYMBOLS, -(-frames // 5)), 5)[:frames].astype(np.uint16)
    loudness = np.repeat(300.0 * (1 + semantic), HOP)
    audio = np.round(loudness * random.standard_normal(frames * HOP)).clip(-32_768, 32_767).astype(np.int16)
    return Clip(key, text, speaker, 0, SAMPLE_RATE, audio, semantic)


def write_corpus(folder: Path, speakers: list[str], clips: int = 2) -> list[Clip]:
    """So many clips of each speaker, in shards of five."""
    made = [clip(f"{speaker}-{number}", speaker, f"Text {number}.") for speaker in speakers for number in range(clips)]
    with ShardWriter(folder, 5) as writer:
        for one in made:
            writer.add(one)
    return made


def buffer(frames: int = 400) -> ClipBuffer:
    """One long clip."""
    one = clip("buffer", "speaker", "Text.", frames)
    assert one.audio is not None
    return ClipBuffer(torch.from_numpy(one.audio), torch.from_numpy(one.semantic.astype(np.int16)))


def teacher() -> Teacher:
    """Untrained, with codebooks that fit its latents; the caller's own."""
    return deepcopy(_teacher())


@lru_cache(1)
def _teacher() -> Teacher:
    torch.manual_seed(0)
    made = Teacher(SYMBOLS).eval().requires_grad_(False)
    samples, _ = buffer(4_000).at(torch.tensor([0]), 4_000)
    made.quantizer.begin(made.latents(samples)[0], np.random.default_rng(0))
    return made
