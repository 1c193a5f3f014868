#!/usr/bin/env bash
# Ogg Opus written by PyAV from an AudioFrame without a pts.
# Expected: the file begins at 0 and is as long as the sound, since there is only one frame and a sample rate.
# Actual: all timestamps are 312 samples (6.5 ms, the encoder's lead-in) late, and a file of up to half a second has
# that much silence too many, since the end is not trimmed. With frame.pts = 0 both are right.
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

RATE = 48_000


def written(samples: int, pts: int | None) -> tuple[int, int]:
    """The first time stamp and the number of samples of what is read back."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ogg") as output:
        stream = output.add_stream("libopus", rate=RATE, layout="mono", format="flt")
        sound = np.random.default_rng(0).normal(0, 0.1, (1, samples)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(sound, "flt", "mono")
        frame.sample_rate, frame.pts = RATE, pts
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        frames = list(container.decode(audio=0))
    return frames[0].pts, sum(frame.samples for frame in frames)


print(f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}, Ogg Opus at {RATE} Hz")
found = {(samples, pts): written(samples, pts) for samples in (RATE // 10, 2 * RATE) for pts in (None, 0)}
for (samples, pts), (first, length) in found.items():
    print(f"{samples} samples with pts {pts}: begin at {first}, {length} samples")
expected = {(4800, None): (0, 5112), (4800, 0): (0, 4800), (96000, None): (312, 96000), (96000, 0): (0, 96000)}
if found != expected:
    sys.exit("PyAV or FFmpeg has changed: this does not hold any more")
PYTHON
