#!/usr/bin/env bash
# torchcrepe 0.0.24: predict(), the pitch of a sound by the network CREPE, as used for the melody of speech and for
# voice conversion. The input is a steady tone.
# Expected: the same sound always has the same pitch, at least after torch.manual_seed; a steady tone has a steady
# pitch.
# Actual: to hide that its bins are 20 cents wide, it adds random numbers to every frame, with a triangular distribution
# from -20 to 20 cents, both with the default decoder (viterbi) and with argmax. They come from NumPy's generator, so
# that torch.manual_seed does not repeat them; numpy.random.seed does. The pitch of the tone varies by 10 cents from
# frame to frame, which looks like jitter or vibrato of the voice, and each run on the same file gives another result.
# The decoder weighted_argmax adds none.
# torchaudio, which is imported for reading files, is replaced by an empty module.
# Set TORCH_INDEX to the package index of a CPU build of torch to install less.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
    torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 librosa==0.11.0 resampy==0.4.3 \
    tqdm==4.70.1
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps torchcrepe==0.0.24
cd "$folder"
touch torchaudio.py
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import torch
import torchcrepe

RATE, HERTZ, SECONDS = 16_000, 220, 2
torch.set_num_threads(1)
time = torch.arange(RATE * SECONDS) / RATE
tone = sum(0.4 / number * torch.sin(2 * torch.pi * HERTZ * number * time) for number in (1, 2, 3))[None]


def pitch(decoder: str, numpy_seed: int) -> np.ndarray:
    """Cents above HERTZ, per frame of 10 ms, without the ends."""
    torch.manual_seed(0)
    np.random.seed(numpy_seed)
    decode = getattr(torchcrepe.decode, decoder)
    found = torchcrepe.predict(tone, RATE, RATE // 100, 50, 550, "tiny", decoder=decode, device="cpu")
    return 1_200 * np.log2(found.numpy()[0, 10:-10] / HERTZ)


print(f"torchcrepe {version('torchcrepe')}: a tone of {HERTZ} Hz; torch.manual_seed(0) before each run")
apart, jitter = {}, {}
for decoder in ("viterbi", "argmax", "weighted_argmax"):
    first, second, third = (pitch(decoder, seed) for seed in (1, 2, 1))
    apart[decoder], jitter[decoder] = np.abs(first - second).max(), np.abs(np.diff(first)).mean()
    print(
        f"{decoder}: two runs differ by up to {apart[decoder]:.1f} cents; neighbouring frames by "
        f"{jitter[decoder]:.1f} on average, {np.ptp(first):.1f} in all; the same with NumPy's seed: "
        f"{np.array_equal(first, third)}"
    )
    if not np.array_equal(first, third):
        sys.exit("torchcrepe has changed: NumPy's seed does not repeat it any more")
random = all(apart[decoder] > 15 and jitter[decoder] > 5 for decoder in ("viterbi", "argmax"))
if not (random and apart["weighted_argmax"] == 0 and jitter["weighted_argmax"] < 1):
    sys.exit("torchcrepe has changed: this does not hold any more")
PYTHON
