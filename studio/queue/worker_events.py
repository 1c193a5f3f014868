"""What the worker tells of a job at work, on its way to the member; each report also says that the job is alive.

Knows nothing of queues, or of how a job ends.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from cloning.worker.protocol import PartSpoken, Progress, part_file
from errors import Unavailable
from storage.database import Storage
from storage.records import JobRecord
from studio.queue.lease import LEASE
from studio.queue.progress_updates import News
from studio.values import Update

LONG_TEXT = 3
"""Sentences from which on a text's beginning is sent ahead: of two, the whole follows too soon."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Active:
    """A job that this process works on. `folder`: where the worker writes, once it was asked."""

    job: JobRecord
    renewed: datetime
    folder: Path | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    stage: str | None = None
    fraction: float = 0.0
    beginning: Path | None = None
    """The first sentence of a long text, once it can be heard."""


class Reports:
    """Passes on how far jobs are, and renews their leases, which belong to `owner`."""

    def __init__(self, storage: Storage, news: News, owner: str, *, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._news = news
        self._owner = owner
        self._clock = clock

    async def progress(self, active: Active, event: Progress) -> None:
        """The job is so far."""
        active.stage, active.fraction = event.stage, event.fraction
        self._tell(active)
        await self._renew(active)

    async def part(self, active: Active, event: PartSpoken) -> None:
        """A sentence can be heard. The first of a long text goes along with the news from now on."""
        if event.number == 0 and event.of >= LONG_TEXT and active.folder is not None:
            active.beginning = active.folder / part_file(event.number)
            self._tell(active)
        await self._renew(active)

    def _tell(self, active: Active) -> None:
        if not active.cancelled.is_set():
            self._news.tell(
                active.job, Update(stage=active.stage, fraction=active.fraction, beginning=active.beginning)
            )

    async def _renew(self, active: Active) -> None:
        now = self._clock()
        if now - active.renewed > LEASE / 3:
            active.renewed = now
            try:
                await self._storage.jobs.renew([active.job.id], self._owner, LEASE)
            except Unavailable as fault:
                _log.warning("lease_not_renewed", job_id=active.job.id, reason=fault.message)
