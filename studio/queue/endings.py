"""Ends active jobs: done, failed, or lost with their worker. The outcome is stored, with retries, then delivered."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import structlog

from cloning.worker.protocol import Cloned, Failed, Lost, Spoken
from errors import BarkeepError, Unavailable
from storage.records import JobRecord
from studio import metrics
from studio.queue.context import ActiveJob, QueueContext
from studio.queue.delivery import PAUSES, AnswerDelivery
from studio.queue.outcome_storage import UNKNOWN, OutcomeStorage
from studio.queue.queue_updates import JobEstimates
from studio.values import Update

ATTEMPTS = 3
"""The number of times that a worker may begin a job.

From the second attempt on the job runs alone, so that no other job can have caused its last two deaths.
"""

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class JobEndings:
    """Ends jobs, each in a task of its own.

    estimates: learns from successful jobs. wake: called when there is a free place, or a job waits again.
    """

    def __init__(
        self,
        context: QueueContext,
        outcomes: OutcomeStorage,
        answers: AnswerDelivery,
        estimates: JobEstimates,
        wake: Callable[[], None],
    ) -> None:
        self._context = context
        self._outcomes = outcomes
        self._answers = answers
        self._estimates = estimates
        self._wake = wake
        self._tasks: set[asyncio.Task[None]] = set()
        self._sleeping: set[asyncio.Task[Any]] = set()
        self._closing = False

    def begin(self, active: ActiveJob, event: Cloned | Spoken | Failed | Lost) -> None:
        """Handle the final event of a job in a task, then free its place."""
        task = asyncio.create_task(self._conclude(active, event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for writes under way and leave the rest to the next process."""
        self._closing = True
        for task in self._sleeping:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cloned_before(self, job: JobRecord) -> bool:
        """Complete a clone whose voice was stored before a crash. Return False for other jobs."""
        if (done := await self._outcomes.cloned_before(job)) is None:
            return False
        self._answers.begin_leased(done)
        return True

    async def recover(self, job: JobRecord) -> None:
        """Handle the loss of the process that held this job, unless it has renewed its lease. Raises Unavailable."""
        _log.warning("process_lost", job_id=job.id, guild_id=job.guild_id, attempt=job.attempts)
        await self._try_again(job, until=job.lease_until)

    async def fail(self, job: JobRecord, kind: str, message: str) -> None:
        """Fail a job with a message for its member. If storing fails, the lease expires and upkeep takes over."""
        if kind == UNKNOWN:
            message = _apology(message)
        try:
            done = await self._with_retries(lambda: self._outcomes.failed(job, kind, message))
        except BarkeepError as error:
            _log.error("job_left_behind", job_id=job.id, reason=error.message)
            return
        if done is not None:
            _log.info("job_failed", job_id=job.id, kind=kind, reason=message)
            self._answers.begin(job.id)

    async def fail_unknown(self, job: JobRecord) -> None:
        """Fail a job because of the exception being handled: log it, and give the member a reference to the log."""
        reference = secrets.token_hex(4)
        _log.exception("job_broke", job_id=job.id, reference=reference)
        await self.fail(job, UNKNOWN, reference)

    async def _conclude(self, active: ActiveJob, event: Cloned | Spoken | Failed | Lost) -> None:
        job = active.job
        try:
            with structlog.contextvars.bound_contextvars(job_id=job.id, guild_id=job.guild_id):
                if isinstance(event, Lost):
                    await self._lost(job, event.reason)
                elif isinstance(event, Failed):
                    await self.fail(job, event.kind, event.message)
                else:
                    await self._complete(job, event)
        finally:
            self._context.drop(active)
            self._wake()

    async def _lost(self, job: JobRecord, reason: str) -> None:
        """Handle the loss of the worker: try the job again, or give up."""
        _log.warning("worker_lost", job_id=job.id, reason=reason, attempt=job.attempts)
        try:
            await self._with_retries(lambda: self._try_again(job))
        except BarkeepError as error:
            _log.error("job_left_behind", job_id=job.id, reason=error.message)  # its lease expires

    async def _complete(self, job: JobRecord, event: Cloned | Spoken) -> None:
        try:
            done = await self._with_retries(lambda: self._completed(job, event))
        except BarkeepError as error:
            await self.fail(job, type(error).__name__, error.message)
        except Exception:
            await self.fail_unknown(job)
        else:
            if done is not None:
                self._estimates.learn([done])
                self._answers.begin_leased(done)

    async def _completed(self, job: JobRecord, event: Cloned | Spoken) -> JobRecord | None:
        if isinstance(event, Cloned):
            return await self._outcomes.cloned(job, event)
        return await self._outcomes.spoken(job, event)

    async def _try_again(self, job: JobRecord, *, until: datetime | None = None) -> None:
        if job.attempts < ATTEMPTS:
            if (again := await self._context.storage.jobs.requeue(job.id, job.lease_owner, until=until)) is not None:
                self._wait_again(again)
            return
        done = await self._outcomes.failed(
            job,
            Unavailable.__name__,
            f"The speech worker broke down {ATTEMPTS} times on this, so it was given up. Try something shorter, or "
            "another recording.",
            until=until,
        )
        if done is not None:
            self._answers.begin(job.id)

    def _wait_again(self, job: JobRecord) -> None:
        """Queue a job again after its worker or process was lost."""
        if (active := self._context.active.get(job.id)) is not None:
            self._context.drop(active)
        self._context.queue.add(job)
        if job.attempts:
            metrics.RETRIED.labels(job.kind.value).inc()
            self._context.courier.update(job, Update(retrying=True))
        self._wake()

    async def _with_retries(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return the result of the first successful attempt. Raises the last Unavailable when all retries fail.

        Outside the tasks of `begin` there is one attempt, so that neither the queue nor upkeep is delayed.
        """
        patient = asyncio.current_task() in self._tasks and not self._closing
        for pause in PAUSES if patient else ():
            try:
                return await attempt()
            except Unavailable as error:
                _log.warning("end_delayed", reason=error.message, pause=pause)
                await self._pause(pause)
        return await attempt()

    async def _pause(self, seconds: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an ending pauses only in a task")
        self._sleeping.add(task)
        try:
            await self._context.sleep(seconds)
        finally:
            self._sleeping.discard(task)


def _apology(reference: str) -> str:
    return f"Something went wrong. Please give the person who runs Barkeep this reference: {reference}."
