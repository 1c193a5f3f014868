"""Changes to a recording between its generation and its check: coding, cutting, attenuation, speed, noise."""

import io
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import soxr
from av.audio.stream import AudioStream

from cloning.media.audio import Recording, Samples, resample

_DECODED = 48_000
_TELEPHONE = 8_000
_SPEED = 1.1

Treatment = Callable[[Recording], Recording]


def coded(recording: Recording, codec: str, container: str, bit_rate: int) -> Recording:
    """Encode with a codec of FFmpeg and decode at 48 kHz; `bit_rate` in bits per second."""
    recording = resample(recording, _DECODED)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=_DECODED, layout="mono")
        if not isinstance(stream, AudioStream):
            raise TypeError(f"{codec} is no audio codec")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(recording.samples[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = _DECODED, 0, Fraction(1, _DECODED)
        size = stream.codec_context.frame_size or 1024
        convert = av.AudioResampler(format=stream.format, layout="mono", rate=_DECODED, frame_size=size)
        for part in [*convert.resample(frame), *convert.resample(None), None]:
            output.mux(stream.encode(part))
    buffer.seek(0)
    return Recording(_read(buffer), _DECODED)


def telephone(recording: Recording) -> Recording:
    """Limit to the band of a telephone, up to 4 kHz, by resampling to 8 kHz."""
    return resample(recording, _TELEPHONE)


def quieter(recording: Recording) -> Recording:
    """Attenuate by 20 dB."""
    return Recording(recording.samples * np.float32(0.1), recording.sample_rate)


def cropped(recording: Recording) -> Recording:
    """Return one second from the middle, or all of a shorter recording."""
    size = recording.sample_rate
    start = max(0, (recording.samples.size - size) // 2)
    return Recording(recording.samples[start : start + size], recording.sample_rate)


def faster(recording: Recording) -> Recording:
    """Play 10 % faster and therefore higher."""
    samples = soxr.resample(recording.samples, recording.sample_rate * _SPEED, recording.sample_rate)
    return Recording(samples.astype(np.float32), recording.sample_rate)


def noisy(recording: Recording) -> Recording:
    """Add white noise 20 dB below the sound. Recordings of the same length get the same noise."""
    noise = np.random.default_rng(recording.samples.size).standard_normal(recording.samples.size)
    level = np.sqrt(np.mean(recording.samples.astype(np.float64) ** 2)) / 10
    return Recording((recording.samples + level * noise).astype(np.float32), recording.sample_rate)


def _opus(kilobits: int) -> Treatment:
    return lambda recording: coded(recording, "libopus", "ogg", kilobits * 1000)


TREATMENTS: dict[str, Treatment] = {
    **{f"Ogg Opus, {kilobits} kbit/s": _opus(kilobits) for kilobits in (16, 24, 32, 64)},
    "MP3, 64 kbit/s": lambda recording: coded(recording, "libmp3lame", "mp3", 64_000),
    "telephone band, 8 kHz": telephone,
    "20 dB quieter": quieter,
    "one second cut out": cropped,
    "10 % faster": faster,
    "white noise at 20 dB": noisy,
}


def _read(buffer: io.BytesIO) -> Samples:
    parts = []
    convert = av.AudioResampler(format="flt", layout="mono", rate=_DECODED)
    with av.open(buffer, "r") as source:
        for frame in source.decode(audio=0):
            parts += [part.to_ndarray().reshape(-1) for part in convert.resample(frame)]
        parts += [part.to_ndarray().reshape(-1) for part in convert.resample(None)]
    samples: Samples = np.concatenate(parts).astype(np.float32)
    return samples
