"""A line of speech on its way into a voice channel: its pieces come one after the other, and it ends in one way.

The event loop adds pieces, a player's thread takes them. Free of Discord: who plays a line stands behind `Connection`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from storage.records import JobRecord
from studio.queue.job_payload import Reply


class Fate(StrEnum):
    """How a line ended. HEARD: to its end. SKIPPED: somebody wanted it so. LOST: it could not be said to its end."""

    HEARD = "heard"
    SKIPPED = "skipped"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Piece:
    """A sound file, and the seconds of silence that follow it if another one does."""

    path: Path
    """Ogg Opus in packets of 20 ms."""
    pause: float = 0.0


class Line:
    """One line. `voice` is the name that people see; `job` is None for what no member asked for.

    Only the event loop calls the methods. `pieces` only grows, and `complete` is set after the last piece is in it, so
    that a thread which reads `complete` first and `pieces` next misses none.
    """

    def __init__(self, key: str, voice: str, text: str, *, job: JobRecord | None = None, reply: Reply = Reply.FILE):
        self.key = key
        self.voice = voice
        self.text = text
        self.job = job
        self.reply = reply
        self.complete = False
        self.begun = False
        """Some of it was heard."""
        self.fate: Fate | None = None
        self._pieces: list[Piece] = []
        self._news = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def member_id(self) -> int | None:
        """Who asked for it."""
        return None if self.job is None else self.job.member_id

    @property
    def pieces(self) -> Sequence[Piece]:
        """What can be heard so far, in order."""
        return self._pieces

    def add(self, piece: Piece) -> None:
        """The next piece can be heard."""
        self._pieces.append(piece)
        self._news.set()

    def close(self) -> None:
        """There are no more pieces to come."""
        self.complete = True
        self._news.set()

    def end(self, fate: Fate) -> None:
        """It is over."""
        self.fate = fate
        self.close()
        self._over.set()

    async def more(self, taken: int) -> None:
        """Wait until there are more pieces than `taken`, or until there are no more to come."""
        while not self.complete and len(self._pieces) <= taken:
            self._news.clear()
            await self._news.wait()

    async def over(self) -> None:
        """Wait until it is over."""
        await self._over.wait()
