"""Feeds a line to discord.py as sound: one Opus packet every 20 ms, from the files that the worker wrote.

discord.py's player reads it in a thread. Nothing is decoded, and only one page of a file is in memory.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import discord
import structlog
from discord.oggparse import OggError, OggStream

from studio.channel.lines import Line

PACKET_SECONDS = 0.02
"""The duration of one packet: what Barkeep's encoder writes and discord.py assumes."""
SILENCE = b"\xf8\xff\xfe"
"""An Opus packet of silence, which Discord expects in a speaker's pauses."""
PATIENCE = 150
"""Packets of silence (3 s) after which playback stops until more sound is ready."""

_HEADERS = 2
"""The first packets of an Ogg Opus stream, OpusHead and OpusTags, hold no sound."""

log = structlog.get_logger(__name__)


class LineSource(discord.AudioSource):
    """The packets of a line, in order, each once.

    Playback can be resumed: the next player continues where the previous one stopped. While no sound is available, or
    `ready` returns False because nobody would hear it, the source returns up to PATIENCE packets of silence.
    """

    def __init__(self, line: Line, ready: Callable[[], bool]) -> None:
        self.taken = 0
        """How many of the line's pieces were opened."""
        self._line = line
        self._ready = ready
        self._packets: Iterator[bytes] = iter(())
        self._file = ExitStack()
        self._pause = 0
        self._idle = True
        self._waited = 0

    @property
    def idle(self) -> bool:
        """Whether all packets of the line's present pieces were returned."""
        return self._idle and self.taken == len(self._line.pieces)

    @property
    def ended(self) -> bool:
        """Whether all packets of the line were returned."""
        complete = self._line.complete  # Read before the pieces: see Line.
        return complete and self.idle

    def is_opus(self) -> bool:
        """Return True: the packets are already encoded as Opus."""
        return True

    def read(self) -> bytes:
        """Return the next packet; an empty one stops the player, at the end or after PATIENCE packets of silence."""
        if not self._ready():
            return self._wait()
        packet = self._next()
        if packet is not None:
            self._waited = 0
            return packet
        return b"" if self.ended else self._wait()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _wait(self) -> bytes:
        self._waited += 1
        if self._waited > PATIENCE:
            self._waited = 0
            return b""
        return SILENCE

    def _next(self) -> bytes | None:
        """Return the next packet of sound, or of a pause between two pieces; None if there is none yet."""
        while True:
            if not self._idle:
                packet = self._packet()
                if packet is not None:
                    return packet
                self._idle = True
            if self.taken == len(self._line.pieces):
                return None
            if self._pause:
                self._pause -= 1
                return SILENCE
            self._begin()

    def _packet(self) -> bytes | None:
        try:
            return next(self._packets, None)
        except (OSError, OggError) as error:
            log.warning("sound_cannot_be_read", line=self._line.key, kind=type(error).__name__)
            return None

    def _begin(self) -> None:
        """Open the next piece."""
        piece = self._line.pieces[self.taken]
        self.taken += 1
        self._pause = round(piece.pause / PACKET_SECONDS)
        self._file.close()
        self._packets = self._opened(piece.path)
        self._idle = False

    def _opened(self, path: Path) -> Iterator[bytes]:
        file = self._file.enter_context(path.open("rb"))
        yield from islice(OggStream(file).iter_packets(), _HEADERS, None)
