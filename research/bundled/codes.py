"""Store the codec's codes of a corpus in files, and read them by the keys of the clips."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cloning.atomic_files import replacing
from errors import InvalidInput, NotFound
from research.bundled.spectra import HOP
from training.shards import Clip, ClipShards

Encode = Callable[[Tensor], Tensor]
"""A function that returns the codes int64 (B, books, T) of sound, float (B, T * HOP)."""
EncodeClip = Callable[[Clip], NDArray[np.uint16]]
"""A function that returns the codes (books, T) of a clip."""

_PREFIX = "codes-"
_CLIPS_A_FILE = 500
_FULL_SCALE = 32_768.0


class Codes:
    """The codes in a folder: `codes[key]` is uint16 (books, T). All are in memory, at 16 bytes per frame.

    Raises InvalidInput if a file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._codes: dict[str, NDArray[np.uint16]] = {}
        for path in sorted(folder.glob(f"{_PREFIX}*.npz")):
            self._codes.update(_read(path))

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, key: str) -> bool:
        return key in self._codes

    def __getitem__(self, key: str) -> NDArray[np.uint16]:
        """Return the codes of the clip `key`. Raises NotFound if it has none."""
        if key not in self._codes:
            raise NotFound(f"The clip {key} has no codes; run the step codes first.")
        return self._codes[key]


def write_codes(corpus: Path, folder: Path, encode: EncodeClip) -> None:
    """Encode all clips of `corpus` that have no codes in `folder`; print the progress. Raises what `encode` raises."""
    folder.mkdir(parents=True, exist_ok=True)
    shards, known = ClipShards(corpus), Codes(folder)
    left = [index for index, key in enumerate(shards.keys) if key not in known]
    number = 1 + max((int(path.stem.removeprefix(_PREFIX)) for path in folder.glob(f"{_PREFIX}*.npz")), default=-1)
    for start in range(0, len(left), _CLIPS_A_FILE):
        clips = [shards[index] for index in left[start : start + _CLIPS_A_FILE]]
        codes = [encode(clip) for clip in clips]
        _write(folder / f"{_PREFIX}{number:05}.npz", [clip.key for clip in clips], codes)
        number += 1
        print(f"codes of {start + len(clips)}/{len(left)} clips", flush=True)


def encode_clip(clip: Clip, encode: Encode, device: torch.device) -> NDArray[np.uint16]:
    """Return the codes (books, T) of a clip's sound. Raises InvalidInput if the clip has no sound.

    T is the number of its semantic tokens, or of the frames that its sound fills, whichever is smaller.
    """
    if clip.audio is None:
        raise InvalidInput(f"The clip {clip.key} has no sound to encode; make the corpus again.")
    frames = min(len(clip.audio) // HOP, len(clip.semantic))
    samples = torch.from_numpy(clip.audio[: frames * HOP].astype(np.float32) / _FULL_SCALE).to(device)
    codes: NDArray[np.uint16] = encode(samples[None])[0].cpu().numpy().astype(np.uint16)
    return codes


def _write(path: Path, keys: list[str], codes: list[NDArray[np.uint16]]) -> None:
    """Write the concatenated codes (books, all frames) with their keys and lengths, atomically."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        lengths = np.array([code.shape[1] for code in codes], np.int64)
        np.savez(file, keys=np.array(keys), lengths=lengths, codes=np.concatenate(codes, axis=1), allow_pickle=False)


def _read(path: Path) -> dict[str, NDArray[np.uint16]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            keys, lengths, codes = arrays["keys"].tolist(), arrays["lengths"], arrays["codes"]
        whole = codes.ndim == 2 and len(keys) == len(lengths) and lengths.sum() == codes.shape[1]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path) from error
    if not whole:
        raise _damaged(path)
    ends = np.cumsum(lengths)
    return {key: codes[:, end - length : end] for key, length, end in zip(keys, lengths, ends, strict=True)}


def _damaged(path: Path) -> InvalidInput:
    return InvalidInput(f"The codes in {path} are damaged; delete the file, then make the codes again.")
