#!/usr/bin/env bash
# discord.py 2.7.1: discord.opus.Encoder, which encodes what a bot plays (VoiceClient.play), with libopus 1.6. The input
# is a chord in stereo with partials up to 5 kHz.
# Expected: at 128 kbit/s, at least with signal_type="music", Opus codes music with its transform coder CELT; and more
# bits make it more exact.
# Actual: every packet is hybrid, that is, coded by the speech coder SILK below 8 kHz, with any signal type and bit
# rate. discord.py requests FEC and announces that 15 % of the packets are lost, and libopus then uses only modes that
# can carry FEC. (Opus' documentation of FEC says so, discord.py's does not.) More bits make it worse: at 512 kbit/s the
# error of the decoded spectrum is 3 dB below the signal, at 128 kbit/s 22 dB. With fec=False it is CELT, with 44 and 25
# dB. So music, such as that of a voice model that sings, needs play(source, fec=False).
# The libopus is the one in PyAV's wheel, so that it is the same everywhere.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 av==16.1.0 \
    "discord.py==2.7.1" "audioop-lts==0.2.2; python_version >= '3.13'"
cd "$folder"
"$folder/venv/bin/python" -W ignore::DeprecationWarning - <<'PYTHON'
import inspect
import sys
from pathlib import Path

import av
import discord
import numpy as np
from discord import opus

RATE, SECONDS, PACKET = 48_000, 3, 960
PARTIALS = (110, 220, 277.2, 329.6, 440, 554.4, 880, 1318.5, 1760, 2637, 3520, 5274)
LEAD_IN = 312  # samples that Opus is late by


def chord() -> np.ndarray:
    """int16 (N, 2): partials that are struck three times a second, each at its own place between left and right."""
    time = np.arange(RATE * SECONDS) / RATE
    sound = np.zeros((time.size, 2))
    for number, hertz in enumerate(PARTIALS):
        partial = 0.06 * np.exp(-2 * ((3 * time + 0.13 * number) % 1)) * np.sin(2 * np.pi * hertz * time + number)
        right = number % 5 / 4
        sound += partial[:, None] * (1 - right, right)
    return np.rint(sound * 32767).astype("<i2")


def mode(packet: bytes) -> str:
    """The coder, by the first five bits of a packet (RFC 6716, section 3.1)."""
    return "SILK" if packet[0] >> 3 < 12 else "hybrid" if packet[0] >> 3 < 16 else "CELT"


def spectra(samples: np.ndarray) -> np.ndarray:
    """Magnitudes of windows of 40 ms, so that a coder is not blamed for phases, which are not heard."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, 1920, axis=0)[::480]
    return np.abs(np.fft.rfft(windows * np.hanning(1920)))


def coded(**settings) -> tuple[set[str], float, float]:
    """The modes, kbit/s, and the error of the spectra in dB below the signal."""
    sound = chord()
    encoder, decoder = opus.Encoder(**settings), opus.Decoder()
    packets = [encoder.encode(sound[at : at + PACKET].tobytes(), PACKET) for at in range(0, len(sound), PACKET)]
    heard = np.frombuffer(b"".join(decoder.decode(packet, fec=False) for packet in packets), "<i2").reshape(-1, 2)
    wanted, found = (spectra(each[RATE // 2 :].astype(float)) for each in (sound[:-LEAD_IN], heard[LEAD_IN:]))
    error = 10 * np.log10(np.square(wanted).sum() / np.square(wanted - found).sum())
    return {mode(packet) for packet in packets}, sum(map(len, packets)) / 125 / SECONDS, error


libraries = Path(av.__file__).parent
opus.load_opus(str(next(iter([*libraries.parent.glob("av.libs/libopus*"), *libraries.glob(".dylibs/libopus*")]))))
defaults = {name: each.default for name, each in inspect.signature(discord.VoiceClient.play).parameters.items()}
print(f"discord.py {discord.__version__}, {opus.Encoder.get_opus_version()}, a chord of {SECONDS} s")
print("play() has", {name: defaults[name] for name in ("bitrate", "fec", "expected_packet_loss", "signal_type")})
found = {}
for settings in (
    {},
    {"signal_type": "music"},
    {"bitrate": 512},
    {"fec": False},
    {"fec": False, "bitrate": 512},
):
    name = ", ".join(f"{key}={value!r}" for key, value in settings.items()) or "the defaults"
    modes, rate, error = found[name] = coded(**settings)
    print(f"{name}: {' and '.join(sorted(modes))}, {rate:.0f} kbit/s, error {error:.1f} dB below the signal")
first, music, most, without, best = found.values()
holds = first[0] == music[0] == most[0] == {"hybrid"} and without[0] == best[0] == {"CELT"}
holds = holds and defaults["fec"] and defaults["expected_packet_loss"] == 0.15
if not (holds and most[2] < first[2] < without[2] < best[2]):
    sys.exit("discord.py or libopus has changed: this does not hold any more")
PYTHON
