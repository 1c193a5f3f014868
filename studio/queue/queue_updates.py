"""Tells waiting members their place in the queue, an estimated time, and whether the models cannot be loaded."""

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from statistics import median

import structlog

from cloning.text.durations import expected_seconds
from errors import InvalidInput, Unavailable
from storage.records import JobKind, JobRecord
from studio import metrics
from studio.queue.context import QueueContext
from studio.queue.job_payload import SpeechPayload
from studio.values import Update

MEMBERS_TOLD = 25
"""How many waiting members are told when the queue moves."""
TELL_SECONDS = 0.25
"""The least time between two updates of places while more than MEMBERS_TOLD wait: a long queue moves at each job."""
REMEMBERED = 10
"""The number of latest jobs of each kind that estimates use."""
LEAST_SECONDS = 5.0
"""Shorter estimates are not shown: the answer comes before they can be read."""

_log = structlog.get_logger(__name__)


class JobEstimates:
    """Estimates how long a job takes here, from the latest successful jobs.

    Clones are assumed to take the same time; speech, in proportion to its length.
    """

    def __init__(self) -> None:
        self._clones = deque[float](maxlen=REMEMBERED)
        self._speeches = deque[float](maxlen=REMEMBERED)
        self._per_second = deque[float](maxlen=REMEMBERED)
        """Seconds of work for one second of speech."""

    def learn(self, jobs: Iterable[JobRecord]) -> None:
        """Learn from successful jobs, oldest first."""
        for job in jobs:
            if job.started_at is None or job.finished_at is None:
                continue
            work = (job.finished_at - job.started_at).total_seconds()
            if job.kind is JobKind.CLONE:
                self._clones.append(work)
                continue
            self._speeches.append(work)
            if seconds := (job.result or {}).get("seconds"):
                self._per_second.append(work / seconds)

    def of(self, job: JobRecord) -> float | None:
        """Return the seconds that the worker will need for a job; None without a similar job so far."""
        if job.kind is JobKind.CLONE:
            return median(self._clones) if self._clones else None
        if not self._per_second:
            return None
        try:
            order = SpeechPayload.of(job)
        except InvalidInput:
            return None
        return median(self._per_second) * expected_seconds(order.text, order.language)

    def until_start(self, place: int, capacity: int) -> float | None:
        """Return the seconds until the queued job at `place` (from 1) begins, with `capacity` places at the worker."""
        works = [*self._clones, *self._speeches]
        seconds = median(works) * -(-place // max(1, capacity)) if works and place else 0.0
        return seconds if seconds >= LEAST_SECONDS else None


def seconds_left(expected: float | None, begun_at: datetime | None, now: datetime) -> float | None:
    """Return the estimated seconds until a job is done that began at `begun_at`.

    None without an estimate, for one below LEAST_SECONDS, and once the estimate has passed.
    """
    if expected is None or begun_at is None or expected < LEAST_SECONDS:
        return None
    seconds = expected - (now - begun_at).total_seconds()
    return seconds if seconds > 0 else None


def place(before: int, free: int) -> int:
    """Return the position of a job behind `before` others with `free` free places: 0 if it starts now, 1 if next."""
    return max(0, before - max(0, free) + 1)


class QueueUpdates:
    """Sends updates to members near the front of the queue when they change, and sets the metrics of the queue."""

    def __init__(self, context: QueueContext, estimates: JobEstimates) -> None:
        self._context = context
        self._estimates = estimates
        self._last_sent: dict[str, Update] = {}
        self._moved = False
        """The queue has moved since waiting members were told their place."""
        self._telling: asyncio.Task[None] | None = None
        self._is_pausing = False
        """Members of a long queue were told their place less than TELL_SECONDS ago."""
        self._closing = False

    def tell(self) -> None:
        """Start a task that tells waiting members their place; if the queue moves meanwhile, tell them again later."""
        self._moved = True
        if self._telling is None and not self._is_pausing and not self._closing:
            self._telling = asyncio.create_task(self._tell())

    def measure(self) -> None:
        """Set the metrics of queue and worker."""
        health = self._context.executor.health()
        metrics.QUEUED.set(len(self._context.queue))
        metrics.RUNNING.set(len(self._context.active))
        metrics.WORKER_READY.set(health.ready is not None)
        metrics.WORKER_RESTARTS.set(health.restarts)

    async def close(self) -> None:
        """Send no more updates. Waits for those that are being sent."""
        self._closing = True
        if self._telling is not None:
            await self._telling

    async def _tell(self) -> None:
        self._moved = False
        try:
            await self._send()
            self.measure()
        except Unavailable as error:
            _log.warning("places_not_told", reason=error.message)
        finally:
            self._telling, self._is_pausing = None, len(self._context.queue) > MEMBERS_TOLD
            if self._is_pausing:
                asyncio.get_running_loop().call_later(TELL_SECONDS, self._end_pause)
            elif self._moved:
                self.tell()

    def _end_pause(self) -> None:
        self._is_pausing = False
        if self._moved:
            self.tell()

    async def _send(self) -> None:
        """Send changed updates; while the models cannot be loaded, also to members whose active job has not begun."""
        context = self._context
        is_loading = context.executor.health().error is not None
        updates: dict[str, Update] = {}
        for before, job_id in enumerate(context.queue.first(MEMBERS_TOLD)):
            position = place(before, context.free)
            seconds = self._estimates.until_start(position, context.executor.capacity)
            updates[job_id] = Update(position=position, loading=is_loading, seconds_left=seconds)
        if is_loading:
            updates |= {job_id: Update(loading=True) for job_id, active in context.active.items() if not active.begun}
        changed = [job_id for job_id, update in updates.items() if self._last_sent.get(job_id) != update]
        self._last_sent = updates
        for job in await context.storage.jobs.of_ids(changed):
            context.courier.update(job, updates[job.id])
