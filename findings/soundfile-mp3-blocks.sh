#!/usr/bin/env bash
# soundfile 0.14.0 (libsndfile with mpg123): an MP3 file that soundfile itself wrote, a voice in faint noise at 24,000
# Hz, as speech services send it. It is read at once, and in blocks (SoundFile.blocks, or repeated SoundFile.read).
# Expected: the same samples; the blocks follow each other without a gap.
# Actual: the blocks have clicks, here of up to a quarter of the voice's peak. After every read(), soundfile seeks to
# the position that the file already has. In MP3, a frame may use bits of several frames before it, and after a seek
# mpg123 has not read all of those. Its message, "part2_3_length too large for available bit count", suggests a damaged
# file, but there is none if the file is read at once, nor in blocks without seeking (a SoundFile that reports itself as
# not seekable). A read that starts in the middle of the file may click, too; Ogg Opus and FLAC are exact. No error is
# raised.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 soundfile==0.14.0
cd "$folder"
"$folder/venv/bin/python" - 2>messages <<'PYTHON' || { tail -n 3 messages >&2; exit 1; }
import io
import sys
from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS, BLOCK, PEAK = 24_000, 10, 1_024, 0.5
STARTS = range(RATE // 5, RATE * (SECONDS - 1), RATE // 10)
CLICK = 0.01


class Unseekable(soundfile.SoundFile):
    """A file that is only read forwards."""

    def seekable(self) -> bool:
        return False


def voice() -> np.ndarray:
    """A voice of 120 Hz that says one vowel twice a second, in noise 34 dB below its peak, float32."""
    pulses = np.zeros(RATE * SECONDS)
    pulses[:: RATE // 120] = 1
    hertz = np.fft.rfftfreq(pulses.size, 1 / RATE)
    formants = sum(1 / (1 + ((hertz - centre) / 100) ** 2) for centre in (600, 1200, 2500))
    sound = np.fft.irfft(np.fft.rfft(pulses) * formants)
    sound *= np.sin(2 * np.pi * np.arange(sound.size) / RATE) ** 2
    noise = np.random.default_rng(0).normal(0, 0.01, sound.size)
    return (PEAK * sound / np.abs(sound).max() + noise).astype(np.float32)


def in_blocks(data: bytes, kind: type[soundfile.SoundFile]) -> np.ndarray:
    with kind(io.BytesIO(data)) as file:
        parts = []
        while len(part := file.read(BLOCK, dtype="float32")):
            parts.append(part)
    return np.concatenate(parts)


print(f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}, {RATE} Hz, {SECONDS} s")
clicks, errors, quiet = {}, {}, True
for container, codec in (("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"), ("FLAC", "PCM_16")):
    file = io.BytesIO()
    soundfile.write(file, voice(), RATE, format=container, subtype=codec)
    data, before = file.getvalue(), Path("messages").stat().st_size
    whole, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    quiet = quiet and Path("messages").stat().st_size == before
    for kind in (soundfile.SoundFile, Unseekable):
        error = np.abs(in_blocks(data, kind) - whole)
        found = codec, kind.__name__
        clicks[found], errors[found] = np.unique(np.flatnonzero(error > CLICK) // BLOCK).size, error.max()
        print(
            f"{codec}, {kind.__name__}: {clicks[found]} of {error.size // BLOCK} blocks differ from the file read at "
            f"once by more than {CLICK}, at most by {errors[found]:.3f} (the voice has a peak of {PEAK})"
        )
    wrong = 0
    for start in STARTS:
        part, _ = soundfile.read(io.BytesIO(data), start=start, frames=RATE // 10, dtype="float32")
        wrong += np.abs(part - whole[start : start + part.size]).max() > CLICK
    print(f"{codec}: {wrong} of {len(STARTS)} reads from a start differ")
messages = Path("messages").read_text().splitlines()
print(f"{len(messages)} messages, none of them while the files were read at once: {quiet}; the first: {messages[:1]}")
damaged = "MPEG_LAYER_III", "SoundFile"
others = [clicks[key] for key in clicks if key != damaged]
if not (clicks[damaged] >= 10 and errors[damaged] > 0.05 and quiet and not any(others)):
    sys.exit("soundfile or libsndfile has changed: this does not hold any more")
PYTHON
