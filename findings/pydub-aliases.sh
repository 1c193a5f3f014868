#!/usr/bin/env bash
# pydub 0.25.1: AudioSegment.set_frame_rate, from 48,000 Hz, the rate of Discord and of phones, to the 16,000 Hz of
# speech recognisers, voice detectors and HuBERT.
# Expected: frequencies above the new band (8 kHz), which cannot be kept, are removed, as by other resamplers.
# Actual: they are mirrored into the band, since there is no low pass at all: a tone of 9 kHz comes back as one of 7
# kHz, as loud as before. Of a hiss of 9 to 15 kHz, as in an s, all of the power ends up in the result, where speech is;
# soxr leaves less than a millionth of it. AudioSegment.low_pass_filter(8000) beforehand removes only 5 to 8 dB, since
# it is a first-order filter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 soxr==1.1.0 pydub==0.25.1 \
    "audioop-lts==0.2.2; python_version >= '3.13'"
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import soxr
from pydub import AudioSegment

FROM, TO = 48_000, 16_000


def tone(hertz: float) -> np.ndarray:
    """A second, int16."""
    return np.rint(10_000 * np.sin(2 * np.pi * hertz * np.arange(FROM) / FROM)).astype(np.int16)


def hiss(low: float, high: float) -> np.ndarray:
    """A second of noise between two frequencies, int16."""
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(0, 1, FROM))
    hertz = np.fft.rfftfreq(FROM, 1 / FROM)
    sound = np.fft.irfft(spectrum * ((hertz >= low) & (hertz <= high)))
    return np.rint(2_000 * sound / sound.std()).astype(np.int16)


def by_pydub(sound: np.ndarray, low_pass: bool = False) -> np.ndarray:
    segment = AudioSegment(sound.tobytes(), frame_rate=FROM, sample_width=2, channels=1)
    segment = segment.low_pass_filter(TO / 2) if low_pass else segment
    return np.array(segment.set_frame_rate(TO).get_array_of_samples(), float)


def by_soxr(sound: np.ndarray) -> np.ndarray:
    return soxr.resample(sound.astype(float), FROM, TO)


def level(found: np.ndarray, sound: np.ndarray) -> float:
    """dB relative to the sound, without the ends."""
    return 20 * np.log10(found[TO // 10 : -TO // 10].std() / sound.astype(float).std() + 1e-12)


def loudest(found: np.ndarray) -> float:
    """Hz"""
    return np.abs(np.fft.rfft(found * np.hanning(found.size))).argmax() * TO / found.size


print(f"pydub {version('pydub')}: {FROM} to {TO} Hz")
holds = True
for hertz in (3_000, 9_000, 12_000, 15_000):
    sound = tone(hertz)
    found = by_pydub(sound)
    print(
        f"a tone of {hertz} Hz: pydub has {loudest(found):.0f} Hz at {level(found, sound):+.1f} dB, with its low pass "
        f"{level(by_pydub(sound, low_pass=True), sound):+.1f} dB; soxr {level(by_soxr(sound), sound):+.1f} dB"
    )
    mirrored = hertz if hertz < TO / 2 else TO - hertz
    holds = holds and abs(loudest(found) - mirrored) < 2 and abs(level(found, sound)) < 0.2
sound = hiss(9_000, 15_000)
levels = level(by_pydub(sound), sound), level(by_pydub(sound, low_pass=True), sound), level(by_soxr(sound), sound)
print("a hiss of 9 to 15 kHz: pydub {:+.1f} dB, with its low pass {:+.1f} dB; soxr {:+.1f} dB".format(*levels))
if not (holds and abs(levels[0]) < 0.3 and levels[1] > -10 and levels[2] < -60):
    sys.exit("pydub has changed: this does not hold any more")
PYTHON
