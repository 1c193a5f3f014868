"""Tells waiting members their place in the queue and how long it may take, and that the models cannot be loaded."""

from collections import deque
from collections.abc import Collection, Iterable
from datetime import datetime
from statistics import median

from cloning.text.durations import expected_seconds
from errors import InvalidInput
from storage.database import Storage
from storage.records import JobKind, JobRecord
from studio.queue.fair_order import FairQueue
from studio.queue.job_payload import SpeechPayload
from studio.values import Courier, Update

MEMBERS_TOLD = 25
"""How many waiting members are told when the queue moves."""
REMEMBERED = 10
"""How many of the latest jobs of a kind count."""
LEAST_SECONDS = 5.0
"""Shorter estimates are not shown: the answer comes sooner than they can be read."""


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
    """Return the seconds until a job is done that began at `begun_at`; None without an estimate, or if it was wrong."""
    if expected is None or begun_at is None or expected < LEAST_SECONDS:
        return None
    seconds = expected - (now - begun_at).total_seconds()
    return seconds if seconds > 0 else None


def place(before: int, free: int) -> int:
    """Return the position of a job behind `before` others and `free` free places: 0 starts now, 1 is next."""
    return max(0, before - max(0, free) + 1)


class QueueUpdates:
    """Tells members near the front of the queue what has changed since the last message."""

    def __init__(self, storage: Storage, courier: Courier, estimates: JobEstimates) -> None:
        self._storage = storage
        self._estimates = estimates
        self._courier = courier
        self._last_sent: dict[str, Update] = {}

    async def send(
        self, queue: FairQueue, free: int, *, capacity: int, loading: bool, not_begun: Collection[str]
    ) -> None:
        """Tell waiting members their place; with `loading`, also those of the active jobs `not_begun`."""
        places = {job_id: place(number, free) for number, job_id in enumerate(queue.first(MEMBERS_TOLD))}
        updates = {
            job_id: Update(position=number, loading=loading, seconds_left=self._estimates.until_start(number, capacity))
            for job_id, number in places.items()
        }
        if loading:
            updates |= {job_id: Update(loading=True) for job_id in not_begun}
        changed = [job_id for job_id, update in updates.items() if self._last_sent.get(job_id) != update]
        self._last_sent = updates
        for job in await self._storage.jobs.of_ids(changed):
            self._courier.update(job, updates[job.id])
