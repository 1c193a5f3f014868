"""What members who wait are told: their place in the queue, and that the speech models cannot be loaded."""

from collections.abc import Callable, Iterable

from storage.database import Storage
from studio.queue.fair_order import FairQueue
from studio.queue.pace import Pace
from studio.queue.worker_events import Active
from studio.values import Courier, Update

TOLD = 25
"""How many of those who wait are told when the queue moves."""


def place(before: int, free: int) -> int:
    """The place of a job that `before` others precede, where the worker takes `free` more: 0 starts now, 1 is next."""
    return max(0, before - max(0, free) + 1)


class WaitingNews:
    """Tells those near the front what has changed for them since they were told last."""

    def __init__(self, storage: Storage, courier: Callable[[], Courier], pace: Pace) -> None:
        self._storage = storage
        self._pace = pace
        self._courier = courier
        self._told: dict[str, Update] = {}

    async def tell(
        self, queue: FairQueue, active: Iterable[Active], free: int, *, capacity: int, loading: bool
    ) -> None:
        """Tell who waits in the queue, and with `loading` those whose job waits for the worker to load its models."""
        places = {job_id: place(number, free) for number, job_id in enumerate(queue.first(TOLD))}
        news = {
            job_id: Update(position=number, loading=loading, seconds_left=self._pace.until_begun(number, capacity))
            for job_id, number in places.items()
        }
        if loading:
            news |= {each.job.id: Update(loading=True) for each in active if not each.begun}
        changed = [job_id for job_id, update in news.items() if self._told.get(job_id) != update]
        self._told = news
        for job in await self._storage.jobs.of_ids(changed):
            self._courier().update(job, news[job.id])
