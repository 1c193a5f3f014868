"""Rate-limits progress updates of jobs to a few edits; the last update is always shown."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

from storage.records import JobRecord
from studio.values import Update

_REMEMBERED = 1000

Show = Callable[[JobRecord, Update], Awaitable[bool]]
"""Shows an update of a job; returns False if further updates are useless."""


@dataclass(slots=True)
class _Message:
    """What one job's message shows, and what it shows next."""

    job: JobRecord
    waiting: Update | None = None
    shown_at: float = float("-inf")
    showing: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[None] | None = None


class ProgressMessages:
    """Coalesces updates by job. `every`: the minimum time between two edits, in seconds."""

    def __init__(self, show: Show, *, every: float) -> None:
        self._show = show
        self._every = every
        self._messages: dict[str, _Message] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()

    def put(self, job: JobRecord, update: Update) -> None:
        """Show this update soon, unless a newer one replaces it or the job is answered."""
        if job.id in self._finished:
            return
        message = self._messages.setdefault(job.id, _Message(job))
        message.waiting = update
        if message.task is None:
            message.task = asyncio.create_task(self._run(message), name=f"progress-{job.id}")

    async def finish(self, job_id: str) -> None:
        """Show no more updates of this job. No edit of it is under way when this returns."""
        message = self._retire(job_id)
        if message is None:
            return
        message.waiting = None
        async with message.showing:
            if message.task is not None:
                message.task.cancel()

    async def close(self) -> None:
        """Stop all updates."""
        for job_id in list(self._messages):
            await self.finish(job_id)

    async def _run(self, message: _Message) -> None:
        """Show waiting updates, one edit per interval, until none waits."""
        try:
            while message.waiting is not None:
                pause = message.shown_at + self._every - monotonic()
                if pause > 0:
                    await asyncio.sleep(pause)
                async with message.showing:
                    await self._show_next(message)
        finally:
            message.task = None

    async def _show_next(self, message: _Message) -> None:
        update, message.waiting = message.waiting, None
        if update is None:
            return
        message.shown_at = monotonic()
        if not await self._show(message.job, update):
            self._retire(message.job.id)

    def _retire(self, job_id: str) -> _Message | None:
        """Remember, for a while, that this job takes no more updates."""
        self._finished[job_id] = None
        if len(self._finished) > _REMEMBERED:
            self._finished.popitem(last=False)
        return self._messages.pop(job_id, None)
