"""The voice channels that the bot is in, one per server, and the queue of lines in each.

All of it is in memory: a crash loses what was being played, but no accepted job.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import structlog

from errors import BarkeepError
from storage.files import FileStore
from storage.records import JobRecord
from studio.channel.gateway import Connection
from studio.channel.lines import Fate, Line, Piece
from studio.queue.job_payload import Reply
from studio.values import Actor

_REMEMBERED = 1000
"""The number of fates that are kept, for answers that are sent after their line has ended."""

_log = structlog.get_logger(__name__)


class Room:
    """One voice channel with its lines in the order of requests. `told`: called when a line ends.

    `read_channel_id`: the channel whose messages are read aloud here.
    """

    def __init__(self, connection: Connection, told: Callable[[Line], None], clock: Callable[[], datetime]) -> None:
        self.connection = connection
        self.alone_since: datetime | None = None
        self.broken_since: datetime | None = None
        self.quiet_since = clock()
        self.read_channel_id: int | None = None
        self._told = told
        self._clock = clock
        self._lines: list[Line] = []
        self._closed = False
        self._runner: asyncio.Task[None] | None = None
        self._saying: tuple[Line, asyncio.Task[None]] | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """The line that is played or generated now, and those that wait behind it."""
        return tuple(self._lines)

    def add(self, line: Line) -> None:
        """Add a line to the queue. In a room that the bot has left, it is lost at once."""
        self._lines.append(line)
        if self._closed:
            self.end(line, Fate.LOST)
        elif self._runner is None:
            self._runner = asyncio.create_task(self._run())

    def end(self, line: Line, fate: Fate) -> None:
        """End a line, heard or not. A line that is being played stops."""
        if line not in self._lines:
            return
        self._lines.remove(line)
        line.end(fate)
        if self._saying is not None and self._saying[0] is line:
            self._saying[1].cancel()
        self.quiet_since = self._clock()
        self._told(line)

    async def close(self) -> None:
        """Stop playing, and leave."""
        self._closed = True
        for line in self.lines:
            self.end(line, Fate.LOST)
        if self._runner is not None:
            await self._runner
        await self.connection.close()

    async def _run(self) -> None:
        try:
            while self._lines:
                await self._say(self._lines[0])
        finally:
            self._runner = None

    async def _say(self, line: Line) -> None:
        task = asyncio.create_task(self.connection.play(line))
        self._saying = line, task
        await asyncio.wait({task})
        self._saying = None
        if task.cancelled():
            self.end(line, Fate.LOST)
            return
        error = task.exception()
        if isinstance(error, BarkeepError):
            _log.warning("line_not_heard", line=line.key, reason=error.message)
        elif error is not None:
            _log.error("line_broke", line=line.key, exc_info=error)
        self.end(line, Fate.HEARD if error is None else Fate.LOST)


class Rooms:
    """All rooms by server, and their lines by job. The job queue adds the generated speech."""

    def __init__(self, files: FileStore, clock: Callable[[], datetime]) -> None:
        self._files = files
        self._clock = clock
        self._rooms: dict[int, Room] = {}
        self._lines: dict[str, tuple[Room, Line]] = {}
        self._fates: OrderedDict[str, Fate] = OrderedDict()
        self._tidying: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[tuple[int, Room]]:
        return iter(tuple(self._rooms.items()))

    def get(self, guild_id: int) -> Room | None:
        """Return the room of a server."""
        return self._rooms.get(guild_id)

    def near(self, actor: Actor) -> Room | None:
        """Return the room that the actor is in."""
        room = self._rooms.get(actor.guild_id)
        return room if room is not None and room.connection.channel_id == actor.voice_channel_id else None

    def open(self, guild_id: int, connection: Connection) -> Room:
        """Make a room for a channel that the bot has entered."""
        room = self._rooms[guild_id] = Room(connection, self._ended, self._clock)
        return room

    async def close(self, guild_id: int) -> None:
        """Close a server's room: leave the channel, if the bot is still in it."""
        room = self._rooms.pop(guild_id, None)
        if room is not None:
            await room.close()

    async def close_all(self) -> None:
        """Leave all channels."""
        await asyncio.gather(*(self.close(guild_id) for guild_id in list(self._rooms)))
        await asyncio.gather(*self._tidying)

    def add(self, room: Room, line: Line) -> None:
        """Add a line to a room; it is played when its sound is ready."""
        if line.job is not None:
            self._lines[line.key] = room, line
        room.add(line)

    def waits(self, job_id: str) -> bool:
        """Return whether the job has a line that has not ended."""
        return job_id in self._lines

    def fate(self, job_id: str) -> Fate | None:
        """Return how the job's line ended; None if it has not ended or the job has no line."""
        return self._fates.get(job_id)

    def awaited(self, job_id: str) -> tuple[int, Line] | None:
        """Return the channel and the line of a job whose answer has to wait for the line's end."""
        found = self._lines.get(job_id)
        if found is None or found[1].reply is not Reply.WORDS:
            return None
        return found[0].connection.channel_id, found[1]

    async def part(self, job_id: str, file: Path, number: int, pause: float) -> None:
        """Add sentence `number` of a job, unless the line already has it from an earlier, lost attempt."""
        found = self._lines.get(job_id)
        if found is not None and number == len(found[1].pieces) and not found[1].complete:
            found[1].add(Piece(await self._files.keep_aloud(job_id, file), pause))
            self._forget_if_over(found[1])

    async def whole(self, job_id: str, file: Path) -> None:
        """Complete a job's line. `file`: the whole speech, which is played if no sentences were added."""
        found = self._lines.get(job_id)
        if found is None:
            return
        line = found[1]
        if not line.pieces:
            line.add(Piece(await self._files.keep_aloud(job_id, file)))
            self._forget_if_over(line)
        line.close()

    def drop(self, job_id: str, fate: Fate = Fate.SKIPPED) -> None:
        """End the line of a job that failed, was cancelled or was deleted."""
        if (found := self._lines.get(job_id)) is not None:
            found[0].end(found[1], fate)

    def drop_member(self, guild_id: int, member_id: int) -> None:
        """End all lines of a member."""
        self._drop_jobs(guild_id, lambda job: job.member_id == member_id)

    def drop_voice(self, guild_id: int, voice_id: int) -> None:
        """End all lines that use a voice."""
        self._drop_jobs(guild_id, lambda job: job.voice_id == voice_id)

    def _drop_jobs(self, guild_id: int, unwanted: Callable[[JobRecord], bool]) -> None:
        room = self._rooms.get(guild_id)
        for line in () if room is None else room.lines:
            if line.job is not None and unwanted(line.job):
                self.drop(line.key)

    def _ended(self, line: Line) -> None:
        if line.job is None:
            return
        del self._lines[line.key]
        self._fates[line.key] = line.fate or Fate.LOST
        if len(self._fates) > _REMEMBERED:
            self._fates.popitem(last=False)
        self._tidy(line)

    def _forget_if_over(self, line: Line) -> None:
        """Delete the files of a line that ended while one of them was being stored."""
        if line.fate is not None:
            self._tidy(line)

    def _tidy(self, line: Line) -> None:
        task = asyncio.create_task(self._drop_files(line.key))
        self._tidying.add(task)
        task.add_done_callback(self._tidying.discard)

    async def _drop_files(self, job_id: str) -> None:
        try:
            await self._files.drop_aloud(job_id)
        except BarkeepError as error:
            _log.warning("sound_left_behind", job_id=job_id, reason=error.message)  # The next start removes it.
