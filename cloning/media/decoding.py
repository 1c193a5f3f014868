"""Decode a media file in a separate process, with every channel unchanged."""

import json
import logging
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cloning.confinement import run_confined
from cloning.media.audio import Samples
from errors import KINDS, BarkeepError, InvalidInput, Unavailable

_log = logging.getLogger(__name__)
_DECODER = (sys.executable, "-m", "cloning.media.decoder_process")

MAX_SECONDS = 600.0
"""A longer recording is rejected."""


@dataclass(frozen=True)
class Decoded:
    """A soundtrack. `pieces`: float32 (N, C), one for each stretch with the same channels.

    Full scale is 1; floating-point files may go far beyond. `seconds`: the length of the whole soundtrack; its
    beginning was decoded. `track`: its number among the file's `tracks`, from 1. `has_holes`: whether parts could not
    be read.
    """

    pieces: tuple[Samples, ...]
    sample_rate: int
    seconds: float
    track: int
    tracks: int
    has_holes: bool


def decode(
    source: Path,
    *,
    track: int = 0,
    keep_seconds: float = MAX_SECONDS,
    max_seconds: float = MAX_SECONDS,
    timeout: float = 60.0,
    memory_mb: int = 1024,
    scratch: Path | None = None,
) -> Decoded:
    """Decode the first seconds of a soundtrack of any common format, detected by content, at 48 kHz at most.

    A child process does the work (`cloning.media.decoder_process`): whatever a file does to FFmpeg, the caller gets
    InvalidInput with a sentence. `track` 0 is the one that players choose; the others follow. `timeout` limits both
    wall-clock and CPU seconds. `scratch`: the folder for temporary files; None: the system's. The samples are in an
    unlinked file until they are released. Raises Unavailable if no child can run or that folder is full.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="barkeep-", dir=scratch) as folder:
            out = Path(folder) / "samples.f32"
            limits = ["--track", str(track), "--keep-seconds", str(keep_seconds), "--max-seconds", str(max_seconds)]
            limits += ["--memory-mb", str(memory_mb), "--cpu-seconds", str(int(timeout) + 1)]
            outcome = _run_decoder([str(source.absolute()), str(out), *limits], timeout)
            return Decoded(pieces=tuple(_pieces(out, outcome.pop("pieces"))), **outcome)
    except OSError as error:
        raise Unavailable(
            "The recording could not be decoded: the machine has no room for a temporary file or another process. "
            "Try again later."
        ) from error


def _pieces(path: Path, sizes: list[tuple[int, int]]) -> list[Samples]:
    """Return views (N, C) of the file for each (C, N)."""
    samples = np.memmap(path, "<f4", "r")
    ends = np.cumsum([channels * length for channels, length in sizes])
    parts = np.split(samples, ends[:-1])
    return [part.reshape(-1, channels) for part, (channels, _) in zip(parts, sizes, strict=True)]


def _run_decoder(arguments: list[str], timeout: float) -> dict[str, Any]:
    """Return the child's answer, a DecodeResult as JSON. Raises the error that it reports or its exit implies."""
    try:
        child = run_confined([*_DECODER, *arguments], timeout)
    except subprocess.TimeoutExpired as error:
        raise _too_slow() from error
    if child.returncode < 0:
        _log.warning("the decoder ended by signal %d", -child.returncode)
        raise _too_slow() if -child.returncode == signal.SIGXCPU else _crashed()
    try:
        answer: dict[str, Any] = json.loads(child.stdout)
    except ValueError as error:
        raise Unavailable(
            "The audio decoder did not start. The person who runs Barkeep finds the reason in the log."
        ) from error
    if "kind" in answer:
        raise KINDS[answer["kind"]](answer["message"])
    return answer


def _too_slow() -> BarkeepError:
    return InvalidInput("This recording took too long to decode. Cut out a part of about 10 seconds and send that.")


def _crashed() -> BarkeepError:
    return InvalidInput(
        "The audio decoder gave up on this file: it is damaged or unusual. Save it again as a 16-bit WAV or an MP3."
    )
