"""Turns a stranger's media file into raw mono samples, in a process of its own: `python -m cloning.media.decoder`.

FFmpeg parses hostile bytes here and nowhere else, with its memory, processor time and output limited by the kernel and
its formats and codecs by lists. It is handed a file object, so it can open no other file and no address. Knows nothing
of speech. Called by `cloning.media.audio.decode`; prints one line of JSON: the sample rate, or a kind of `errors` and a
sentence.
"""

import argparse
import errno
import json
import os
import resource
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from errors import BarkeepError, InvalidInput, Unavailable

MAX_RATE = 48_000
"""Higher rates are brought down to this one in hertz: speech has nothing above, and memory stays bounded."""
_KNOWN_RATES = range(4_000, 384_001)

_FORMATS = "wav,w64,flac,mp3,ogg,matroska,webm,mov,mp4,m4a,aac,aiff,caf,amr,au"
_CODECS = ",".join(
    (
        "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be",
        "pcm_u8,pcm_s8,pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,gsm,gsm_ms",
        "flac,alac,mp3,mp3float,mp2,mp2float,aac,opus,libopus,vorbis,libvorbis,speex",
        "amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,ac3,eac3",
    )
)
_LENGTH_IS_A_GUESS = {"mp3", "aac", "amr"}
"""These have no length in their header; FFmpeg multiplies the first frames' bit rate, which can be far off."""
_TOLERATED_FAULTS = 0.1
"""The share of packets that may fail to decode before a file counts as damaged; one may always, at a cut-off end."""

_MEDIA_MARKS = {0: (b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3", b"caff", b"#!AMR"), 4: (b"ftyp",), 8: (b"WAVE", b"AIF")}
"""Offset -> what the files of the known formats begin with, to tell a damaged recording from something else."""

_NOT_AUDIO = "This is not a recording I can read. Send a WAV, FLAC, MP3, Ogg, M4A, MP4 or WebM file."
_DAMAGED = "This recording is damaged or was cut off. Save or upload it again, or send it as WAV or MP3."
_TOO_BIG = "This recording needs too much memory to decode. Send a shorter one, as WAV or MP3."

_SCALES = {"uint8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
"""What a sample of full scale is in FFmpeg's whole-number formats; the others are floating point already."""

Samples = npt.NDArray[np.float32]


class _Bytes:
    """A file without a name, so that the format is told by the content and not by the name's ending."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read = file.read
        self.tell = file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position, or a negative error number, as FFmpeg wants it, where a broken file points nowhere."""
        try:
            return self._file.seek(offset, whence)
        except OSError as fault:
            return -(fault.errno or errno.EINVAL)


def confine(memory_mb: int, cpu_seconds: int, output_bytes: int) -> None:
    """Limit this process: memory beyond what its libraries hold by now, processor time, and the size of a file."""
    limits = [(resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_FSIZE, output_bytes), (resource.RLIMIT_CORE, 0)]
    occupied = Path("/proc/self/statm")
    if occupied.exists():
        pages = int(occupied.read_text().split()[0])
        limits.append((resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + memory_mb * 2**20))
    for which, wanted in limits:
        hard = resource.getrlimit(which)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (limit, limit))


def decode(source: Path, out: Path, max_seconds: float) -> int:
    """Write the first audio stream of `source` to `out` as float32 little-endian mono in [-1, 1]; return its rate.

    The rate is the stream's own, at most MAX_RATE. Raises InvalidInput, or Unavailable if `out` cannot be written.
    """
    with _open(source) as file, _container(file) as container:
        stream = _audio_stream(container)
        _check_claimed_length(container, stream, max_seconds)
        part = out.with_name(f"{out.name}.part")
        try:
            with part.open("wb") as target:
                rate = _write_samples(container, stream, target, max_seconds)
            part.replace(out)
        except OSError as fault:
            # FFmpeg's own faults are OSErrors too, but `_frames` has caught those.
            raise Unavailable(
                "The recording could not be decoded: the machine has no room for its samples. Try again later, or "
                "tell the person who runs Barkeep."
            ) from fault
    return rate


def _open(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as fault:
        raise InvalidInput(
            f"The recording {source.name} cannot be opened. Check that it is a file and may be read."
        ) from fault


def _container(file: BinaryIO) -> InputContainer:
    head = file.read(12)
    file.seek(0)
    if not head:
        raise InvalidInput("This file is empty. Record or upload it again.")
    options = {"format_whitelist": _FORMATS, "codec_whitelist": _CODECS, "protocol_whitelist": "none"}
    try:
        return av.open(_Bytes(file), mode="r", container_options=options, metadata_errors="ignore")
    except av.error.MemoryError as fault:
        raise InvalidInput(_TOO_BIG) from fault
    except (av.error.FFmpegError, ValueError) as fault:
        is_media = any(head[at:].startswith(marks) for at, marks in _MEDIA_MARKS.items())
        raise InvalidInput(_DAMAGED if is_media else _NOT_AUDIO) from fault


def _audio_stream(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        if container.streams.video:
            raise InvalidInput("This video has no sound. Send a recording in which somebody speaks.")
        raise InvalidInput(_DAMAGED)
    stream = container.streams.audio[0]
    context = stream.codec_context
    if context is None or context.name not in _CODECS.split(","):
        raise InvalidInput("The sound in this file is coded in a way I cannot read. Send it as WAV, MP3 or Ogg.")
    context.thread_count = 1
    return stream


def _check_claimed_length(container: InputContainer, stream: AudioStream, max_seconds: float) -> None:
    if container.format.name in _LENGTH_IS_A_GUESS:
        return
    if stream.duration is not None and stream.time_base is not None:
        claimed = float(stream.duration * stream.time_base)
    else:
        claimed = (container.duration or 0) / av.time_base
    if claimed > max_seconds:
        raise _too_long(max_seconds)


def _too_long(max_seconds: float) -> InvalidInput:
    limit = f"{max_seconds / 60:.0f} minutes" if max_seconds >= 120 else f"{max_seconds:.0f} seconds"
    return InvalidInput(f"This recording is longer than {limit}. Cut out a part of about 10 seconds and send that.")


def _write_samples(container: InputContainer, stream: AudioStream, target: BinaryIO, max_seconds: float) -> int:
    rate = 0
    written = 0
    for source_rate, block in _at_one_rate(_blocks(container, stream)):
        rate = source_rate
        written += block.size
        if written > max_seconds * rate:
            raise _too_long(max_seconds)
        target.write(np.clip(np.nan_to_num(block), -1.0, 1.0).astype("<f4").tobytes())
    if written == 0:
        raise InvalidInput(_DAMAGED)
    return rate


def _at_one_rate(blocks: Iterator[tuple[int, Samples]]) -> Iterator[tuple[int, Samples]]:
    """(rate, block) with the rate of the first block, at most MAX_RATE. Rates can change within a stream."""
    target = 0
    current = 0
    resampler: soxr.ResampleStream | None = None
    for rate, block in blocks:
        target = target or min(rate, MAX_RATE)
        if rate != current:
            if resampler is not None:
                yield target, resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            resampler = soxr.ResampleStream(rate, target, 1, dtype="float32") if rate != target else None
            current = rate
        yield target, resampler.resample_chunk(block) if resampler is not None else block
    if resampler is not None:
        yield target, resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _blocks(container: InputContainer, stream: AudioStream) -> Iterator[tuple[int, Samples]]:
    """(sample rate, mono samples) for each decoded frame. Stops where the file ends or can be read no further."""
    for frame in _frames(container, stream):
        if frame.sample_rate not in _KNOWN_RATES:
            raise InvalidInput(
                f"This recording claims {frame.sample_rate} samples a second. Send it at 44100 or 48000."
            )
        yield frame.sample_rate, _mono(frame)


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Every frame that decodes. Raises InvalidInput if too many packets did not."""
    packets = 0
    faults = 0
    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed, None)
            if packet is None:
                break
            packets += 1
            frames = stream.decode(packet)
        except av.error.MemoryError as fault:
            raise InvalidInput(_TOO_BIG) from fault
        except av.error.FFmpegError:
            # A generator that has raised is over, so a fault of the demuxer ends the loop at the next packet.
            faults += 1
            continue
        yield from frames
    if faults > max(1.0, _TOLERATED_FAULTS * packets):
        raise InvalidInput(_DAMAGED)


def _mono(frame: AudioFrame) -> Samples:
    """(N,) the mean of the channels."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    scale = _SCALES.get(array.dtype.name, 1.0)
    centre = 2.0**7 if array.dtype == np.uint8 else 0.0
    # Floating-point files may hold infinities; what they make of the mean is silenced later.
    with np.errstate(invalid="ignore", over="ignore"):
        mono: Samples = ((array.mean(axis=0, dtype=np.float64) - centre) / scale).astype(np.float32)
    return mono


def main(arguments: list[str] | None = None) -> None:
    """Decode as the command line says and print the outcome. The exit status is 0 whenever there is an outcome."""
    parser = argparse.ArgumentParser(prog="python -m cloning.media.decoder", description="Media file to raw samples.")
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--max-seconds", type=float, required=True)
    parser.add_argument("--memory-mb", type=int, required=True)
    parser.add_argument("--cpu-seconds", type=int, required=True)
    options = parser.parse_args(arguments)
    output_bytes = int((options.max_seconds + 60) * MAX_RATE * np.dtype(np.float32).itemsize)
    confine(options.memory_mb, options.cpu_seconds, output_bytes)
    try:
        outcome: dict[str, object] = {"sample_rate": decode(options.source, options.out, options.max_seconds)}
    except BarkeepError as fault:
        outcome = {"kind": type(fault).__name__, "message": fault.message}
    except MemoryError:
        outcome = {"kind": InvalidInput.__name__, "message": _TOO_BIG}
    # Whatever else a hostile file makes FFmpeg or PyAV do, the member's file is at fault; the log gets the traceback.
    except Exception:
        traceback.print_exc()
        outcome = {"kind": InvalidInput.__name__, "message": _DAMAGED}
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()
