"""Import and export the layout of the published training sets: `semantic/` and `wav/`, in folders or zips.

    python -m training import FOLDER --out CLIPS
    python -m training export CLIPS --out FOLDER

As published, `semantic/X.zip` has STEM.npy, and `wav/X.zip` has STEM.wav. The code that trained the published
quantizers renames them to `N_semantic.npy` and `N_wav.wav`; `export` writes these. The files have neither texts nor
speakers: every pair counts as a new speaker with a new text, since Bark spoke without a prompt.
"""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray

from cloning.atomic_files import make_folder, write_atomically
from cloning.prompt import BARK
from errors import InvalidInput
from training.shards import Clip, ClipShards, ShardWriter

_SAMPLE_RATE = 24_000
"""Bark's rate; sound of another rate is not Bark's own."""
_CLIPS_PER_SHARD = 100
_NAME = re.compile(r"(?:^|/)([^/.][^/]*?)(?:_semantic(?=\.npy)|_wav(?=\.wav))?\.(npy|wav)$")
"""Matches the stem and the kind of a file, but no file that begins with a dot, as macOS adds them."""
_SIDES = ("semantic", "wav")
_LARGEST_MEMBER = 64 << 20
"""Bytes; 15 s of sound are less than 3 MB."""
_ERRORS_TOLD = 5


@dataclass(frozen=True)
class Pair:
    """One clip of the published layout: its name, and functions that read its two files."""

    name: str
    semantic: Callable[[], bytes]
    wav: Callable[[], bytes]


def import_command(
    source: Annotated[Path, typer.Argument(help="A folder with semantic/ and wav/, which hold files or zips.")],
    out: Annotated[Path, typer.Option(help="The folder of the clips. An existing one is continued.")],
) -> None:
    """Import a training set in the original layout."""
    errors = import_original(source, out)
    print(f"{out}: {len(ClipShards(out))} clips")
    for error, count in errors.items():
        print(f"left out, {error}: {count}")


def export_command(
    data: Annotated[Path, typer.Argument(help="A folder of clips.")],
    out: Annotated[Path, typer.Option(help="The folder to write semantic/ and wav/ into.")],
) -> None:
    """Export clips in the original layout, for other programs."""
    print(f"{out}: {export_original(data, out)} clips")


def import_original(source: Path, folder: Path) -> Counter[str]:
    """Import the pairs of `source` into shards in `folder`; pairs that were imported before are skipped.

    Returns the reasons for which files were left out, with counts. Raises InvalidInput when there is no usable pair,
    Unavailable when the disk is full; imported pairs stay.
    """
    pairs, errors = find_pairs(source)
    with ShardWriter(folder, _CLIPS_PER_SHARD, "original") as writer:
        for pair in pairs:
            if pair.name in writer.keys:
                continue
            try:
                writer.add(_clip(pair))
            except _Error as error:
                errors[str(error)] += 1
        found = len(writer.keys)
    if not found:
        told = "; ".join(f"{error}: {count}" for error, count in errors.most_common(_ERRORS_TOLD)) or "no such files"
        raise InvalidInput(
            f"There is no usable pair of NAME.npy and NAME.wav (or N_semantic.npy and N_wav.wav) in {source} ({told}). "
            "Give the folder that has semantic/ and wav/."
        )
    return errors


def export_original(data: Path, folder: Path) -> int:
    """Write the clips in `data` that have sound into `folder`; return their number.

    Raises InvalidInput if none has sound, Unavailable if the folder cannot be written.
    """
    shards = ClipShards(data)
    for part in ("semantic", "wav"):
        make_folder(folder / part)
    written = 0
    for place in range(len(shards)):
        clip = shards[place]
        if clip.audio is None:
            continue
        tokens, sound = io.BytesIO(), io.BytesIO()
        np.save(tokens, clip.semantic.astype(np.int64), allow_pickle=False)
        soundfile.write(sound, clip.audio, clip.sample_rate, format="WAV", subtype="PCM_16")
        write_atomically(folder / "wav" / f"{written}_wav.wav", sound.getvalue())
        write_atomically(folder / "semantic" / f"{written}_semantic.npy", tokens.getvalue())
        written += 1
    if not written:
        raise InvalidInput(f"There are no clips with sound in {data}. Make some with `data` first.")
    return written


def find_pairs(source: Path) -> tuple[list[Pair], Counter[str]]:
    """Return the pairs below `source`, by name, and the reasons for which files or zips were left out.

    A pair is identified by its stem, and by the zip or folder if several have the same stem. Raises InvalidInput if
    there is no such folder.
    """
    if not source.is_dir():
        raise InvalidInput(f"There is no folder {source}. Give the one that has semantic/ and wav/.")
    errors: Counter[str] = Counter()
    halves: dict[str, dict[str, Callable[[], bytes]]] = {"npy": {}, "wav": {}}
    found = list(_files(source, errors))
    repeated = {key for key, count in Counter((kind, stem) for kind, stem, _, _ in found).items() if count > 1}
    ambiguous = {stem for _, stem in repeated}
    for kind, stem, container, read in found:
        name = f"{container}-{stem}" if stem in ambiguous and container else stem
        if name in halves[kind]:
            errors["of a name that occurs twice"] += 1
        halves[kind].setdefault(name, read)
    semantic, wav = halves["npy"], halves["wav"]
    for alone in semantic.keys() ^ wav.keys():
        errors["tokens without sound" if alone in semantic else "sound without tokens"] += 1
    names = sorted(semantic.keys() & wav.keys(), key=lambda name: (len(name), name))
    return [Pair(name, semantic[name], wav[name]) for name in names], errors


class _Error(Exception):
    """The reason why a pair cannot be used, as it is counted."""


def _files(source: Path, errors: Counter[str]) -> Iterator[tuple[str, str, str, Callable[[], bytes]]]:
    """Yield (kind, stem, name of the zip or folder or "", function that reads it) of each file, also in zips."""
    for path in sorted(source.rglob("*")):
        if match := _NAME.search(path.name):
            folders = path.relative_to(source).parts[:-1]
            yield match[2], match[1], "-".join(part for part in folders if part not in _SIDES), path.read_bytes
        elif path.suffix == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    members = [(info, _NAME.search(info.filename)) for info in archive.infolist()]
            except (OSError, zipfile.BadZipFile):
                errors["damaged zips"] += 1
                continue
            for info, match in members:
                if match and info.file_size <= _LARGEST_MEMBER:
                    yield match[2], match[1], path.stem, partial(_member, path, info.filename)


def _member(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def _clip(pair: Pair) -> Clip:
    semantic, audio = _tokens(pair), _sound(pair)
    facts = {"semantic_vocab": BARK.semantic_vocab, "seconds": round(len(audio) / _SAMPLE_RATE, 3)}
    return Clip(pair.name, f"unknown {pair.name}", f"unknown {pair.name}", 0, _SAMPLE_RATE, audio, semantic, facts)


def _tokens(pair: Pair) -> NDArray[np.uint16]:
    try:
        array = np.load(io.BytesIO(pair.semantic()), allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _Error("damaged tokens") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        raise _Error("damaged tokens")
    tokens = array.ravel()
    if not tokens.size:
        raise _Error("no tokens")
    if int(tokens.min()) < 0 or int(tokens.max()) >= BARK.semantic_vocab:
        raise _Error(f"tokens outside 0 to {BARK.semantic_vocab - 1}")
    return tokens.astype(np.uint16)


def _sound(pair: Pair) -> NDArray[np.int16]:
    try:
        samples, rate = soundfile.read(io.BytesIO(pair.wav()), dtype="int16", always_2d=True)
    except (OSError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise _Error("damaged sound") from error
    if rate != _SAMPLE_RATE:
        raise _Error(f"sound of another rate than {_SAMPLE_RATE} Hz")
    if not samples.any():
        raise _Error("silent sound")
    mono: NDArray[np.int16] = samples[:, 0].astype(np.int16)
    return mono
