#!/usr/bin/env bash
# soundfile (libsndfile): loud speech in Opus, Vorbis or MP3, read as int16.
# Expected: samples that exceed full scale in float32, since a lossy codec overshoots, are clipped; soundfile switches
# libsndfile's clipping on.
# Actual: that holds for MP3. In Opus and Vorbis, a sample of 1.02 becomes -32,114: it wraps round to the other sign,
# which sounds like a crack, and no error is raised. The sound that was encoded need not have been clipped: a peak of
# exactly 1 is enough. So read float32 and clip.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 soundfile==0.14.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import numpy as np
import soundfile

RATE, SECONDS = 48_000, 2


def vowel() -> np.ndarray:
    """A voice of 120 Hz that says one vowel, compressed as for broadcasting, float32, with a peak of exactly 1."""
    pulses = np.zeros(RATE * SECONDS)
    pulses[:: RATE // 120] = 1
    hertz = np.fft.rfftfreq(pulses.size, 1 / RATE)
    formants = sum(1 / (1 + ((hertz - centre) / width) ** 2) for centre, width in ((600, 80), (1200, 100), (2500, 150)))
    sound = np.fft.irfft(np.fft.rfft(pulses) * formants)
    sound = np.tanh(4 * sound / np.abs(sound).max()) * np.sin(np.linspace(0, np.pi, sound.size))
    return (sound / np.abs(sound).max()).astype(np.float32)


def read(container: str, codec: str, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """The same file as float32 and as int16."""
    file = io.BytesIO()
    soundfile.write(file, vowel() * np.float32(gain), RATE, format=container, subtype=codec)
    data = file.getvalue()
    return tuple(soundfile.read(io.BytesIO(data), dtype=kind)[0] for kind in ("float32", "int16"))


print(
    f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}: "
    f"a vowel with a peak of 1, {SECONDS} s"
)
wrapped = {}
for container, codec in (("OGG", "OPUS"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")):
    floats, integers = read(container, codec, 1.0)
    over = np.abs(floats) > 1.001
    wrapped[codec] = np.mean(np.abs(integers[over] / 32768 - np.clip(floats[over], -1, 1)) > 0.5)
    largest = np.abs(floats).argmax()
    print(
        f"{codec}: {over.sum()} samples beyond full scale, "
        f"{wrapped[codec]:.0%} of them wrong by more than half of it as int16; "
        f"the largest is {floats[largest]:.3f}, and {integers[largest]}"
    )
    quiet, same = read(container, codec, 0.5)
    if np.abs(quiet * 32768 - same).max() > 2:
        sys.exit("soundfile has changed: int16 differs from float32 in a file that is not loud, too")
if not (wrapped["OPUS"] == 1 and wrapped["VORBIS"] == 1 and wrapped["MPEG_LAYER_III"] == 0):
    sys.exit("soundfile or libsndfile has changed: this does not hold any more")
PYTHON
