"""Clips of a corpus, concatenated in memory, and random crops of them for training.

A crop may extend from one clip into the next: clips begin and end in silence, and a codec must handle that. The buffer
is on the training device, so crops need no transfer.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from errors import InvalidInput
from research.bundled.codes import Codes
from research.bundled.spectra import HOP, SAMPLE_RATE
from training.shards import ClipShards, Split, split_of

_FULL_SCALE = 32_768.0


def split_of_clip(speaker: str, text: str) -> Split:
    """Return the split of a clip: test if its speaker or its text is in test, else valid if either is, else train."""
    splits = {split_of(speaker), split_of(text)}
    if "test" in splits:
        return "test"
    return "valid" if "valid" in splits else "train"


class ClipBuffer:
    """Concatenated clips: samples, int16 (T * HOP,), and tokens, int16, frame by frame.

    The tokens are semantic tokens (T,), or codes (books, T).
    """

    def __init__(self, samples: Tensor, tokens: Tensor) -> None:
        frames = tokens.shape[-1]
        if len(samples) != frames * HOP or not frames:
            raise InvalidInput(f"A clip buffer needs {HOP} samples for each frame of tokens, and at least one frame.")
        self.samples, self.tokens = samples, tokens

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.tokens.shape[-1]

    def crops(self, random: np.random.Generator, count: int, frames: int) -> tuple[Tensor, Tensor]:
        """Return `count` random crops: float32 (count, frames * HOP) in -1..1, and int64 tokens.

        Semantic tokens are (count, frames), codes (count, books, frames). Raises InvalidInput if the buffer is shorter
        than a crop.
        """
        if frames > len(self):
            raise InvalidInput("There are not enough clips to train on; make more of the corpus first.")
        starts = torch.from_numpy(random.integers(0, len(self) - frames + 1, count)).to(self.samples.device)
        return self.at(starts, frames)

    def at(self, starts: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Return the crops of `frames` frames that begin at the frames `starts`, int64 (B,), in the form of `crops`."""
        places = starts[:, None] + torch.arange(frames, device=starts.device)
        samples = self.samples.view(-1, HOP)[places]  # (B, frames, HOP)
        return samples.flatten(1).float() / _FULL_SCALE, self.tokens[..., places].movedim(-2, 0).long()


def load_buffer(
    folder: Path, split: Split, hours: float, device: torch.device, codes: Codes | None = None
) -> ClipBuffer:
    """Read up to `hours` of the clips of `split`, sampled from the whole corpus, with their semantic tokens.

    With `codes`, read only clips that have codes, and use these in place of the semantic tokens. Raises InvalidInput if
    there are no clips, or if they are not at the codec's rate.
    """
    shards = ClipShards(folder)
    chosen = [
        index
        for index, (key, speaker, text) in enumerate(zip(shards.keys, shards.speakers, shards.texts, strict=True))
        if split_of_clip(speaker, text) == split and (codes is None or key in codes)
    ]
    order = np.random.default_rng(0).permutation(np.array(chosen, np.int64))
    within = np.cumsum(shards.lengths[order]) <= hours * 3600 * SAMPLE_RATE / HOP
    samples, tokens = [], []
    for index in np.sort(order[within]):
        clip = shards[int(index)]
        if clip.sample_rate != SAMPLE_RATE or clip.audio is None:
            raise InvalidInput(f"The clip {clip.key} has no sound at {SAMPLE_RATE} Hz; make the corpus again.")
        own = clip.semantic if codes is None else codes[clip.key]
        frames = min(len(clip.audio) // HOP, own.shape[-1])
        samples.append(clip.audio[: frames * HOP])
        tokens.append(own[..., :frames].astype(np.int16))
    if not samples:
        raise InvalidInput(f"There are no clips of the split {split} in {folder}; make the corpus first.")
    return ClipBuffer(
        torch.from_numpy(np.concatenate(samples)).to(device),
        torch.from_numpy(np.concatenate(tokens, axis=-1)).to(device),
    )
