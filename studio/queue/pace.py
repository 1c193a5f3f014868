"""How long a job takes here, judged by those that ended: an estimate for members who wait, and nothing else."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from statistics import median

from cloning.text.durations import expected_seconds
from errors import InvalidInput
from storage.records import JobKind, JobRecord
from studio.queue.job_payload import SpeechOrder

REMEMBERED = 10
"""So many of the latest jobs of a kind count."""
LEAST_SECONDS = 5.0
"""Below this an estimate is of no use: the answer is faster than reading it."""


class Pace:
    """Learns from jobs that ended well. Clones take alike long; speech, as long as there is to say."""

    def __init__(self) -> None:
        self._clones = deque[float](maxlen=REMEMBERED)
        self._speeches = deque[float](maxlen=REMEMBERED)
        self._per_second = deque[float](maxlen=REMEMBERED)
        """Seconds of work for one second of speech."""

    def learn(self, jobs: Iterable[JobRecord]) -> None:
        """Take in jobs that ended well, the oldest first."""
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
        """The seconds that the worker will need for a job; None if nothing like it ended yet."""
        if job.kind is JobKind.CLONE:
            return median(self._clones) if self._clones else None
        if not self._per_second:
            return None
        try:
            order = SpeechOrder.of(job)
        except InvalidInput:
            return None
        return median(self._per_second) * expected_seconds(order.text, order.language)

    def until_begun(self, place: int, capacity: int) -> float | None:
        """The seconds until a job begins that is number `place` (from 1) of those that wait for `capacity` places."""
        works = [*self._clones, *self._speeches]
        seconds = median(works) * -(-place // max(1, capacity)) if works and place else 0.0
        return seconds if seconds >= LEAST_SECONDS else None


def left(expected: float | None, begun_at: datetime | None, now: datetime) -> float | None:
    """The seconds until a job is done that was begun then; None if there is no estimate, or it was wrong."""
    if expected is None or begun_at is None or expected < LEAST_SECONDS:
        return None
    seconds = expected - (now - begun_at).total_seconds()
    return seconds if seconds > 0 else None
