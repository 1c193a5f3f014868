"""A store of clips for training: numbered shards with checksums and random access.

A shard is two files: `PREFIX-00000.npz`, uncompressed, with the concatenated audio and semantic tokens of its clips,
and `PREFIX-00000.jsonl`, the manifest: one line per clip with everything else and a checksum. Both are written to a
temporary name and renamed, the .npz last: a shard exists if its .npz does. Several processes may write to one folder,
each with its own prefix.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from cloning.atomic_files import make_folder, replacing, write_atomically
from cloning.media.audio import Recording
from errors import Conflict, InvalidInput

Split = Literal["train", "valid", "test"]

_DIGITS = 5
_LARGEST_TOKEN = np.iinfo(np.uint16).max
_LOCAL_HEADER_BYTES = 30  # of a zip member, before its name and extra field
_MAPPED_SHARDS = 256


@dataclass(frozen=True)
class Clip:
    """One utterance.

    `key` is unique in its folder. `audio` is int16 (N,), or None in corpora of tokens only. `semantic` is uint16 (S,).
    `facts` holds JSON values: temperatures, durations, the parameters of a voice.
    """

    key: str
    text: str
    speaker: str
    seed: int
    sample_rate: int
    audio: NDArray[np.int16] | None
    semantic: NDArray[np.uint16]
    facts: Mapping[str, Any] = field(default_factory=dict)


def recording_of(clip: Clip) -> Recording:
    """Return a clip's sound; empty if it has none."""
    samples = np.zeros(0, np.int16) if clip.audio is None else clip.audio
    return Recording(samples.astype(np.float32) / np.float32(32768), clip.sample_rate)


def split_of(name: str, *, test: float = 0.04, valid: float = 0.04) -> Split:
    """Return the split of a speaker or a text, which depends only on its name.

    `test` and `valid` are shares of 1. A clip is held out when its speaker or its text is.
    """
    fraction = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") / 2**64
    if fraction < test:
        return "test"
    return "valid" if fraction < test + valid else "train"


class ShardWriter:
    """Writes clips into `folder` under `prefix`, after the existing shards.

    A kill loses only the clips of the unfinished shard. `keys` are those of all clips, written or waiting for a full
    shard.
    """

    def __init__(self, folder: Path, clips_per_shard: int, prefix: str = "clips") -> None:
        if clips_per_shard < 1:
            raise InvalidInput("A shard holds at least one clip; ask for one or more clips per shard.")
        self._folder, self._size, self._prefix = folder, clips_per_shard, prefix
        make_folder(folder)
        written = [path for path in _shard_files(folder) if path.stem[: -_DIGITS - 1] == prefix]
        self._number = 1 + max((int(path.stem[-_DIGITS:]) for path in written), default=-1)
        self.keys = {record["key"] for path in written for record in _records(path)}
        self._waiting: list[Clip] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def add(self, clip: Clip) -> None:
        """Add `clip`; it is written when its shard is full, or by `close`.

        Raises Conflict for an existing key, InvalidInput for tokens that do not fit 16 bits, Unavailable when the disk
        is full or not writable.
        """
        if clip.key in self.keys:
            raise Conflict(f"There is already a clip {clip.key}; give every clip its own key.")
        if clip.semantic.size and not 0 <= int(clip.semantic.min()) <= int(clip.semantic.max()) <= _LARGEST_TOKEN:
            raise InvalidInput(f"Clip {clip.key} has semantic tokens outside 0..{_LARGEST_TOKEN}; it cannot be stored.")
        self.keys.add(clip.key)
        self._waiting.append(clip)
        if len(self._waiting) == self._size:
            self._flush()

    def close(self) -> None:
        """Write the remaining clips as a smaller shard. More clips may follow, in a new shard."""
        if self._waiting:
            self._flush()

    def _flush(self) -> None:
        path = self._folder / f"{self._prefix}-{self._number:0{_DIGITS}d}.npz"
        audio = [clip.audio for clip in self._waiting if clip.audio is not None]
        arrays = {
            "audio": np.concatenate(audio) if audio else np.empty(0, np.int16),
            "semantic": np.concatenate([clip.semantic for clip in self._waiting]).astype(np.uint16),
        }
        lines = "".join(json.dumps(_record(clip), ensure_ascii=False) + "\n" for clip in self._waiting)
        write_atomically(path.with_suffix(".jsonl"), lines.encode("utf-8"))
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        self._number += 1
        self._waiting.clear()


class ClipShards:
    """The clips of a folder, by position; audio and tokens are read on access.

    Positions follow the names of the shards, then their lines. `keys`, `texts` and `speakers` are those of the clips,
    `lengths` their numbers of semantic tokens. Raises InvalidInput when a manifest cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._places: list[tuple[Path, dict[str, Any], int, int]] = []
        self.paths = _shard_files(folder)
        for path in self.paths:
            samples = tokens = 0
            for record in _records(path):
                self._places.append((path, record, samples, tokens))
                samples += record["samples"] or 0
                tokens += record["tokens"]
        self.keys = [record["key"] for _, record, _, _ in self._places]
        self.texts = [record["text"] for _, record, _, _ in self._places]
        self.speakers = [record["speaker"] for _, record, _, _ in self._places]
        self.lengths = np.array([record["tokens"] for _, record, _, _ in self._places], np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Clip:
        path, record, samples, tokens = self._places[index]
        arrays = _map(path)
        audio = None
        if record["samples"] is not None:
            audio = np.array(arrays["audio"][samples : samples + record["samples"]])
        semantic = np.array(arrays["semantic"][tokens : tokens + record["tokens"]])
        fields = {name: record[name] for name in ("key", "text", "speaker", "seed", "sample_rate", "facts")}
        return Clip(audio=audio, semantic=semantic, **fields)

    def path_of(self, index: int) -> Path:
        """Return the .npz of the shard that holds a clip."""
        return self._places[index][0]

    def semantic(self, index: int) -> NDArray[np.uint16]:
        """Return the tokens of a clip without reading its sound."""
        path, record, _, tokens = self._places[index]
        return np.array(_map(path)["semantic"][tokens : tokens + record["tokens"]])

    def facts(self, index: int) -> Mapping[str, Any]:
        """Return the facts of a clip without reading its sound and tokens."""
        facts: Mapping[str, Any] = self._places[index][1]["facts"]
        return facts

    def verify(self) -> None:
        """Read everything and compare the checksums. Raises InvalidInput that names the first damaged shard."""
        sizes: dict[Path, tuple[int, int]] = {}
        for index, (path, record, samples, tokens) in enumerate(self._places):
            clip = self[index]
            if _checksum(_description(clip), clip) != record["checksum"]:
                raise _damaged(path)
            sizes[path] = (samples + (record["samples"] or 0), tokens + record["tokens"])
        for path in self.paths:
            arrays = _map(path)
            if sizes.get(path) != (len(arrays["audio"]), len(arrays["semantic"])):
                raise _damaged(path)


def read_shards(folder: Path) -> Iterator[Clip]:
    """Yield the clips of `folder` in order. Raises InvalidInput that names a shard that cannot be read."""
    shards = ClipShards(folder)
    for index in range(len(shards)):
        yield shards[index]


def _shard_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*-{'[0-9]' * _DIGITS}.npz"))


def _description(clip: Clip) -> dict[str, Any]:
    """Return a clip's line in the manifest, without the checksum."""
    return {
        "key": clip.key,
        "text": clip.text,
        "speaker": clip.speaker,
        "seed": clip.seed,
        "sample_rate": clip.sample_rate,
        "samples": None if clip.audio is None else len(clip.audio),
        "tokens": len(clip.semantic),
        "facts": dict(clip.facts),
    }


def _record(clip: Clip) -> dict[str, Any]:
    description = _description(clip)
    return {**description, "checksum": _checksum(description, clip)}


def _checksum(description: dict[str, Any], clip: Clip) -> str:
    digest = hashlib.blake2b(json.dumps(description, sort_keys=True).encode(), digest_size=8)
    if clip.audio is not None:
        digest.update(clip.audio.astype("<i2").tobytes())
    digest.update(clip.semantic.astype("<u2").tobytes())
    return digest.hexdigest()


def _records(path: Path) -> list[dict[str, Any]]:
    """Read the manifest of the shard at `path`."""
    names = {"key", "text", "speaker", "seed", "sample_rate", "samples", "tokens", "facts", "checksum"}
    try:
        lines = path.with_suffix(".jsonl").read_text(encoding="utf-8").split("\n")
        records = [json.loads(line) for line in lines if line]
        whole = all(names == record.keys() for record in records)
    except (OSError, ValueError, AttributeError) as error:
        raise _damaged(path) from error
    if not records or not whole:
        raise _damaged(path)
    return records


@lru_cache(_MAPPED_SHARDS)
def _map(path: Path) -> dict[str, NDArray[Any]]:
    """Map the arrays of an uncompressed .npz into memory."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename.removesuffix(".npy"): _map_member(path, info) for info in archive.infolist()}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise _damaged(path) from error


def _map_member(path: Path, info: zipfile.ZipInfo) -> NDArray[Any]:
    if info.compress_type != zipfile.ZIP_STORED:
        raise _damaged(path)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
        name, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
        file.seek(info.header_offset + _LOCAL_HEADER_BYTES + name + extra)
        np.lib.format.read_magic(file)
        shape, _, kind = np.lib.format.read_array_header_1_0(file)
        if not shape[0]:
            return np.empty(shape, kind)
        return np.memmap(path, kind, "r", file.tell(), shape)


def _damaged(path: Path) -> InvalidInput:
    return InvalidInput(f"The shard {path.name} is damaged; remove it and its .jsonl, then make it again.")
