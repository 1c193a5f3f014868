"""News of jobs on its way to members: only the latest counts, one at a time for each job, none once it ends."""

import asyncio
from collections.abc import Callable

from storage.records import JobRecord
from studio.values import Courier, Update


class News:
    """Passes updates to the courier without ever keeping the worker's events waiting."""

    def __init__(self, courier: Callable[[], Courier]) -> None:
        self._courier = courier
        self._latest: dict[str, tuple[JobRecord, Update]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def tell(self, job: JobRecord, update: Update) -> None:
        """Pass news on; news that was not passed on yet is replaced."""
        self._latest[job.id] = job, update
        if job.id not in self._tasks:
            self._tasks[job.id] = asyncio.create_task(self._pass_on(job.id))

    async def stop(self, job_id: str) -> None:
        """The job ends: drop its news, and wait for what is just being shown, so that the answer comes last."""
        self._latest.pop(job_id, None)
        if (task := self._tasks.get(job_id)) is not None:
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Drop all news."""
        self._latest.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, job_id: str) -> None:
        try:
            while (news := self._latest.pop(job_id, None)) is not None:
                await self._courier().update(*news)
        finally:
            self._tasks.pop(job_id, None)
