#!/usr/bin/env bash
# A WebM recording of 12 s (Opus, from one muxer) in which 1,000 bytes in the middle are zeros, read by PyAV.
# One would guess: an error at the damage or a packet marked as corrupt, and about 0.13 s lost.
# So it is: no error and no mark; FFmpeg skips to the next cluster, seconds later. Only the time stamps tell: the words before
# and after stand side by side for whoever takes the samples one after the other.
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

RATE, SECONDS = 48_000, 12
buffer = io.BytesIO()
with av.open(buffer, "w", format="webm") as output:
    stream = output.add_stream("libopus", rate=RATE, layout="mono")
    sound = np.random.default_rng(0).normal(0, 0.1, (1, SECONDS * RATE)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(sound, "fltp", "mono")
    frame.sample_rate, frame.pts = RATE, 0
    convert = av.AudioResampler(stream.format, stream.layout, RATE, stream.codec_context.frame_size)
    for converted in [*convert.resample(frame), *convert.resample(None), None]:
        output.mux(stream.encode(converted))
data = bytearray(buffer.getvalue())
data[len(data) // 2 : len(data) // 2 + 1000] = bytes(1000)

seconds, corrupt, errors, gap, end = 0.0, 0, 0, 0.0, None
with av.open(io.BytesIO(bytes(data))) as container:
    packets = container.demux(audio=0)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            corrupt += packet.is_corrupt
            frames = packet.decode()
        except av.error.FFmpegError:
            errors += 1
            continue
        for frame in frames:
            gap = max(gap, 0.0 if end is None else frame.time - end)
            end = frame.time + frame.samples / frame.sample_rate
            seconds += frame.samples / frame.sample_rate
print(f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}, {len(data)} bytes of which 1000 are damaged")
print(f"{seconds:.2f} of {SECONDS} s decoded, {errors} errors, {corrupt} packets marked, one gap of {gap:.2f} s in the stamps")
if errors or corrupt or gap < 1 or seconds > SECONDS - 1:
    sys.exit("FFmpeg has changed: this does not hold any more")
PYTHON
