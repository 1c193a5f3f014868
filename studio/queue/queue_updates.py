"""Tells waiting members their place in the queue, and that the speech models cannot be loaded."""

from collections.abc import Iterable

from storage.database import Storage
from studio.queue.estimates import JobEstimates
from studio.queue.fair_order import FairQueue
from studio.queue.worker_events import ActiveJob
from studio.values import Courier, Update

MEMBERS_TOLD = 25
"""How many waiting members are told when the queue moves."""


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
        self, queue: FairQueue, active: Iterable[ActiveJob], free: int, *, capacity: int, loading: bool
    ) -> None:
        """Tell waiting members their place; with `loading`, also those whose active job waits for the models."""
        places = {job_id: place(number, free) for number, job_id in enumerate(queue.first(MEMBERS_TOLD))}
        updates = {
            job_id: Update(position=number, loading=loading, seconds_left=self._estimates.until_start(number, capacity))
            for job_id, number in places.items()
        }
        if loading:
            updates |= {each.job.id: Update(loading=True) for each in active if not each.begun}
        changed = [job_id for job_id, update in updates.items() if self._last_sent.get(job_id) != update]
        self._last_sent = updates
        for job in await self._storage.jobs.of_ids(changed):
            self._courier.update(job, updates[job.id])
