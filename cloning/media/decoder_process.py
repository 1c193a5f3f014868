"""Decode an untrusted media file to raw samples, in a separate process: `python -m cloning.media.decoder_process`.

FFmpeg parses hostile bytes only here: the kernel limits its memory, CPU time and output, and lists limit its formats
and codecs. It gets a file object, so it cannot open another file or address. Called by
`cloning.media.decoding.decode`; prints one line of JSON: a DecodeResult, or a kind of `errors` and a sentence.
"""

import argparse
import errno
import json
import mmap
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from cloning.confinement import confine
from cloning.media import ogg
from cloning.media.frames import DAMAGED, MAX_CHANNELS, MAX_RATE, TOO_BIG, Channels, Tally, at_one_rate, blocks
from errors import BarkeepError, InvalidInput, Unavailable

_FORMATS = "wav,w64,flac,mp3,ogg,matroska,webm,mov,mp4,m4a,aac,aiff,caf,amr,au"
_CODECS = ",".join(
    (
        "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be",
        "pcm_u8,pcm_s8,pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,gsm,gsm_ms",
        "g722,g726,g726le",
        "flac,alac,mp3,mp3float,mp2,mp2float,aac,opus,libopus,vorbis,libvorbis,speex",
        "amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,ac3,eac3",
    )
)
_MEDIA_MARKS = {0: (b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3", b"caff", b"#!AMR"), 4: (b"ftyp",), 8: (b"WAVE", b"AIF")}
"""Offset -> the first bytes of files of the known formats, to tell a damaged recording from other files."""

_NOT_AUDIO = "This is not a recording I can read. Send a WAV, FLAC, MP3, Ogg, M4A, MP4 or WebM file."
_MAX_PIECES = 64
"""A file that changes its number of channels more often counts as damaged."""
_PAUSE_SECONDS = 60
"""The seconds that may be written beyond the requested ones: a pause and the frame after it."""


@dataclass(frozen=True)
class DecodeResult:
    """The content of the file of samples, and its source.

    `pieces`: (channels C, samples N) of each stretch with the same channels, float32 little-endian, (N, C) in C order,
    one after the other. `seconds`: the length of the whole recording; its beginning was kept. `tracks`: the number of
    readable soundtracks; `track` is the decoded one, counted from 1 in file order. `has_holes`: whether parts could not
    be read.
    """

    sample_rate: int
    pieces: list[tuple[int, int]]
    seconds: float
    track: int
    tracks: int
    has_holes: bool


class _Bytes:
    """A part of a file without a name, so that the format is detected by content and not by suffix."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._start = start
        self._end = end
        self.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, none beyond the end."""
        left = max(0, self._end - self._file.tell())
        return self._file.read(left if size < 0 else min(size, left))

    def tell(self) -> int:
        """Return the position within the part."""
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Return the new position, or a negative error number, as FFmpeg expects, for an invalid one."""
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._end}.get(whence)
        if base is None or base + offset < self._start:
            return -errno.EINVAL
        try:
            return self._file.seek(base + offset) - self._start
        except (OSError, ValueError):  # further than any file reaches, or than 64 bits
            return -errno.EINVAL


def decode(source: Path, out: Path, *, track: int, keep_seconds: float, max_seconds: float) -> DecodeResult:
    """Write the first seconds of a soundtrack of `source` to `out`, with all channels unchanged; see DecodeResult.

    `track` 0 is the one that players choose, the others follow in file order. Samples of floating-point files may be
    beyond 1. The rate is the stream's own, at most MAX_RATE. Raises InvalidInput, or Unavailable if `out` cannot be
    written.
    """
    part = out.with_name(f"{out.name}.part")
    with _open(source) as file:
        reading = _Reading(track, Tally(keep_seconds, max_seconds))
        try:
            with part.open("wb") as target:
                rate, pieces = _write(at_one_rate(reading.blocks(file)), target)
            part.replace(out)
        except OSError as error:
            # FFmpeg's own errors are OSErrors too, but `_Reading` and `frames` have caught those.
            raise Unavailable(
                "The recording could not be decoded: the machine has no room for its samples. Try again later, or "
                "tell the person who runs Barkeep."
            ) from error
    tally = reading.tally
    return DecodeResult(rate, pieces, tally.seconds, reading.track, reading.tracks, tally.holes > 0)


def _open(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise InvalidInput(
            f"The recording {source.name} cannot be opened. Check that it is a file and may be read."
        ) from error


def _write(incoming: Iterator[tuple[int, Channels]], target: BinaryIO) -> tuple[int, list[tuple[int, int]]]:
    """Write blocks; return the sample rate, and the pieces of DecodeResult."""
    rate = 0
    pieces: list[tuple[int, int]] = []
    for block_rate, block in incoming:
        rate = block_rate
        samples, channels = block.shape
        if samples == 0:
            continue
        if pieces and pieces[-1][0] == channels:
            samples += pieces.pop()[1]
        pieces.append((channels, samples))
        if len(pieces) > _MAX_PIECES:
            raise InvalidInput(DAMAGED)
        target.write(np.ascontiguousarray(block, "<f4").data)
    if not pieces:
        raise InvalidInput(DAMAGED)
    return rate, pieces


class _Reading:
    """Reads one soundtrack through all links of a file."""

    def __init__(self, track: int, tally: Tally) -> None:
        self.tally = tally
        self.track = track
        self.tracks = 0
        self._wanted = track

    def blocks(self, file: BinaryIO) -> Iterator[tuple[int, Channels]]:
        """Yield (rate, samples) of all links. Raises InvalidInput if it is too long or none is readable."""
        links = _links(file)
        failures: list[InvalidInput] = []
        for link in links:
            try:
                with _container(_Bytes(file, link.start, link.end)) as container:
                    yield from blocks(container, self._stream(container), self.tally)
            except (InvalidInput, OSError) as error:
                failures.append(error if isinstance(error, InvalidInput) else InvalidInput(DAMAGED))
                if len(links) == len(failures) or self.tally.is_too_long:
                    raise failures[0] from None
                self.tally.holes += 1

    def _stream(self, container: InputContainer) -> AudioStream:
        streams = _readable(container)
        stream = streams[min(self._wanted, len(streams) - 1)]
        if not self.tracks:
            self.tracks = len(streams)
            self.track = 1 + sorted(each.index for each in streams).index(stream.index)
        if stream.codec_context is not None:
            stream.codec_context.thread_count = 1
        return stream


def _links(file: BinaryIO) -> list[ogg.Link]:
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise InvalidInput("This file is empty. Record or upload it again.")
    try:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return ogg.links(data)
    except OSError as error:
        raise InvalidInput(TOO_BIG) from error


def _container(file: _Bytes) -> InputContainer:
    head = file.read(12)
    file.seek(0)
    options = {"format_whitelist": _FORMATS, "codec_whitelist": _CODECS, "protocol_whitelist": "none"}
    try:
        return av.open(file, mode="r", container_options=options, metadata_errors="ignore")
    except av.error.MemoryError as error:
        raise InvalidInput(TOO_BIG) from error
    except (av.error.FFmpegError, ValueError) as error:
        is_media = any(head[at:].startswith(marks) for at, marks in _MEDIA_MARKS.items())
        raise InvalidInput(DAMAGED if is_media else _NOT_AUDIO) from error


def _readable(container: InputContainer) -> list[AudioStream]:
    """Return the decodable soundtracks: first those marked as default, unless all are; then in file order.

    Players choose the same way. A Matroska file without marks marks all.
    """
    streams = list(container.streams.audio)
    if not streams:
        if container.streams.video:
            raise InvalidInput("This video has no sound. Send a recording of speech.")
        raise InvalidInput(DAMAGED)
    known = [stream for stream in streams if stream.codec_context and stream.codec_context.name in _CODECS.split(",")]
    if not known:
        raise InvalidInput(
            f"The sound in this file is coded as {_codec(streams[0])}, which I cannot read. Save it as a 16-bit WAV, "
            "FLAC or MP3 and send that."
        )
    return sorted(known, key=lambda stream: not stream.disposition & Disposition.default)


def _codec(stream: AudioStream) -> str:
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else "something unknown"


def main(arguments: list[str] | None = None) -> None:
    """Decode by the arguments of the command line and print the outcome. The exit status is 0 if it was printed."""
    parser = argparse.ArgumentParser(
        prog="python -m cloning.media.decoder_process", description="Media file to raw samples."
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--track", type=int, required=True)
    parser.add_argument("--keep-seconds", type=float, required=True)
    parser.add_argument("--max-seconds", type=float, required=True)
    parser.add_argument("--memory-mb", type=int, required=True)
    parser.add_argument("--cpu-seconds", type=int, required=True)
    options = parser.parse_args(arguments)
    kept_seconds = min(options.keep_seconds, options.max_seconds) + _PAUSE_SECONDS
    output_bytes = int(kept_seconds * MAX_RATE * MAX_CHANNELS * np.dtype(np.float32).itemsize)
    confine(options.memory_mb, options.cpu_seconds, output_bytes)
    try:
        done = decode(
            options.source,
            options.out,
            track=options.track,
            keep_seconds=options.keep_seconds,
            max_seconds=options.max_seconds,
        )
        outcome: dict[str, object] = asdict(done)
    except BarkeepError as error:
        outcome = {"kind": type(error).__name__, "message": error.message}
    except MemoryError:
        outcome = {"kind": InvalidInput.__name__, "message": TOO_BIG}
    # Any other error of FFmpeg or PyAV is an error in the member's file; the log gets the traceback.
    except Exception:
        traceback.print_exc()
        outcome = {"kind": InvalidInput.__name__, "message": DAMAGED}
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()
