#!/usr/bin/env bash
# PyAV: stream.duration and the number of decoded samples, for a sound of exactly 12 s, half of it silence.
# Expected: they agree, apart from a codec's lead-in, which is cut off.
# Actual: the duration of an ADTS file is a guess from the bit rate of its first frames and far off; AAC in ADTS,
# Matroska and fragmented MP4 has the encoder's 1,024 samples at the start, in plain MP4 it does not; Opus in MP4 has
# additional samples at the end; the duration of Ogg Opus includes its lead-in.
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
SAMPLES = 12 * RATE
CASES = {
    "AAC in ADTS": ("adts", "aac", {}),
    "AAC in Matroska": ("matroska", "aac", {}),
    "AAC in MP4": ("mp4", "aac", {}),
    "AAC in fragmented MP4": ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
    "Opus in MP4": ("mp4", "libopus", {}),
    "Opus in Ogg": ("ogg", "libopus", {}),
}


def measured(container: str, codec: str, options: dict[str, str]) -> tuple[float | None, int]:
    """Samples: the stream's duration, and those decoded beyond the truth."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=RATE, layout="mono")
        sound = np.random.default_rng(0).normal(0, 0.1, (1, SAMPLES)).astype(np.float32)
        sound[:, : SAMPLES // 2] = 0
        frame = av.AudioFrame.from_ndarray(sound, "fltp", "mono")
        frame.sample_rate, frame.pts = RATE, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as found:
        stream = found.streams.audio[0]
        claimed = None if stream.duration is None else round(float(stream.duration * stream.time_base) * RATE)
        decoded = sum(frame.samples for frame in found.decode(stream))
    return claimed, decoded - SAMPLES


found = {name: measured(*case) for name, case in CASES.items()}
print(f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}: a sound of {SAMPLES} samples")
for name, (claimed, beyond) in found.items():
    print(f"{name:22} duration {claimed}, decoded {beyond:+d} samples")
holds = (
    abs(found["AAC in ADTS"][0] - SAMPLES) > 0.2 * SAMPLES
    and all(found[f"AAC in {name}"][1] >= 1024 for name in ("ADTS", "Matroska", "fragmented MP4"))
    and found["AAC in MP4"][1] < 1024
    and found["Opus in MP4"][1] > 0
    and found["Opus in Ogg"] == (SAMPLES + 312, 0)
)
if not holds:
    sys.exit("FFmpeg has changed: this does not hold any more")
PYTHON
