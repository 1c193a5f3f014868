"""Brings accepted jobs to the worker in fair order, and what becomes of them to storage and to the member.

The truth is in storage: this object may vanish at any moment, and the next one goes on. Its tasks exist only while
there is work, so that an idle bot has nothing parked. Knows nothing of Discord, and not how jobs are accepted.
"""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime

import structlog

from cloning.worker.protocol import (
    Cloned,
    Event,
    Executor,
    Failed,
    Heartbeat,
    Lost,
    PartSpoken,
    Progress,
    Ready,
    Request,
    Spoken,
)
from errors import BarkeepError, Unavailable
from storage.database import Storage
from storage.records import JobRecord
from studio import metrics
from studio.queue.completion import UNKNOWN, Completion
from studio.queue.delivery import Answers
from studio.queue.lease import LEASE, is_abandoned
from studio.queue.positions import WaitingLine
from studio.queue.progress_updates import News
from studio.queue.worker_events import Active, Reports
from studio.queue.worker_requests import request_for
from studio.values import Update

ATTEMPTS = 2
"""How often a job is begun: once more after its worker was lost."""

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Claims, supervises and finishes jobs. owner: the name of this process, in which it holds jobs."""

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        answers: Answers,
        news: News,
        *,
        owner: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._storage = storage
        self._executor = executor
        self._answers = answers
        self._news = news
        self._clock = clock
        self._completion = Completion(storage)
        self._owner = owner
        self._events = executor.events()
        self._reports = Reports(storage, news, self._owner, clock=clock)
        self._active: dict[str, Active] = {}
        self._line = WaitingLine(news)
        self._awake = False
        self._closing = False
        self._parked = False
        self._filler: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There may be work to take. Returns at once."""
        self._awake = True
        if self._filler is None and not self._closing:
            self._filler = asyncio.create_task(self._fill_until_quiet())

    async def positions(self) -> dict[str, int]:
        """Job id -> place for every queued job: 0 starts now, 1 is next."""
        return self._line.places(await self._storage.jobs.queued(), self._running(), self._executor.capacity)

    async def position(self, job: JobRecord) -> int:
        """The place of one job; 0 when it no longer waits."""
        return (await self.positions()).get(job.id, 0)

    async def cancel(self, job_id: str) -> JobRecord | None:
        """Stop a job, remove what it made, and let its member know. None if it had ended already."""
        job = await self._storage.jobs.cancel(job_id)
        if job is None:
            return None
        if (active := self._active.get(job_id)) is not None:
            active.cancelled.set()
            if active.folder is not None:
                await self._executor.cancel(job_id)
        await self._completion.cancelled(job)
        await self._end(job)
        _log.info("job_cancelled", job_id=job.id, guild_id=job.guild_id)
        return job

    async def start(self) -> None:
        """Take over what an earlier process left: its running jobs, its undelivered answers, its queue."""
        for job in await self._storage.jobs.running():
            if is_abandoned(job, self._clock()):
                await self._recover(job)
        await self._answers.resume()
        if await self._storage.jobs.queued():
            self.wake()

    async def upkeep(self) -> None:
        """Keep own leases, take over lapsed ones, and start what waits for no reason. Call it every half minute."""
        now = self._clock()
        if self._active:
            await self._storage.jobs.renew(list(self._active), self._owner, LEASE)
        for job in await self._storage.jobs.expired(now):
            if job.id not in self._active:
                await self._recover(job)
        await self._answers.resume()
        waiting = await self._storage.jobs.queued()
        self._measure(len(waiting))
        if waiting and len(self._active) < self._executor.capacity:
            self.wake()

    async def close(self) -> None:
        """Take no more work and give running jobs back to the queue, as if they had not begun.

        What is just being written is finished first: to break off a transaction may leave the database locked.
        """
        self._closing = True
        if self._listener is not None and self._parked:
            self._listener.cancel()
        tasks = [task for task in (self._filler, self._listener) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._news.close()
        await self._answers.close()
        for job in await self._storage.jobs.running():  # One may be claimed in storage and not be known here yet.
            if job.lease_owner == self._owner:
                await self._storage.jobs.requeue(job.id, refund_attempt=True)
                await self._storage.files.drop_staging(job.id)
        self._active.clear()

    async def _fill_until_quiet(self) -> None:
        try:
            while self._awake and not self._closing:
                self._awake = False
                await self._fill()
        except Exception:
            _log.exception("queue_stopped")  # Upkeep tries again.
        finally:
            self._filler = None

    async def _fill(self) -> None:
        """Give the worker as many jobs as it takes, then tell those who wait where they are now."""
        while len(self._active) < self._executor.capacity and not self._closing:
            queued = await self._storage.jobs.queued()
            claimed = await self._claim_first(queued)
            if claimed is None:
                break
            self._line.served(claimed)
            with structlog.contextvars.bound_contextvars(job_id=claimed.id, guild_id=claimed.guild_id):
                await self._begin(claimed)
        waiting = await self._storage.jobs.queued()
        self._line.tell(waiting, self._running(), self._executor.capacity)
        self._measure(len(waiting))

    async def _claim_first(self, queued: list[JobRecord]) -> JobRecord | None:
        """Claim the job whose turn it is; one that somebody else took or cancelled is passed over."""
        for job in self._line.order(queued, self._running()):
            claimed = await self._storage.jobs.claim(job.id, self._owner, LEASE)
            if claimed is not None:
                metrics.WAIT_SECONDS.labels(claimed.kind.value).observe(
                    max(0.0, (self._clock() - claimed.created_at).total_seconds())
                )
                return claimed
        return None

    async def _begin(self, job: JobRecord) -> None:
        """Submit a claimed job, or end it if it may not run any more."""
        active = self._active[job.id] = Active(job, self._clock())
        try:
            if (done := await self._completion.cloned_before(job)) is not None:
                await self._end(done)
            else:
                await self._submit(active, await request_for(self._storage, job))
        except BarkeepError as fault:
            await self._fail(job, type(fault).__name__, fault.message)
        except Exception:
            await self._fail_unknown(job)
        finally:
            if active.folder is None:
                self._active.pop(job.id, None)

    async def _submit(self, active: Active, request: Request) -> None:
        """Hand the job to the worker, unless somebody cancelled it in between."""
        if active.cancelled.is_set():
            await self._storage.files.drop_staging(active.job.id)
            return
        await self._executor.submit(request)
        active.folder = request.output_dir
        if active.cancelled.is_set():
            await self._executor.cancel(active.job.id)
        _log.info("job_begun", kind=active.job.kind.value, attempt=active.job.attempts)
        if self._listener is None and not self._closing:
            self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        """Handle events for as long as the worker has jobs."""
        try:
            while self._active and not self._closing:
                self._parked = True
                try:
                    event = await anext(self._events)
                except Exception as fault:
                    await self._lose_all(type(fault).__name__)
                    return
                finally:
                    self._parked = False
                await self._handle(event)
        finally:
            self._listener = None

    async def _lose_all(self, reason: str) -> None:
        """The events ended although there were jobs."""
        self._events = self._executor.events()
        jobs = self._running()
        self._active.clear()
        for job in jobs:
            await self._lost(job, f"The worker's events ended: {reason}.")
        self.wake()

    async def _handle(self, event: Event) -> None:
        if isinstance(event, Ready | Heartbeat) or (active := self._active.get(event.job_id)) is None:
            return
        if isinstance(event, Progress):
            await self._reports.progress(active, event)
        elif isinstance(event, PartSpoken):
            await self._reports.part(active, event)
        else:
            with structlog.contextvars.bound_contextvars(job_id=active.job.id, guild_id=active.job.guild_id):
                try:
                    await self._finish(active.job, event)
                finally:
                    self._active.pop(event.job_id, None)
                    self.wake()

    async def _finish(self, job: JobRecord, event: Cloned | Spoken | Failed | Lost) -> None:
        try:
            if isinstance(event, Lost):
                await self._lost(job, event.reason)
            elif isinstance(event, Failed):
                await self._fail(job, event.kind, event.message)
            elif (done := await self._complete(job, event)) is not None:
                await self._end(done)
        except BarkeepError as fault:
            await self._fail(job, type(fault).__name__, fault.message)
        except Exception:
            await self._fail_unknown(job)

    async def _complete(self, job: JobRecord, event: Cloned | Spoken) -> JobRecord | None:
        if isinstance(event, Cloned):
            return await self._completion.cloned(job, event)
        ready = self._executor.health().ready
        return await self._completion.spoken(job, event, hubert=ready.hubert if ready is not None else "")

    async def _lost(self, job: JobRecord, reason: str) -> None:
        """The worker is gone: once more from the beginning, or give up."""
        _log.warning("worker_lost", reason=reason, attempt=job.attempts)
        if job.attempts < ATTEMPTS:
            again = await self._storage.jobs.requeue(job.id)
            if again is not None:
                metrics.RETRIED.labels(job.kind.value).inc()
                self._news.tell(again, Update(retrying=True))
            return
        await self._fail(
            job,
            Unavailable.__name__,
            "The speech worker failed twice on this, so it was given up. Try again later, or with something shorter.",
        )

    async def _recover(self, job: JobRecord) -> None:
        """A process that held this job is gone."""
        with structlog.contextvars.bound_contextvars(job_id=job.id, guild_id=job.guild_id):
            await self._lost(job, "The process that held the job is gone.")
        self.wake()

    async def _fail(self, job: JobRecord, kind: str, message: str) -> None:
        """End a job with a sentence. If even that cannot be stored, its lease lapses and upkeep takes over."""
        if kind == UNKNOWN:
            message = _apology(message)
        try:
            done = await self._completion.failed(job, kind, message)
        except BarkeepError as fault:
            _log.error("job_left_behind", reason=fault.message)
            return
        if done is not None:
            _log.info("job_failed", kind=kind, reason=message)
            await self._end(done)

    async def _fail_unknown(self, job: JobRecord) -> None:
        reference = secrets.token_hex(4)
        _log.exception("job_broke", reference=reference)
        await self._fail(job, UNKNOWN, reference)

    async def _end(self, job: JobRecord) -> None:
        """The job has ended: no more news, then the answer."""
        await self._news.stop(job.id)
        self._answers.begin(job.id)

    def _running(self) -> list[JobRecord]:
        return [active.job for active in self._active.values()]

    def _measure(self, queued: int) -> None:
        health = self._executor.health()
        metrics.QUEUED.set(queued)
        metrics.RUNNING.set(len(self._active))
        metrics.WORKER_READY.set(health.ready is not None)
        metrics.WORKER_RESTARTS.set(health.restarts)


def _apology(reference: str) -> str:
    return f"Something went wrong that nobody expected. Tell the person who runs Barkeep this reference: {reference}."
