"""Builds the media files that tests feed to the decoder: every common format, and the broken and hostile ones."""

import io
import struct
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from av.audio.stream import AudioStream
from av.stream import Disposition
from av.video.stream import VideoStream

TONE_HZ = 220.0
_RECORDINGS = Path(__file__).resolve().parents[2] / "simulator" / "media"
PEOPLE = tuple(sorted((Path(__file__).parent / "people").glob("*.gsm")))
"""Recordings of a person, 8 kHz."""

Sound = npt.NDArray[np.float32]


def tone(seconds: float = 1.0, rate: int = 48_000, level: float = 0.3) -> npt.NDArray[np.float32]:
    time = np.arange(int(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * TONE_HZ * time)).astype(np.float32)


def encoded(
    container: str,
    audio_codec: str | None,
    *,
    seconds: float = 1.0,
    rate: int = 48_000,
    layout: str = "mono",
    video_codec: str | None = None,
) -> bytes:
    """A tone, a grey video, or both, in any format that FFmpeg can write."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        video = audio = None
        if video_codec is not None:
            video = output.add_stream(video_codec, rate=10, width=64, height=48, pix_fmt="yuv420p")
        if audio_codec is not None:
            audio = output.add_stream(audio_codec, rate=rate, layout=layout)
        if isinstance(video, VideoStream):
            for index in range(int(seconds * 10)):
                picture = av.VideoFrame(64, 48, "yuv420p")
                picture.pts = index
                output.mux(video.encode(picture))
            output.mux(video.encode(None))
        if isinstance(audio, AudioStream):
            channels = audio.layout.nb_channels
            frame = av.AudioFrame.from_ndarray(np.repeat(tone(seconds, rate)[None], channels, 0), "fltp", layout)
            frame.sample_rate = rate
            convert = av.AudioResampler(format=audio.format, layout=audio.layout, rate=rate)
            for converted in [*convert.resample(frame), *convert.resample(None)]:
                output.mux(audio.encode(converted))
            output.mux(audio.encode(None))
    return buffer.getvalue()


@cache
def speech(name: str = "reference", rate: int = 48_000) -> Sound:
    """Twelve seconds of somebody who speaks; the recording `guest` is another voice, thirteen seconds long."""
    samples, own_rate = soundfile.read(_RECORDINGS / f"{name}.flac", dtype="float32")
    resampled: Sound = soxr.resample(samples, own_rate, rate).astype(np.float32)
    return resampled


def person(path: Path, rate: int = 8_000) -> Sound:
    """One of PEOPLE."""
    with av.open(str(path), format="gsm") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    samples: Sound = soxr.resample(np.concatenate(frames).astype(np.float32) / 32768, 8_000, rate).astype(np.float32)
    return samples


def coded(
    container: str,
    codec: str,
    *tracks: Sound,
    rate: int = 48_000,
    layout: str = "mono",
    start: float = 0.0,
    pause: tuple[float, float] = (0.0, 0.0),
    default: int | None = None,
    options: dict[str, str] | None = None,
) -> bytes:
    """A file of soundtracks (N,) or (channels, N) whose clock begins at `start` seconds.

    `pause`: (at, seconds), where the clock goes on and nothing is stored. `default`: the track that is marked as such.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=options or {}) as output:
        streams = [output.add_stream(codec, rate=rate, layout=layout) for _ in tracks]
        for number, stream in enumerate(streams):
            if default is not None:
                marks = Disposition.default.value if number == default else 0
                stream.disposition = marks  # type: ignore[assignment]  # PyAV reads flags and takes a number
        for stream, samples in zip(streams, tracks, strict=True):
            if not isinstance(stream, AudioStream):
                raise TypeError(f"{codec} is no audio codec")
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(np.atleast_2d(samples)), "fltp", layout)
            frame.sample_rate, frame.pts = rate, 0
            size = stream.codec_context.frame_size or 1024
            convert = av.AudioResampler(format=stream.format, layout=stream.layout, rate=rate, frame_size=size)
            for converted in [*convert.resample(frame), *convert.resample(None), None]:
                for packet in stream.encode(converted):
                    if packet.pts is not None and packet.dts is not None:
                        shift = start + (pause[1] if float(packet.pts * packet.time_base) >= pause[0] else 0.0)
                        packet.pts += round(shift / packet.time_base)
                        packet.dts += round(shift / packet.time_base)
                    output.mux(packet)
    return buffer.getvalue()


def wav(data: bytes, *, rate: int = 48_000, channels: int = 1, bits: int = 16, tag: int = 1, claim: int = -1) -> bytes:
    """A WAV file whose header says whatever is asked. `claim` is the length of the data that it promises."""
    promised = len(data) if claim < 0 else claim
    block = min(channels * bits // 8, 65_535)
    header = struct.pack("<IHHIIHH", 16, tag, channels, rate, min(rate * block, 2**32 - 1), block, bits)
    size = min(36 + promised, 2**32 - 1)
    return b"RIFF" + struct.pack("<I", size) + b"WAVEfmt " + header + b"data" + struct.pack("<I", promised) + data


def silent_flac(seconds: int) -> bytes:
    """A decompression bomb: hours of silence in a small FLAC."""
    buffer = io.BytesIO()
    minute = av.AudioFrame.from_ndarray(np.zeros((1, 8_000 * 60), np.int16), "s16", "mono")
    minute.sample_rate = 8_000
    with av.open(buffer, "w", format="flac") as output:
        stream = output.add_stream("flac", rate=8_000, layout="mono", format="s16")
        if not isinstance(stream, AudioStream):
            raise TypeError("flac is an audio codec")
        for _ in range(seconds // 60):
            minute.pts = None
            output.mux(stream.encode(minute))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def without_length(flac: bytes) -> bytes:
    """The FLAC with 0, which means unknown, in the 36 bits of STREAMINFO that count its samples."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


def corrupted(data: bytes, share: float = 0.05, seed: int = 1) -> bytes:
    """The file with a share of the bytes behind its header replaced."""
    random = np.random.default_rng(seed)
    broken = bytearray(data)
    for position in random.integers(200, len(data), int(len(data) * share)):
        broken[position] = int(random.integers(256))
    return bytes(broken)
