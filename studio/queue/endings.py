"""How a job at work ends: done, failed, or lost with its worker. Each end is stored with patience, then answered."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from cloning.worker.protocol import Cloned, Executor, Failed, Lost, Spoken
from errors import BarkeepError, Unavailable
from storage.database import Storage
from storage.records import JobRecord
from studio.queue.completion import UNKNOWN, Completion
from studio.queue.delivery import PAUSES, Answers
from studio.queue.pace import Pace

ATTEMPTS = 3
"""How often a worker begins a job at most. From the second time on the job is alone with its worker, so that two
deaths that had other reasons do not count against it, and a third one, after two alone, does."""

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class Endings:
    """Ends jobs, each in a task of its own.

    wait_again: called with a job that was lost and goes back to the queue. sleep: called between attempts to store.
    pace: learns from the jobs that end well.
    """

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        completion: Completion,
        answers: Answers,
        wait_again: Callable[[JobRecord], None],
        sleep: Callable[[float], Awaitable[Any]],
        pace: Pace,
    ) -> None:
        self._storage = storage
        self._executor = executor
        self._completion = completion
        self._answers = answers
        self._wait_again = wait_again
        self._sleep = sleep
        self._pace = pace
        self._tasks: set[asyncio.Task[None]] = set()
        self._resting: set[asyncio.Task[Any]] = set()
        self._closing = False

    def begin(self, work: Awaitable[None], then: Callable[[], None]) -> None:
        """Do `work` in a task, then call `then`."""
        task = asyncio.create_task(self._run(work, then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Let what is being stored be stored, and leave what rests to the next process."""
        self._closing = True
        for task in self._resting:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def conclude(self, job: JobRecord, event: Cloned | Spoken | Failed | Lost) -> None:
        """The worker's last word on a job."""
        with structlog.contextvars.bound_contextvars(job_id=job.id, guild_id=job.guild_id):
            if isinstance(event, Lost):
                await self.lost(job, event.reason)
            elif isinstance(event, Failed):
                await self.fail(job, event.kind, event.message)
            else:
                await self._complete(job, event)

    async def lost(self, job: JobRecord, reason: str) -> None:
        """The worker is gone: once more from the beginning, or give up."""
        _log.warning("worker_lost", job_id=job.id, reason=reason, attempt=job.attempts)
        try:
            await self._patiently(lambda: self._try_again(job))
        except BarkeepError as error:
            _log.error("job_left_behind", job_id=job.id, reason=error.message)  # Its lease lapses.

    async def recover(self, job: JobRecord) -> None:
        """The process that held this job is gone. Raises Unavailable."""
        _log.warning("process_lost", job_id=job.id, guild_id=job.guild_id, attempt=job.attempts)
        await self._try_again(job)

    async def fail(self, job: JobRecord, kind: str, message: str) -> None:
        """End a job with a sentence. If even that cannot be stored, its lease lapses and upkeep takes over."""
        if kind == UNKNOWN:
            message = _apology(message)
        try:
            done = await self._patiently(lambda: self._completion.failed(job, kind, message))
        except BarkeepError as error:
            _log.error("job_left_behind", job_id=job.id, reason=error.message)
            return
        if done is not None:
            _log.info("job_failed", job_id=job.id, kind=kind, reason=message)
            self._answers.begin(job.id)

    async def fail_unknown(self, job: JobRecord) -> None:
        """End a job for the exception that is being handled: the log has it, the member a reference to it."""
        reference = secrets.token_hex(4)
        _log.exception("job_broke", job_id=job.id, reference=reference)
        await self.fail(job, UNKNOWN, reference)

    async def _run(self, work: Awaitable[None], then: Callable[[], None]) -> None:
        try:
            await work
        finally:
            then()

    async def _complete(self, job: JobRecord, event: Cloned | Spoken) -> None:
        try:
            done = await self._patiently(lambda: self._completed(job, event))
        except BarkeepError as error:
            await self.fail(job, type(error).__name__, error.message)
        except Exception:
            await self.fail_unknown(job)
        else:
            if done is not None:
                self._pace.learn([done])
                self._answers.begin(done.id)

    async def _completed(self, job: JobRecord, event: Cloned | Spoken) -> JobRecord | None:
        if isinstance(event, Cloned):
            return await self._completion.cloned(job, event)
        ready = self._executor.health().ready
        return await self._completion.spoken(job, event, hubert=ready.hubert if ready is not None else "")

    async def _try_again(self, job: JobRecord) -> None:
        if job.attempts < ATTEMPTS:
            if (again := await self._storage.jobs.requeue(job.id, job.lease_owner)) is not None:
                self._wait_again(again)
            return
        done = await self._completion.failed(
            job,
            Unavailable.__name__,
            f"The speech worker broke down {ATTEMPTS} times over this, so it was given up. Try something shorter, or "
            "another recording.",
        )
        if done is not None:
            self._answers.begin(job.id)

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of the first attempt that works. Raises the last Unavailable when patience is at its end.

        There is one attempt outside of an ending's own task: neither the queue nor upkeep is held up.
        """
        patient = asyncio.current_task() in self._tasks and not self._closing
        for pause in PAUSES if patient else ():
            try:
                return await attempt()
            except Unavailable as error:
                _log.warning("end_delayed", reason=error.message, pause=pause)
                await self._rest(pause)
        return await attempt()

    async def _rest(self, seconds: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("endings rest in tasks")
        self._resting.add(task)
        try:
            await self._sleep(seconds)
        finally:
            self._resting.discard(task)


def _apology(reference: str) -> str:
    return f"Something went wrong that nobody expected. Tell the person who runs Barkeep this reference: {reference}."
