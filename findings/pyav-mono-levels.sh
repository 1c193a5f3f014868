#!/usr/bin/env bash
# PyAV 16.1.0 (FFmpeg's libswresample): AudioResampler to mono, as for a recogniser or a voice detector. The input is
# AAC from MP4: one voice in both channels, as phones and meeting programs record it; in the left one only; and in the
# centre of 5.1.
# Expected: the requested sample format changes the rounding, not the level, and the mean of two equal channels is that
# channel.
# Actual: with "flt" or "fltp" the voice in both channels becomes 3 dB louder, beyond full scale if its peak was above
# 0.71; with "s16" its level stays the same. The voice in the centre keeps its level in floating point, and loses 10.7
# dB in s16. The reason: only for integer output are the weights scaled so that the sum cannot overflow. So loudness,
# thresholds and clipping measured in one format do not hold in the other.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 av==16.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import av
import numpy as np

RATE, SECONDS, PEAK = 48_000, 2, 0.8
FORMATS = ("flt", "fltp", "s16")
CASES = {
    "in both of two channels": ("stereo", (0, 1)),
    "in the left one": ("stereo", (0,)),
    "in the centre of 5.1": ("5.1", (2,)),
}


def vowel() -> np.ndarray:
    """A voice of 120 Hz that says one vowel, float32."""
    pulses = np.zeros(RATE * SECONDS)
    pulses[:: RATE // 120] = 1
    hertz = np.fft.rfftfreq(pulses.size, 1 / RATE)
    formants = sum(1 / (1 + ((hertz - centre) / 100) ** 2) for centre in (600, 1200, 2500))
    sound = np.fft.irfft(np.fft.rfft(pulses) * formants)
    return (PEAK * sound / np.abs(sound).max()).astype(np.float32)


def recording(layout: str, channels: tuple[int, ...]) -> bytes:
    """An MP4 file with the voice in some of its channels."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=RATE, layout=layout)
        stream.bit_rate = 256_000
        sound = np.zeros((stream.layout.nb_channels, RATE * SECONDS), np.float32)
        sound[list(channels)] = vowel()
        frame = av.AudioFrame.from_ndarray(sound, "fltp", layout)
        frame.sample_rate, frame.pts = RATE, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def in_mono(data: bytes, sample_format: str, channel: int) -> tuple[float, float]:
    """The peak, and the level in dB relative to that of the channel as it was decoded."""
    resampler = av.AudioResampler(format=sample_format, layout="mono", rate=RATE)
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))
    voice = np.concatenate([frame.to_ndarray()[channel] for frame in frames])
    mixed = [part for frame in [*frames, None] for part in resampler.resample(frame)]
    mono = np.concatenate([part.to_ndarray().ravel() for part in mixed]).astype(float)
    mono /= 32768 if sample_format == "s16" else 1
    return np.abs(mono).max(), 10 * np.log10(np.mean(mono**2) / np.mean(voice.astype(float) ** 2))


print(f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}: a voice with a peak of {PEAK}, as mono")
levels = {}
for name, (layout, channels) in CASES.items():
    data = recording(layout, channels)
    for sample_format in FORMATS:
        peak, levels[name, sample_format] = in_mono(data, sample_format, channels[0])
        print(f"{name}, to {sample_format}: peak {peak:.2f}, level {levels[name, sample_format]:+.1f} dB")
expected = dict(zip(CASES, ((3.0, 0.0), (-3.0, -6.0), (0.0, -10.7)), strict=True))  # dB, in floating point and as s16
for (name, sample_format), level in levels.items():
    if abs(level - expected[name][sample_format == "s16"]) > 0.1:
        sys.exit("PyAV or FFmpeg has changed: this does not hold any more")
PYTHON
