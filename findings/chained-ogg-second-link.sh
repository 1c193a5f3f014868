#!/usr/bin/env bash
# PyAV reads a chained Ogg file (RFC 3533, section 4): Opus in one channel, then Opus in two, or Vorbis in one and two.
# Expected: both links are read in either case, as by players and opus-tools.
# Actual: Vorbis is read to its end; with Opus, reading ends at the second link with "not yet implemented, patches
# welcome". A program that treats an error of the demuxer as the end of a truncated file gets half of the sound.
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


def link(codec: str, layout: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ogg") as output:
        stream = output.add_stream(codec, rate=RATE, layout=layout)
        tone = (0.3 * np.sin(np.arange(2 * RATE) / 30)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone[None], stream.layout.nb_channels, 0), "fltp", layout)
        frame.sample_rate, frame.pts = RATE, 0
        convert = av.AudioResampler(stream.format, stream.layout, RATE, stream.codec_context.frame_size or 1024)
        for converted in [*convert.resample(frame), *convert.resample(None), None]:
            output.mux(stream.encode(converted))
    return buffer.getvalue()


def read(data: bytes) -> tuple[float, str]:
    """Seconds, and how it ended."""
    seconds, ending = 0.0, "at the end"
    with av.open(io.BytesIO(data)) as container:
        try:
            for frame in container.decode(audio=0):
                seconds += frame.samples / frame.sample_rate
        except av.error.FFmpegError as error:
            ending = f"with {type(error).__name__}: {error.strerror}"
    return seconds, ending


same = read(link("libopus", "mono") * 2)
opus = read(link("libopus", "mono") + link("libopus", "stereo"))
vorbis = read(link("libvorbis", "mono") + link("libvorbis", "stereo"))
print(f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}: two links of 2 s")
for name, (seconds, ending) in {"Opus 1 + 1": same, "Opus 1 + 2": opus, "Vorbis 1 + 2": vorbis}.items():
    print(f"{name} channels: {seconds:.2f} s, ended {ending}")
if not (same[0] > 3.9 and vorbis[0] > 3.9 and opus[0] < 2.1 and "PatchWelcome" in opus[1]):
    sys.exit("FFmpeg has changed: this does not hold any more")
PYTHON
