"""Odd and hostile files, from upload to answer: a true sentence or a usable clip, and nothing is left on the disk."""

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soxr
from av.audio.stream import AudioStream

from cloning.media import recordings
from cloning.media.reference import Reference
from cloning.progress import ProgressReporter
from cloning.watermark.checking import check_file
from errors import InvalidInput
from tests.media.build import Sound, coded, encoded, silent_flac, speech, tone, wav

NOT_READ = "not a recording I can read"
DAMAGED = "damaged or was cut off"


def pcm(samples: Sound) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def floats(value: float) -> bytes:
    """Two seconds of one number."""
    return wav(np.full(96_000, value, "<f4").tobytes(), bits=32, tag=3)


def cover(size: int) -> bytes:
    """An ID3 tag that holds a picture of zeros."""
    picture = b"\x00image/png\x00\x03\x00" + bytes(size)
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    return b"ID3\x03\x00\x00" + bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0)) + frame


def atom(name: bytes, size: int) -> bytes:
    """The header of an MP4 atom that claims a size."""
    return struct.pack(">I", size) + name


def claiming(data: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """The data with `value` written `offset` bytes behind the first `mark`."""
    at = data.index(mark) + offset
    return data[:at] + value + data[at + len(value) :]


def tagged(title: str, chapters: int) -> bytes:
    """Speech in Matroska, with a title and chapters."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        stream = output.add_stream("flac", rate=48_000, layout="mono", format="s16")
        if not isinstance(stream, AudioStream):
            raise TypeError("flac is an audio codec")
        output.metadata["title"] = title
        output.set_chapters(
            [
                {"id": n, "start": n, "end": n + 1, "time_base": Fraction(1, 1000), "metadata": {"title": f"{n}"}}
                for n in range(chapters)
            ]
        )
        frame = av.AudioFrame.from_ndarray((speech()[None] * 32767).astype(np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 48_000, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


MP4 = b"\0\0\0\x14ftypisom\0\0\0\0isom"
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty"),
    "one byte": (lambda: b"R", NOT_READ),
    "a page of the web": (lambda: b"<html><body>Hello</body></html>" * 20, NOT_READ),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(100), NOT_READ),
    "a zip": (lambda: b"PK\x03\x04" + bytes(500), NOT_READ),
    "one sample": (lambda: wav(b"\x01\x01"), "shorter than the 1 s"),
    "half a sample": (lambda: wav(b"\x01"), DAMAGED),
    "no sample rate": (lambda: wav(bytes(9_600), rate=0), DAMAGED),
    "samples of no bits": (lambda: wav(bytes(9_600), bits=0), "coded as something unknown"),
    "samples of 64 bits": (lambda: wav(bytes(96_000), bits=64), "coded as pcm_s64le"),
    "not a number": (lambda: floats(np.nan), "only silence"),
    "infinite": (lambda: floats(np.inf), "only silence"),
    "smaller than a float can be exact": (lambda: floats(1e-42), "only silence"),
    "an hour of silence": (lambda: silent_flac(3600), "longer than 10 minutes"),
    "a cover and no sound, MP3": (lambda: cover(50_000), DAMAGED),
    "a cover and no sound, M4A": (lambda: encoded("ipod", None, video_codec="mpeg4"), "no sound"),
    "a tag of 256 MB that is not there": (lambda: b"ID3\x03\x00\x00\x7f\x7f\x7f\x7f" + bytes(500), DAMAGED),
    "two billion packets": (lambda: claiming(encoded("mp4", "aac"), b"stsz", 12, b"\x7f\xff\xff\xff"), DAMAGED),
    "atoms without an end": (lambda: MP4 + atom(b"free", 0) * 2_000, DAMAGED),
    "atoms larger than the file": (lambda: MP4 + atom(b"moov", 2**31 - 1) * 2_000, DAMAGED),
    "elements larger than the file": (
        lambda: encoded("matroska", "libopus")[:40] + b"\x18\x53\x80\x67\x01\x7f\xff\xff\xff\xff\xff\xff",
        DAMAGED,
    ),
    "a chunk that ends within samples": (lambda: claiming(encoded("caf", "pcm_s16le"), b"info", 11, b"\xff"), DAMAGED),
    "pages without content": (lambda: (b"OggS\0\2" + bytes(8) + b"\1" + bytes(12)) * 20_000, DAMAGED),
    "sixty silent tracks": (
        lambda: coded("matroska", "libopus", *[np.zeros(96_000, np.float32)] * 60),
        "first 4 of this file's 60 soundtracks",
    ),
}
USED: dict[str, Callable[[], bytes]] = {
    "384 kHz": lambda: wav(pcm(soxr.resample(speech(), 48_000, 384_000)), rate=384_000),
    "8 kHz": lambda: wav(pcm(speech(rate=8_000)), rate=8_000),
    "32 channels": lambda: wav(np.repeat(np.frombuffer(pcm(speech()), "<i2")[:, None], 32, 1).tobytes(), channels=32),
    "a header that claims 4 GB": lambda: wav(pcm(speech()), claim=2**32 - 1),
    "a title of a megabyte, and 5,000 chapters": lambda: tagged("@everyone \x1b[31m\u202e/../" * 50_000, 5_000),
    "a cover of 5 MB before the sound": lambda: cover(5_000_000) + coded("mp3", "libmp3lame", speech()),
    "a billion times too loud": lambda: wav((speech() * 1e9).astype("<f4").tobytes(), bits=32, tag=3),
}


def chosen(data: bytes, folder: Path) -> Reference:
    """What is cloned of a file. Nothing may be left of it, whatever happens."""
    (folder / "upload").write_bytes(data)
    scratch = folder / "scratch"
    scratch.mkdir()
    try:
        return recordings.choose(folder / "upload", ProgressReporter(), rate=24_000, memory_mb=1024, scratch=scratch)
    finally:
        assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_cloned_is_refused_with_a_true_sentence(name: str, tmp_path: Path) -> None:
    build, reason = REFUSED[name]
    with pytest.raises(InvalidInput) as caught:
        chosen(build(), tmp_path)
    assert reason in caught.value.message
    assert caught.value.message.endswith(".")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("name", USED)
def test_what_is_odd_but_sound_is_cloned(name: str, tmp_path: Path) -> None:
    reference = chosen(USED[name](), tmp_path)
    assert reference.clip.seconds > 8
    assert reference.report.verdict == ("usable" if name == "8 kHz" else "good")


@pytest.mark.parametrize("name", ["one byte", "no sample rate", "not a number", "an hour of silence", "a zip"])
def test_a_check_refuses_them_too(name: str, tmp_path: Path) -> None:
    build, reason = REFUSED[name]
    path = tmp_path / "upload"
    path.write_bytes(build())
    with pytest.raises(InvalidInput) as caught:
        check_file(path, scratch=tmp_path)
    assert ("silent" if name == "not a number" else reason) in caught.value.message
    assert list(tmp_path.iterdir()) == [path]


def test_thousands_of_links_are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(coded("ogg", "libopus", tone(0.02)) * 500)
    assert recordings.read(path).seconds == pytest.approx(10.0, abs=0.1)
