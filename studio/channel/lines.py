"""A line of speech for a voice channel: a list of pieces that grows until the line is complete, and how it ended.

The event loop adds pieces, and a player's thread takes them. `gateway.Connection` plays a line.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from storage.records import JobRecord
from studio.queue.job_payload import Reply


class Fate(StrEnum):
    """How a line ended. HEARD: played to its end. SKIPPED: ended by a member. LOST: playing failed."""

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
    """One line. `voice` is the name that members see; `job` is None for a line that no member requested.

    Only the event loop calls the methods. `pieces` only grows, and `complete` is set after the last piece was added, so
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
        """Playback has begun."""
        self.fate: Fate | None = None
        self._pieces: list[Piece] = []
        self._news = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def member_id(self) -> int | None:
        """The member who requested the line."""
        return None if self.job is None else self.job.member_id

    @property
    def pieces(self) -> Sequence[Piece]:
        """The pieces that are ready, in order."""
        return self._pieces

    def add(self, piece: Piece) -> None:
        """Add the next piece."""
        self._pieces.append(piece)
        self._news.set()

    def close(self) -> None:
        """Mark the line as complete."""
        self.complete = True
        self._news.set()

    def end(self, fate: Fate) -> None:
        """End the line."""
        self.fate = fate
        self.close()
        self._over.set()

    async def more(self, taken: int) -> None:
        """Wait until there are more than `taken` pieces, or until the line is complete."""
        while not self.complete and len(self._pieces) <= taken:
            self._news.clear()
            await self._news.wait()

    async def over(self) -> None:
        """Wait until the line has ended."""
        await self._over.wait()
