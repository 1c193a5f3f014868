"""The voice prompt: tokens that make Bark speak in a voice, stored as an `.npz` that Suno's own code can read.

Files are untrusted: the zip directory is checked before anything is inflated, and each array's header before its data.
Pickles are never loaded.
"""

import io
import math
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from cloning.atomic_files import write_atomically
from errors import InvalidInput, NotFound, Unavailable

MAX_FILE_BYTES = 8 * 2**20
"""Suno's presets are about 0.1 MiB; the limit bounds the zip directory, which is read whole."""
_MAX_HEADER_BYTES = 1024
_MAX_LENGTH = 100_000
"""The most tokens or frames in a row: 22 minutes of the published models' frames. Bark uses the last 10 s."""
_MAX_BOOKS = 16
"""Twice as many as the published models have."""
_ARRAYS = ("semantic_prompt", "coarse_prompt", "fine_prompt")
_MEMBERS = {f"{name}.npy": name for name in _ARRAYS}
_ENCRYPTED = 0x1

Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PromptSpec:
    """The vocabularies and rates of a family of models. Rates are tokens (semantic) and frames (codec) per second."""

    semantic_vocab: int = 10_000
    coarse_books: int = 2
    fine_books: int = 8
    codebook_size: int = 1024
    semantic_rate: float = 49.9
    frame_rate: float = 75.0


BARK = PromptSpec()
"""The published Bark models."""


@dataclass(frozen=True, eq=False)
class VoicePrompt:
    """`semantic` (S,), `coarse` (coarse books, T), `fine` (fine books, T), all int64. Prompts compare by tokens."""

    semantic: Tokens
    coarse: Tokens
    fine: Tokens

    @classmethod
    def load(cls, source: Path | bytes, spec: PromptSpec = BARK) -> Self:
        """Read an `.npz` file or its bytes and validate it for the models of `spec`. Raises as `read`, `validate`."""
        prompt = cls.read(source)
        prompt.validate(spec)
        return prompt

    @classmethod
    def read(cls, source: Path | bytes) -> Self:
        """Read an `.npz` file or its bytes, for any Bark model. Other arrays in it are not read.

        Raises InvalidInput for a prompt that no Bark model can use, NotFound or Unavailable if a path cannot be read.
        """
        data = source if isinstance(source, bytes) else _read_file(source)
        arrays = _read_arrays(data)
        for name, tokens in arrays.items():
            if tokens.min() < 0:
                raise InvalidInput(
                    f"In this voice file the {_kind(name)} tokens go from {tokens.min()} to {tokens.max()}, but no "
                    "token is below 0. Export the voice again."
                )
        return cls(arrays["semantic_prompt"], arrays["coarse_prompt"], arrays["fine_prompt"])

    def to_bytes(self) -> bytes:
        """Return the `.npz`; the same tokens make the same bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, semantic_prompt=self.semantic, coarse_prompt=self.coarse, fine_prompt=self.fine)
        return buffer.getvalue()

    def save(self, path: Path) -> None:
        """Write the `.npz` to `path` atomically. Raises Unavailable."""
        write_atomically(path, self.to_bytes())

    def seconds(self, spec: PromptSpec = BARK) -> float:
        """Return the length of the codec tokens in seconds."""
        return float(self.fine.shape[-1] / spec.frame_rate)

    @property
    def coarse_matches_fine(self) -> bool:
        """Whether `coarse` is the first books of `fine`, as in Suno's presets. Bark does not require it."""
        return np.array_equal(self.coarse, self.fine[: self.coarse.shape[0]])

    def validate(self, spec: PromptSpec = BARK) -> None:
        """Raise InvalidInput with the first reason why the models of `spec` cannot use this prompt.

        The rules are those of `suno-ai/bark` (`bark/generation.py`): shapes, ranges, and the ratio of frames to
        semantic tokens, rounded to one decimal.
        """
        _check_shape("semantic", self.semantic.shape)
        _check_books("coarse", self.coarse, spec.coarse_books)
        _check_books("fine", self.fine, spec.fine_books)
        _check_range("semantic", self.semantic, spec.semantic_vocab)
        _check_range("coarse", self.coarse, spec.codebook_size)
        _check_range("fine", self.fine, spec.codebook_size)
        ratio = round(self.coarse.shape[1] / self.semantic.size, 1)
        expected = round(spec.frame_rate / spec.semantic_rate, 1)
        if ratio != expected:
            raise InvalidInput(
                f"In this voice file there are {ratio} frames per semantic token; these models need {expected}. "
                "The voice was made for other models, or its file was changed."
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VoicePrompt):
            return NotImplemented
        return (
            np.array_equal(self.semantic, other.semantic)
            and np.array_equal(self.coarse, other.coarse)
            and np.array_equal(self.fine, other.fine)
        )

    __hash__ = None  # type: ignore[assignment]  # arrays are mutable, so a prompt has no hash


def _kind(array: str) -> str:
    """Return the kind of tokens in the array of this name: semantic, coarse or fine."""
    return array.removesuffix("_prompt")


def _check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raise InvalidInput if tokens `name` have a shape that no Bark model uses."""
    *books, length = shape or (0,)
    if len(shape) > 2:
        raise InvalidInput(f"In this voice file the {name} tokens have {len(shape)} dimensions; a voice has at most 2.")
    if name == "semantic" and len(shape) != 1:
        raise InvalidInput(f"In this voice file the semantic tokens have the shape {shape}; they must be one row.")
    if name != "semantic" and (len(shape) != 2 or books[0] > _MAX_BOOKS):
        raise InvalidInput(
            f"In this voice file the {name} tokens have the shape {shape}; it must be (books, frames), with "
            f"{_MAX_BOOKS} books at most."
        )
    if 0 in shape:
        raise InvalidInput("This voice file is empty: it holds no tokens. Clone the voice again.")
    if length > _MAX_LENGTH:
        raise InvalidInput(
            f"In this voice file a row has {length} {name} tokens, and a voice has at most {_MAX_LENGTH}. A few "
            "seconds of speech are enough: clone the voice from a shorter recording."
        )


def _check_books(name: str, tokens: Tokens, books: int) -> None:
    _check_shape(name, tokens.shape)
    if tokens.shape[0] != books:
        raise InvalidInput(
            f"In this voice file the {name} tokens have the shape {tokens.shape}; these models need ({books}, frames)."
        )


def _check_range(name: str, tokens: Tokens, vocabulary: int) -> None:
    low, high = int(tokens.min()), int(tokens.max())
    if low < 0 or high >= vocabulary:
        raise InvalidInput(
            f"In this voice file the {name} tokens go from {low} to {high}; these models use 0 to {vocabulary - 1}."
        )


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"There is no voice file {path.name}. Check its name, or clone the voice again.") from error
    except OSError as error:
        raise Unavailable(
            f"The voice file {path.name} cannot be read. Check that it is a file and may be read."
        ) from error


def _read_arrays(data: bytes) -> dict[str, Tokens]:
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInput(f"This voice file is larger than {MAX_FILE_BYTES // 2**20} MiB, so it cannot be a voice.")
    try:
        if not zipfile.is_zipfile(io.BytesIO(data)):
            raise InvalidInput(
                "This is not a voice file, or it was cut off: a voice is an .npz archive. Export the voice again."
            )
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_directory(archive)
            return {name: _read_member(archive, archive.getinfo(member)) for member, name in _MEMBERS.items()}
    except InvalidInput:
        raise
    # zipfile and numpy raise nearly every built-in exception for hostile bytes; all mean the same here.
    except Exception as error:
        raise InvalidInput("This voice file is damaged. Export the voice again.") from error


def _check_directory(archive: zipfile.ZipFile) -> None:
    """Check the entries of the three arrays. Other entries are ignored, as in Suno's own code."""
    members = [member for member in archive.infolist() if member.filename in _MEMBERS]
    if sorted(member.filename for member in members) != sorted(_MEMBERS):
        raise InvalidInput(f"A voice file holds each of these arrays once: {', '.join(_ARRAYS)}. This one does not.")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise InvalidInput("This voice file is protected by a password. Save it without one.")
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise InvalidInput("This voice file uses a compression that NumPy does not write. Export the voice again.")


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Tokens:
    """Read one array. Its header is checked before its data are inflated, so the size is bounded."""
    name = _MEMBERS[member.filename]
    with archive.open(member) as file:
        prefix = file.read(_MAX_HEADER_BYTES)
        shape, fortran_order, dtype, offset = _read_header(name, prefix)
        if dtype.hasobject:
            raise InvalidInput("This voice file holds Python objects, which may run code, so it was not opened.")
        if dtype.kind not in "iu":
            raise InvalidInput(f"In this voice file {name} holds {dtype.name} instead of whole numbers.")
        if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize != member.file_size - offset:
            raise InvalidInput(f"In this voice file {name} is not as long as it claims. Export the voice again.")
        _check_shape(_kind(name), shape)
        body = prefix[offset:] + file.read(member.file_size - len(prefix))
    tokens = np.frombuffer(body, dtype).reshape(shape, order="F" if fortran_order else "C")
    if tokens.max() > np.iinfo(np.int64).max:
        raise InvalidInput(
            f"In this voice file the {_kind(name)} tokens go to {tokens.max()}; no Bark model has that many."
        )
    return tokens.astype(np.int64)


def _read_header(name: str, prefix: bytes) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    """Return shape, order, dtype, and the offset of the data."""
    stream = io.BytesIO(prefix)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        read_header = readers[np.lib.format.read_magic(stream)]
        shape, fortran_order, dtype = read_header(stream, max_header_size=_MAX_HEADER_BYTES)
    except (ValueError, KeyError, struct.error) as error:
        raise InvalidInput(f"In this voice file {name} is not a NumPy array. Export the voice again.") from error
    return shape, fortran_order, dtype, stream.tell()
