#!/usr/bin/env bash
# pedalboard 0.9.26: Limiter(threshold_db), applied to speech before it is sent or saved. The input is a vowel at five
# levels.
# Expected: sound below the threshold is not changed, and no output exceeds the threshold.
# Actual: neither holds. The limiter is two compressors, a gain and a clipper at 0 dBFS, and the gain grows as the
# threshold falls: with -10 dB, which should only affect peaks, a voice at -40 dBFS is raised by 13.7 dB, and one at -10
# dBFS is raised to 0 dBFS, 10 dB above the threshold. So the lower the threshold, the louder the result, and a clip
# that was brought to a certain loudness before has another one afterwards. At a threshold of 0 dB it is still 3.8 dB
# too loud.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 pedalboard==0.9.26
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import pedalboard

RATE, SECONDS = 24_000, 3
THRESHOLDS, PEAKS = (-20, -10, -3, 0), (-60, -40, -20, -10, -3)  # dB, dBFS


def vowel() -> np.ndarray:
    """A voice of 120 Hz that says one vowel, float32, with a peak of 1."""
    pulses = np.zeros(RATE * SECONDS)
    pulses[:: RATE // 120] = 1
    hertz = np.fft.rfftfreq(pulses.size, 1 / RATE)
    formants = sum(1 / (1 + ((hertz - centre) / 100) ** 2) for centre in (600, 1200, 2500))
    sound = np.fft.irfft(np.fft.rfft(pulses) * formants)
    return (sound / np.abs(sound).max()).astype(np.float32)


def limited(peak: float, threshold: float) -> float:
    """dBFS of the peak that comes out, without the first second, in which the limiter settles."""
    sound = vowel() * np.float32(10 ** (peak / 20))
    found = pedalboard.Pedalboard([pedalboard.Limiter(threshold_db=threshold)])(sound, RATE)
    return 20 * np.log10(np.abs(found[RATE:]).max())


print(f"pedalboard {pedalboard.__version__}: Limiter, peaks in and out in dBFS")
found = {(peak, threshold): limited(peak, threshold) for threshold in THRESHOLDS for peak in PEAKS}
for threshold in THRESHOLDS:
    print(f"threshold {threshold} dB:", ", ".join(f"{peak} -> {found[peak, threshold]:.1f}" for peak in PEAKS))
gains = [found[-60, threshold] + 60 for threshold in THRESHOLDS]
over = [found[-3, threshold] - threshold for threshold in THRESHOLDS[:-1]]
print("raised below every threshold by", ", ".join(f"{gain:.1f} dB" for gain in gains))
if not (gains == sorted(gains, reverse=True) and gains[1] > 13 and gains[-1] > 3 and min(over) > 0.5):
    sys.exit("pedalboard has changed: this does not hold any more")
PYTHON
