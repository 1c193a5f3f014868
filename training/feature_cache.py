"""Compute the HuBERT features of a corpus once, of the sound and of distorted copies, and map them from the disk.

Each shard of clips has a file of features and a file of frame counts for each copy. Their names identify the HuBERT and
the content of the shard, so features are never used for another HuBERT or a changed shard. A kill loses only the
current shard.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cloning.atomic_files import make_folder, replacing
from cloning.checkpoints.weights import weight_file
from cloning.media import audio
from cloning.methods.hubert import SAMPLE_RATE, HubertFeatures
from errors import InvalidInput, Unavailable
from training.noise import add_noise
from training.room_acoustics import disturb
from training.shards import Clip, ClipShards, recording_of

Features = Callable[[NDArray[np.float32]], Tensor]
"""A function from samples (N,) at 16 kHz to features (T, D), such as `HubertFeatures`."""

CLEAN, NOISY = "clean", "noisy"
_NOISE_DECIBELS = 10.0
"""The signal-to-noise ratio of `NOISY` in dB: a busy street, or a cheap microphone."""
_PROGRESS_SECONDS = 15.0


@dataclass(frozen=True)
class Example:
    """One clip: its features, float16 (T, D) on the disk, and a token for each frame, int64 (T,)."""

    features: NDArray[np.float16]
    tokens: NDArray[np.int64]


def rooms(number: int) -> str:
    """Return the name of copy `number` with effects of rooms, microphones and noise; each copy has other effects."""
    return f"rooms{number}"


def fingerprint(model: Path) -> str:
    """Return a short name for the model in a folder, from its weights."""
    with weight_file(model).open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:12]


class FeatureCache:
    """The features of `shards` by one HuBERT, stored in `folder`.

    name: the HuBERT's fingerprint. hubert: computes the features that are missing.
    """

    def __init__(self, folder: Path, shards: ClipShards, name: str, hubert: Features | HubertFeatures) -> None:
        make_folder(folder)
        self._folder, self._shards, self._name, self._hubert = folder, shards, name, hubert

    def examples(self, copy: str, places: Sequence[int]) -> list[Example]:
        """Return the clips at `places` in the version `copy`. Missing features are computed, and progress is printed.

        Features and tokens are cut to the shorter of the two. Raises InvalidInput for clips without sound, Unavailable
        when the disk or the memory is full.
        """
        wanted = set(places)
        found: dict[int, Example] = {}
        started, said = time.monotonic(), time.monotonic()
        done = 0
        for path, members in self._members().items():
            chosen = [place for place in members if place in wanted]
            if not chosen:
                continue
            for place, features in self._of_shard(path, copy, chosen).items():
                found[place] = aligned(features, self._shards[place])
            done += len(chosen)
            if time.monotonic() - said > _PROGRESS_SECONDS:
                said = time.monotonic()
                left = (said - started) * (len(wanted) - done) / done
                print(f"features, {copy}: {done} of {len(wanted)} clips, {left / 60:.1f} min left", flush=True)
        return [found[place] for place in places]

    def _members(self) -> dict[Path, list[int]]:
        """Return shard -> the positions of its clips."""
        members: dict[Path, list[int]] = {}
        for place in range(len(self._shards)):
            members.setdefault(self._shards.path_of(place), []).append(place)
        return members

    def _of_shard(self, path: Path, copy: str, places: list[int]) -> dict[int, NDArray[np.float16]]:
        names = "\n".join(self._shards.keys[place] for place in places)
        digest = hashlib.blake2b(path.with_suffix(".jsonl").read_bytes() + names.encode(), digest_size=6).hexdigest()
        stem = f"{path.stem}-{self._name}-{digest}-{copy}"
        flat, counts = self._folder / f"{stem}.npy", self._folder / f"{stem}.frames.npy"
        if not flat.is_file():
            made = [self._made(self._shards[place], copy) for place in places]
            _save(counts, np.array([len(features) for features in made], np.int64))
            _save(flat, np.concatenate(made))
        frames, features = _map(counts), _map(flat)
        if len(frames) != len(places) or frames.sum() != len(features):
            raise _damaged(flat)
        starts = np.cumsum(frames) - frames
        return {
            place: features[start : start + count] for place, start, count in zip(places, starts, frames, strict=True)
        }

    def _made(self, clip: Clip, copy: str) -> NDArray[np.float16]:
        if clip.audio is None:
            raise InvalidInput(f"Clip {clip.key} has no sound; a quantizer learns from clips with sound and tokens.")
        samples = audio.resample(recording_of(clip), SAMPLE_RATE).samples
        try:
            features = self._hubert(_copied(samples, copy, clip.key))
        except torch.OutOfMemoryError as error:
            raise Unavailable(
                f"There is not enough memory for the features of clip {clip.key}. Stop other programs on it, or use "
                "--device cpu; finished features stay."
            ) from error
        return features.to(torch.float16).cpu().numpy()


def _copied(samples: NDArray[np.float32], copy: str, key: str) -> NDArray[np.float32]:
    """Return the samples in the version `copy`; the same clip always gives the same result."""
    if copy == CLEAN:
        return samples
    seed = int.from_bytes(hashlib.blake2b(f"{copy} {key}".encode(), digest_size=6).digest(), "big")
    random = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        batch = torch.from_numpy(samples)[None]
        if copy == NOISY:
            batch = add_noise(batch, random, low=_NOISE_DECIBELS, high=_NOISE_DECIBELS, share=1.0)
        else:
            batch = disturb(batch, random)
    changed: NDArray[np.float32] = batch[0].numpy()
    return changed


def aligned(features: NDArray[np.float16], clip: Clip) -> Example:
    """Return features and tokens cut to the same length.

    Both start at the same time; HuBERT has 50 frames a second and Bark 49.9 tokens.
    """
    length = min(len(features), len(clip.semantic))
    return Example(features[:length], clip.semantic[:length].astype(np.int64))


def _map(path: Path) -> NDArray[Any]:
    try:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path) from error
    return mapped


def _save(path: Path, array: NDArray[Any]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _damaged(path: Path) -> InvalidInput:
    return InvalidInput(f"The features in {path} are damaged; remove the file to compute them again.")
