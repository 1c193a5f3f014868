"""The packets that a voice server receives. Does not import the libraries that decrypt them."""

from collections.abc import Callable
from dataclasses import dataclass

SILENCE = b"\xf8\xff\xfe"
"""An Opus packet of silence, as discord.py sends it."""


@dataclass(frozen=True, slots=True)
class Packet:
    """20 ms of Opus. `at`: its arrival by time.perf_counter(); `sequence` and `timestamp`: those of RTP.

    `opus` is None if the listener could not decrypt it.
    """

    at: float
    sequence: int
    timestamp: int
    opus: bytes | None


Hear = Callable[[Packet], None]
