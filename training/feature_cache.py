"""HuBERT's features of a corpus, made once and then mapped from the disk, plain and in disturbed copies.

Each shard of clips has a file of features for each copy, and beside it the numbers of frames; the names tell which
HuBERT and which shard they belong to, so that neither another HuBERT nor a shard that was made anew finds wrong ones.
Killed at any point, only the shard in hand is lost. Knows nothing of what is learned from the features.
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

from cloning.atomic_files import replacing
from cloning.checkpoints.weights import weight_file
from cloning.media import audio
from cloning.media.audio import Recording
from cloning.methods.hubert import SAMPLE_RATE, HubertFeatures
from errors import InvalidInput, Unavailable
from training.noise import add_noise
from training.rooms import disturb
from training.shards import Clip, Shards

Features = Callable[[NDArray[np.float32]], Tensor]
"""Samples (N,) at 16 kHz -> (T, D), as `HubertFeatures` does."""

CLEAN, NOISY = "clean", "noisy"
_NOISE_DECIBELS = 10.0
"""What `NOISY` has below speech: a busy street, or a cheap microphone."""
_FULL_SCALE = np.float32(2**15)
_PROGRESS_SECONDS = 15.0


@dataclass(frozen=True)
class Example:
    """One clip: its features, float16 (T, D) on the disk, and a token for each frame, int64 (T,)."""

    features: NDArray[np.float16]
    tokens: NDArray[np.int64]


def rooms(number: int) -> str:
    """The name of a copy of the sound in rooms, through microphones and in noise; each number draws others."""
    return f"rooms{number}"


def fingerprint(model: Path) -> str:
    """A short name for the model in a folder, from its weights."""
    with weight_file(model).open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:12]


class FeatureCache:
    """The features of `shards` by one HuBERT, kept in `folder`.

    name: the HuBERT's, see `fingerprint`. hubert: makes features of what is not there yet.
    """

    def __init__(self, folder: Path, shards: Shards, name: str, hubert: Features | HubertFeatures) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._shards, self._name, self._hubert = folder, shards, name, hubert

    def examples(self, copy: str, places: Sequence[int]) -> list[Example]:
        """The clips at `places` as `copy` has them. What is missing is made, with a line of progress now and then.

        Features and tokens lose their tails to the shorter of the two. Raises InvalidInput for clips without sound,
        Unavailable when the disk or the memory is full.
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
        """Shard -> the places of its clips."""
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
        speech = Recording(clip.audio.astype(np.float32) / _FULL_SCALE, clip.sample_rate)
        samples = audio.resample(speech, SAMPLE_RATE).samples
        try:
            features = self._hubert(_copied(samples, copy, clip.key))
        except torch.OutOfMemoryError as fault:
            raise Unavailable(
                f"There is no memory left for the features of clip {clip.key}. Stop what else uses the device, or take "
                "--device cpu; the features that are made stay."
            ) from fault
        return features.to(torch.float16).cpu().numpy()


def _copied(samples: NDArray[np.float32], copy: str, key: str) -> NDArray[np.float32]:
    """The samples as a copy has them, always the same for the same clip."""
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
    """HuBERT has 50 frames a second and Bark 49.9 tokens, and both begin together: the tails go, not the heads."""
    length = min(len(features), len(clip.semantic))
    return Example(features[:length], clip.semantic[:length].astype(np.int64))


def _map(path: Path) -> NDArray[Any]:
    try:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as fault:
        raise _damaged(path) from fault
    return mapped


def _save(path: Path, array: NDArray[Any]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _damaged(path: Path) -> InvalidInput:
    return InvalidInput(f"The features in {path} are damaged; remove the file, and they are made again.")
