"""Files of every format, and runs of the decoder in the process of the tests."""

from pathlib import Path

import numpy as np
import pytest

from cloning.media import decoder_process
from errors import InvalidInput
from tests.media.build import Sound, encoded

FORMATS = {
    "wav 16": encoded("wav", "pcm_s16le"),
    "wav 24": encoded("wav", "pcm_s24le"),
    "wav float": encoded("wav", "pcm_f32le"),
    "wav 8": encoded("wav", "pcm_u8"),
    "wav A-law": encoded("wav", "pcm_alaw"),
    "wav stereo": encoded("wav", "pcm_s16le", layout="stereo"),
    "wav 5.1": encoded("wav", "pcm_s16le", layout="5.1"),
    "flac": encoded("flac", "flac"),
    "mp3": encoded("mp3", "libmp3lame"),
    "ogg opus": encoded("ogg", "libopus"),
    "ogg vorbis": encoded("ogg", "libvorbis"),
    "m4a aac": encoded("ipod", "aac"),
    "m4a alac": encoded("ipod", "alac"),
    "aac": encoded("adts", "aac"),
    "aiff": encoded("aiff", "pcm_s16be"),
    "caf": encoded("caf", "pcm_s16le"),
    "webm": encoded("webm", "libopus"),
    "mp4 video": encoded("mp4", "aac", video_codec="mpeg4"),
    "webm video": encoded("webm", "libopus", video_codec="libvpx"),
}


def outcome(
    data: bytes, folder: Path, max_seconds: float = 600.0, *, keep_seconds: float = 600.0, track: int = 0
) -> decoder_process.DecodeResult:
    source, out = folder / "source", folder / "out"
    source.write_bytes(data)
    return decoder_process.decode(source, out, track=track, keep_seconds=keep_seconds, max_seconds=max_seconds)


def decoded(data: bytes, folder: Path, max_seconds: float = 600.0) -> tuple[int, Sound]:
    """The rate, and the mean of all channels."""
    found = outcome(data, folder, max_seconds)
    samples = np.fromfile(folder / "out", "<f4")
    mono = []
    for channels, length in found.pieces:
        mono.append(samples[: channels * length].reshape(-1, channels).mean(axis=1))
        samples = samples[channels * length :]
    assert samples.size == 0
    return found.sample_rate, np.concatenate(mono).astype(np.float32)


def refusal(data: bytes, folder: Path, max_seconds: float = 600.0) -> str:
    with pytest.raises(InvalidInput) as caught:
        decoded(data, folder, max_seconds)
    return caught.value.message
