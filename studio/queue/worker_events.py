"""Handles the worker's events: follows each active job to its end, and sends updates to its member."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog

from cloning.worker.protocol import (
    Checked,
    Cloned,
    Event,
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
from storage.jobs import UNFINISHED
from studio.channel.lines import Fate
from studio.queue.context import ActiveJob, QueueContext
from studio.queue.endings import JobEndings
from studio.queue.queue_updates import JobEstimates, seconds_left
from studio.values import Update

LONG_TEXT = 3
"""From this many sentences on, the first is sent ahead. In shorter texts the rest follows too soon."""

_log = structlog.get_logger(__name__)


class WorkerListener:
    """Follows active jobs by the worker's events, in a task that exists while the worker has jobs.

    The events of one job are handled one after the other, those of several jobs side by side.

    wake: called when there may be more free places.
    """

    def __init__(
        self,
        context: QueueContext,
        endings: JobEndings,
        estimates: JobEstimates,
        wake: Callable[[], None],
    ) -> None:
        self._context = context
        self._endings = endings
        self._estimates = estimates
        self._wake = wake
        self._events = context.executor.events()
        self._task: asyncio.Task[None] | None = None
        self._following: set[asyncio.Task[None]] = set()
        self._waiting = False
        self._closing = False

    def listen(self) -> None:
        """Handle events, in a task, until the worker has no jobs."""
        if self._task is None and not self._closing:
            self._task = asyncio.create_task(self._listen())

    async def let_go(self, active: ActiveJob) -> None:
        """Stop the work on a job that another process holds now. A job that was cancelled here ends by itself."""
        if active.ending or active.cancelled.is_set():
            return
        _log.warning("lease_lost", job_id=active.job.id)
        await self._context.executor.cancel(active.job.id)
        self._context.drop(active)
        self._wake()

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
            while any(not active.ending for active in self._context.active.values()) and not self._closing:
                self._waiting = True
                try:
                    event = await anext(self._events)
                except Exception as error:
                    self._end_all_as_lost(f"The worker's events ended: {type(error).__name__}.")
                    return
                finally:
                    self._waiting = False
                self._take(event)
        finally:
            self._task = None

    def _end_all_as_lost(self, reason: str) -> None:
        """Treat every active job as lost: the worker's events ended."""
        self._events = self._context.executor.events()
        for active in self._context.active.values():
            if not active.ending:
                self._take(Lost(active.job.id, reason))

    def _take(self, event: Event) -> None:
        """Take an event that the worker sent, and handle it after the earlier ones of its job."""
        if isinstance(event, Nodes):
            self._wake()
            return
        if (
            isinstance(event, Ready | Heartbeat | Checked | Listened)
            or (active := self._context.active.get(event.job_id)) is None
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
            while active.events and self._context.active.get(active.job.id) is active and not self._closing:
                try:
                    await self._handle(active, active.events.popleft())
                except Exception:  # a later event ends the job
                    _log.exception("event_not_handled", job_id=active.job.id)
        finally:
            active.followed = False

    async def _handle(self, active: ActiveJob, event: Event) -> None:
        if isinstance(event, Progress | PartSpoken):
            if not active.begun and not await self._note_begun(active):
                return
            if isinstance(event, PartSpoken) and active.folder is not None:
                await self._add_to_line(active.folder, event)
            if (update := update_for(active, event, self._context.clock())) is not None:
                self._context.courier.update(active.job, update)
        elif isinstance(event, Cloned | Spoken | Failed | Lost):
            self._endings.begin(active, event)

    async def _add_to_line(self, folder: Path, event: PartSpoken) -> None:
        """Add a sentence to the job's line in a voice channel, if it has one."""
        try:
            await self._context.rooms.part(event.job_id, folder / part_file(event.number), event.number, event.pause)
        except BarkeepError as error:
            _log.warning("part_not_heard", job_id=event.job_id, reason=error.message)
            self._context.rooms.drop(event.job_id, Fate.LOST)

    async def _note_begun(self, active: ActiveJob) -> bool:
        """Count the attempt: the worker has begun the job. Return False if another process has the job now."""
        active.begun = True
        jobs = self._context.storage.jobs
        try:
            begun = await jobs.begun(active.job.id, self._context.owner)
            current = begun or await jobs.find(active.job.id)
        except Unavailable as error:
            _log.warning("attempt_not_counted", job_id=active.job.id, reason=error.message)
            return True
        if begun is None:
            is_elsewhere = current is not None and current.state in UNFINISHED
            if is_elsewhere:  # otherwise it was cancelled or deleted, and its end removes its files
                await self.let_go(active)
            return not is_elsewhere
        active.job = begun
        active.expected = self._estimates.of(begun)
        _log.info("job_begun", job_id=begun.id, guild_id=begun.guild_id, attempt=begun.attempts)
        return True


def update_for(active: ActiveJob, event: Progress | PartSpoken, now: datetime) -> Update | None:
    """Record how far a job is. Return the update for its member, if there is one.

    Every update after the first sentence of a long text carries that sentence.
    """
    if isinstance(event, Progress):
        active.stage, active.fraction = event.stage, event.fraction
    elif event.number == 0 and event.of >= LONG_TEXT and active.folder is not None:
        active.beginning = active.folder / part_file(event.number)
    else:
        return None
    if active.cancelled.is_set():
        return None
    return Update(
        stage=active.stage,
        fraction=active.fraction,
        beginning=active.beginning,
        seconds_left=seconds_left(active.expected, active.job.started_at, now),
    )
