"""Those who wait: in which order they will be served, and what they are told about it. Its memory is the fair turn."""

from collections.abc import Collection

from storage.records import JobRecord
from studio.queue import fair_order
from studio.queue.progress_updates import News
from studio.values import Update

TOLD = 25
"""How many of those who wait are told when the queue moves."""


class WaitingLine:
    """Applies the fair order of `studio.queue.fair_order` to the jobs of storage."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._served = fair_order.Served()
        self._told: dict[str, int] = {}

    def order(self, queued: Collection[JobRecord], running: Collection[JobRecord]) -> list[JobRecord]:
        """The queued jobs, whose turn it is first."""
        return fair_order.order(queued, running, self._served)

    def places(self, queued: Collection[JobRecord], running: Collection[JobRecord], capacity: int) -> dict[str, int]:
        """Job id -> place, in order: 0 starts now, 1 is next."""
        ordered = self.order(queued, running)
        free = capacity - len(running)
        return {job.id: fair_order.position(job.id, ordered, free) for job in ordered}

    def served(self, job: JobRecord) -> None:
        """A job was taken to the worker."""
        self._served.note(job)
        self._told.pop(job.id, None)

    def tell(self, queued: Collection[JobRecord], running: Collection[JobRecord], capacity: int) -> None:
        """Tell those near the front whose place has changed. When all is done, turns are forgotten."""
        if not queued and not running:
            self._served.forget()
        places = self.places(queued, running, capacity)
        jobs = {job.id: job for job in queued}
        for job_id, place in list(places.items())[:TOLD]:
            if self._told.get(job_id) != place:
                self._news.tell(jobs[job_id], Update(position=place))
        self._told = places
