"""News of running jobs, thinned out to what Discord likes: a few edits, the last one always shown, none too late.

It knows jobs and time, and a function that shows a line; not how a line is shown.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

from storage.records import JobRecord
from studio.values import Update

_REMEMBERED = 1000

Show = Callable[[JobRecord, Update], Awaitable[bool]]
"""Shows news of a job; False if there is no use in showing more."""


@dataclass(slots=True)
class _Line:
    """What one job's message shows, and what it should show next."""

    job: JobRecord
    waiting: Update | None = None
    shown_at: float = float("-inf")
    showing: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[None] | None = None


class Progress:
    """Coalesces news by job. `every` is the least time between two edits, in seconds."""

    def __init__(self, show: Show, *, every: float, clock: Callable[[], float] = monotonic) -> None:
        self._show = show
        self._every = every
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()

    def put(self, job: JobRecord, update: Update) -> None:
        """Show this soon, unless newer news comes first or the job was answered."""
        if job.id in self._finished:
            return
        line = self._lines.setdefault(job.id, _Line(job))
        line.waiting = update
        if line.task is None:
            line.task = asyncio.create_task(self._run(line), name=f"progress-{job.id}")

    async def finish(self, job_id: str) -> None:
        """Show nothing more of this job. When this returns, no edit of it is under way."""
        line = self._retire(job_id)
        if line is None:
            return
        line.waiting = None
        async with line.showing:
            if line.task is not None:
                line.task.cancel()

    async def close(self) -> None:
        """Stop all lines."""
        for job_id in list(self._lines):
            await self.finish(job_id)

    async def _run(self, line: _Line) -> None:
        """Show what waits, one edit per interval, until nothing waits."""
        try:
            while line.waiting is not None:
                pause = line.shown_at + self._every - self._clock()
                if pause > 0:
                    await asyncio.sleep(pause)
                async with line.showing:
                    await self._show_next(line)
        finally:
            line.task = None

    async def _show_next(self, line: _Line) -> None:
        update, line.waiting = line.waiting, None
        if update is None:
            return
        line.shown_at = self._clock()
        if not await self._show(line.job, update):
            self._retire(line.job.id)

    def _retire(self, job_id: str) -> _Line | None:
        """Remember, for a while, that this job takes no more news."""
        self._finished[job_id] = None
        if len(self._finished) > _REMEMBERED:
            self._finished.popitem(last=False)
        return self._lines.pop(job_id, None)
