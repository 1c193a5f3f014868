"""What arrives at a voice server. Needs none of the libraries by which it is decrypted."""

from collections.abc import Callable
from dataclasses import dataclass

SILENCE = b"\xf8\xff\xfe"
"""An Opus packet of silence, as discord.py sends it."""


@dataclass(frozen=True, slots=True)
class Packet:
    """20 ms of Opus that arrived. `at`: time.perf_counter(); `sequence` and `timestamp` are RTP's.

    `opus` is None if the listener could not decrypt it: nobody in the channel hears that.
    """

    at: float
    sequence: int
    timestamp: int
    opus: bytes | None


Hear = Callable[[Packet], None]
