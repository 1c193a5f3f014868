"""Handles the worker's events: what becomes of each active job, and the updates for its member."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from cloning.worker.protocol import (
    Checked,
    Cloned,
    Event,
    Executor,
    Failed,
    Heartbeat,
    Listened,
    Lost,
    Nodes,
    PartSpoken,
    Progress,
    Ready,
    Spoken,
    part_file,
)
from errors import BarkeepError, Unavailable
from storage.database import Storage
from storage.jobs import UNFINISHED
from storage.records import JobRecord
from studio.channel.lines import Fate
from studio.channel.rooms import Rooms
from studio.queue.endings import JobEndings
from studio.queue.estimates import JobEstimates, seconds_left
from studio.values import Courier, Update

LONG_TEXT = 3
"""From this many sentences on, the first is sent ahead; in shorter texts the rest follows too soon."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ActiveJob:
    """A job that this process holds. `folder`: where the worker writes, once the job is submitted."""

    job: JobRecord
    folder: Path | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    begun: bool = False
    """The worker has begun the job."""
    ending: bool = False
    """The worker has finished with the job; this process stores the result."""
    stage: str | None = None
    fraction: float = 0.0
    beginning: Path | None = None
    """The first sentence of a long text, once its file exists."""
    expected: float | None = None
    """Estimated seconds of work; None without an estimate."""
    events: deque[Event] = field(default_factory=deque)
    """Events of the worker that have not been handled."""
    followed: bool = False
    """A task handles the events."""

    def update_for(self, event: Progress | PartSpoken, now: datetime) -> Update | None:
        """Record how far the job is. Return the update for its member, if there is one.

        Every update after the first sentence of a long text carries that sentence.
        """
        if isinstance(event, Progress):
            self.stage, self.fraction = event.stage, event.fraction
        elif event.number == 0 and event.of >= LONG_TEXT and self.folder is not None:
            self.beginning = self.folder / part_file(event.number)
        else:
            return None
        if self.cancelled.is_set():
            return None
        return Update(
            stage=self.stage,
            fraction=self.fraction,
            beginning=self.beginning,
            seconds_left=seconds_left(self.expected, self.job.started_at, now),
        )


class WorkerListener:
    """Follows active jobs by the worker's events, in a task that exists while the worker has jobs.

    The events of one job are handled one after the other, those of several jobs side by side.

    active: the jobs that this process holds, by id. owner: the name of this process as the holder of leases.
    free_place: called when the end of a job is stored. more_room: called when there may be more free places. let_go:
    called for a job that another process holds now.
    """

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        courier: Courier,
        rooms: Rooms,
        endings: JobEndings,
        estimates: JobEstimates,
        *,
        active: Mapping[str, ActiveJob],
        owner: str,
        clock: Callable[[], datetime],
        free_place: Callable[[ActiveJob], None],
        more_room: Callable[[], None],
        let_go: Callable[[ActiveJob], Awaitable[None]],
    ) -> None:
        self._storage = storage
        self._executor = executor
        self._courier = courier
        self._rooms = rooms
        self._endings = endings
        self._estimates = estimates
        self._active = active
        self._owner = owner
        self._clock = clock
        self._free_place = free_place
        self._more_room = more_room
        self._let_go = let_go
        self._events = executor.events()
        self._task: asyncio.Task[None] | None = None
        self._following: set[asyncio.Task[None]] = set()
        self._waiting = False
        self._closing = False

    def listen(self) -> None:
        """Handle events, in a task, until the worker has no jobs."""
        if self._task is None and not self._closing:
            self._task = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Stop, after the events that are being handled."""
        self._closing = True
        if self._task is not None:
            if self._waiting:
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*self._following, return_exceptions=True)

    async def _listen(self) -> None:
        """Handle events as long as the worker has jobs."""
        try:
            while any(not active.ending for active in self._active.values()) and not self._closing:
                self._waiting = True
                try:
                    event = await anext(self._events)
                except Exception as error:
                    self._lose_all(f"The worker's events ended: {type(error).__name__}.")
                    return
                finally:
                    self._waiting = False
                self._take(event)
        finally:
            self._task = None

    def _lose_all(self, reason: str) -> None:
        """Treat every active job as lost: the worker's events ended."""
        self._events = self._executor.events()
        for active in self._active.values():
            if not active.ending:
                self._take(Lost(active.job.id, reason))

    def _take(self, event: Event) -> None:
        """Take an event that the worker sent, and handle it after the earlier ones of its job."""
        if isinstance(event, Nodes):
            self._more_room()
            return
        if (
            isinstance(event, Ready | Heartbeat | Checked | Listened)
            or (active := self._active.get(event.job_id)) is None
            or active.ending
        ):
            return
        active.ending = not isinstance(event, Progress | PartSpoken)
        active.events.append(event)
        if not active.followed:
            active.followed = True
            task = asyncio.create_task(self._follow(active))
            self._following.add(task)
            task.add_done_callback(self._following.discard)

    async def _follow(self, active: ActiveJob) -> None:
        """Handle the events of a job, as long as this process holds it."""
        try:
            while active.events and self._active.get(active.job.id) is active and not self._closing:
                await self._handle(active, active.events.popleft())
        finally:
            active.followed = False

    async def _handle(self, active: ActiveJob, event: Event) -> None:
        if isinstance(event, Progress | PartSpoken):
            if not active.begun and not await self._note_begun(active):
                return
            if isinstance(event, PartSpoken) and active.folder is not None:
                await self._hear(active.folder, event)
            if (news := active.update_for(event, self._clock())) is not None:
                self._courier.update(active.job, news)
        elif isinstance(event, Cloned | Spoken | Failed | Lost):
            self._endings.begin(self._endings.conclude(active.job, event), lambda: self._free_place(active))

    async def _hear(self, folder: Path, event: PartSpoken) -> None:
        """A sentence can be heard where its line waits for it."""
        try:
            await self._rooms.part(event.job_id, folder / part_file(event.number), event.number, event.pause)
        except BarkeepError as error:
            _log.warning("part_not_heard", job_id=event.job_id, reason=error.message)
            self._rooms.drop(event.job_id, Fate.LOST)

    async def _note_begun(self, active: ActiveJob) -> bool:
        """Count the attempt: the worker has begun the job. Return False if another process has the job now."""
        active.begun = True
        try:
            begun = await self._storage.jobs.begun(active.job.id, self._owner)
            current = begun or await self._storage.jobs.find(active.job.id)
        except Unavailable as error:
            _log.warning("attempt_not_counted", job_id=active.job.id, reason=error.message)
            return True
        if begun is None:
            is_elsewhere = current is not None and current.state in UNFINISHED
            if is_elsewhere:  # otherwise it was cancelled or deleted, and its end removes its files
                await self._let_go(active)
            return not is_elsewhere
        active.job = begun
        active.expected = self._estimates.of(begun)
        _log.info("job_begun", job_id=begun.id, guild_id=begun.guild_id, attempt=begun.attempts)
        return True
