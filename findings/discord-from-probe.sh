#!/usr/bin/env bash
# discord.py 2.7.1: FFmpegOpusAudio.from_probe, which inspects a file and copies it if it already is Opus. The inputs
# are a voice note in Ogg Opus with packets of 60 ms (RFC 6716 allows 2.5 to 120), and an MP3 of 32 kbit/s.
# Expected: both are sent at their own speed, the MP3 at about its own bit rate, and at most at the 128 kbit/s of
# FFmpegOpusAudio itself.
# Actual: the note of 4 s is sent in 1.4 s. Opus is copied whatever the length of its packets, and the player sends one
# packet every 20 ms. (The first two that it sends of any file are the headers, OpusHead and OpusTags.) The MP3 is
# encoded at 512 kbit/s, since the larger of 512 and its own bit rate is used. FFmpegOpusAudio without from_probe
# encodes the note again, too, and gets both right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 av==16.1.0 imageio-ffmpeg==0.8.1 \
    "discord.py==2.7.1" "audioop-lts==0.2.2; python_version >= '3.13'"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import sys
import threading
import time

import av
import discord
import imageio_ffmpeg
import numpy as np
from discord.player import AudioPlayer

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SECONDS = 4


def write(path: str, codec: str, rate: int, options: dict[str, str]) -> None:
    """A tone of SECONDS that swells and fades, at 32 kbit/s."""
    with av.open(path, "w") as output:
        stream = output.add_stream(codec, rate=rate, layout="mono", options=options)
        stream.bit_rate = 32_000
        times = np.arange(SECONDS * rate) / rate
        sound = 0.3 * np.sin(2 * np.pi * 220 * times) * np.sin(np.pi * times) ** 2
        sound += 0.01 * np.random.default_rng(0).normal(size=times.size)
        frame = av.AudioFrame.from_ndarray(sound.astype(np.float32)[None], "fltp", "mono")
        frame.sample_rate, frame.pts = rate, 0
        cut = av.AudioResampler(stream.format, stream.layout, rate, stream.codec_context.frame_size)
        for part in [*cut.resample(frame), *cut.resample(None), None]:
            output.mux(stream.encode(part))


class Channel:
    """What discord.py's player needs of a voice client; it keeps what is sent and when."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.client = self.ws = self
        self.packets: list[bytes] = []
        self.began = self.ended = 0.0

    async def speak(self, state: object) -> None:
        """Nobody is told."""

    def is_connected(self) -> bool:
        return True

    def send_audio_packet(self, data: bytes, *, encode: bool) -> None:
        if data == discord.player.OPUS_SILENCE:  # five of them follow the sound
            return
        self.ended = time.monotonic()
        self.began = self.began or self.ended
        self.packets.append(data)


async def sent(source: discord.FFmpegOpusAudio) -> Channel:
    channel, done = Channel(), threading.Event()
    AudioPlayer(source, channel, after=lambda _: done.set()).start()
    await asyncio.to_thread(done.wait)
    return channel


async def main() -> None:
    write("short.ogg", "libopus", 48_000, {"frame_duration": "20"})
    write("note.ogg", "libopus", 48_000, {"frame_duration": "60"})
    write("speech.mp3", "libmp3lame", 24_000, {})
    probed = {
        name: await discord.FFmpegOpusAudio.from_probe(name, method="fallback", executable=FFMPEG) for name in FILES
    }
    plain = {name: discord.FFmpegOpusAudio(name, executable=FFMPEG) for name in FILES}
    channels = await asyncio.gather(*(sent(source) for source in (*probed.values(), *plain.values())))
    print(f"discord.py {discord.__version__}: files of {SECONDS} s")
    seconds, rates = {}, {}
    keys = [(name, how) for how in ("from_probe", "plain") for name in FILES]
    for key, channel in zip(keys, channels):
        seconds[key] = channel.ended - channel.began
        rates[key] = sum(map(len, channel.packets)) * 8 / SECONDS / 1000
        print(
            f"{key[0]}, {key[1]}: {len(channel.packets)} packets, {rates[key]:.0f} kbit/s of sound, sent in "
            f"{seconds[key]:.1f} s; they begin with {channel.packets[0][:8]!r}, {channel.packets[1][:8]!r}"
        )
    holds = (
        seconds["note.ogg", "from_probe"] < 2.2
        and all(seconds[key] > 3 for key in seconds if key != ("note.ogg", "from_probe"))
        and rates["speech.mp3", "from_probe"] > 200 > rates["speech.mp3", "plain"]
        and all(channel.packets[0].startswith(b"OpusHead") for channel in channels)
    )
    if not holds:
        sys.exit("discord.py has changed: this does not hold any more")


FILES = ("short.ogg", "note.ogg", "speech.mp3")
asyncio.run(main())
PYTHON
