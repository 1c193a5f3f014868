"""Sends queued jobs to the worker in fair order, each in a task of its own, and renews the leases of running ones.

The database is authoritative: after a crash the next process continues from there. Tasks exist only while there is
work, so that an idle bot has none.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import structlog

from cloning.worker.protocol import Request
from errors import BarkeepError, NotFound, Unavailable
from storage.jobs import UNFINISHED
from storage.records import JobRecord, JobState
from studio import metrics
from studio.housekeeping import run_step
from studio.queue.context import ActiveJob, QueueContext
from studio.queue.delivery import AnswerDelivery
from studio.queue.endings import JobEndings
from studio.queue.job_payload import Reply, reply_of, request_for
from studio.queue.lease import LEASE, is_abandoned
from studio.queue.outcome_storage import OutcomeStorage
from studio.queue.queue_updates import REMEMBERED, JobEstimates, QueueUpdates, place
from studio.queue.worker_events import WorkerListener
from studio.values import Update

PATIENCE = timedelta(minutes=10)
"""The default time that a job waits for a worker that cannot load its models."""
MAX_STORAGE_ERRORS = 10
"""How often storage errors may keep a job from the worker before it fails; upkeep retries each time."""
_PAGE = 500
_NOT_LOADED = "The speech models could not be loaded. The log of the bot says why. Please try again later."

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Claims, supervises and finishes jobs.

    patience: how long a job waits for a worker that cannot load its models.
    """

    def __init__(self, context: QueueContext, answers: AnswerDelivery, *, patience: timedelta) -> None:
        self._context = context
        self.rooms = context.rooms
        """The voice channels in which lines are played."""
        self._answers = answers
        self._patience = patience
        self._outcomes = OutcomeStorage(context)
        self._estimates = JobEstimates()
        self._endings = JobEndings(context, self._outcomes, answers, self._estimates, self._wake)
        self._listener = WorkerListener(context, self._endings, self._estimates, self._wake)
        self._updates = QueueUpdates(context, self._estimates)
        self._starter = JobStarter(context, self._endings, self._listener, self._updates, self._wake)
        self._down_since: datetime | None = None
        self._closing = False

    def enqueue(self, job: JobRecord) -> None:
        """Add a job that was just accepted to the queue, and tell its member their position."""
        self._add(job)
        self._context.courier.update(job, Update(position=self.position(job.id)))

    def position(self, job_id: str) -> int:
        """Return the position of a job: 0 if it starts now or is not queued, 1 if it is next."""
        before = self._context.queue.before(job_id)
        return 0 if before is None else place(before, self._context.free)

    async def cancel(self, job_id: str) -> JobRecord | None:
        """Cancel a job, delete its files, and tell its member. Return None if it had ended."""
        job = await self._context.storage.jobs.cancel(job_id)
        if job is None:
            return None
        await self._stop(job_id)
        await self._outcomes.cancelled(job)
        if self._context.storage.shards.own(job.guild_id):
            self._answers.begin(job.id)
        _log.info("job_cancelled", job_id=job.id, guild_id=job.guild_id)
        return job

    async def look(self, job_id: str) -> None:
        """Read a job that another process has changed: it was accepted, cancelled, deleted, or taken over."""
        job = await self._context.storage.jobs.find(job_id)
        if job is None or job.state not in UNFINISHED:
            await self._stop(job_id)
            if job is None or job.state is JobState.CANCELLED:
                self.rooms.drop(job_id)
            if job is not None and job.answered_at is None:
                self._answers.begin(job_id)
            return
        if (active := self._context.active.get(job_id)) is not None and job.lease_owner != self._context.owner:
            await self._listener.let_go(active)
        self._add(job)

    async def start(self) -> None:
        """Take over the running jobs, undelivered answers and queue of an earlier process."""
        for job in await self._context.storage.jobs.running():
            if is_abandoned(job, self._context.clock()):
                await self._endings.recover(job)
        await self._answers.resume()
        self._estimates.learn(await self._context.storage.jobs.done_last(2 * REMEMBERED))
        await self._read_queue()
        if self._context.queue:
            self._wake()

    async def upkeep(self) -> None:
        """Renew own leases, take over expired ones, start jobs that were missed, and free reserved names.

        Call it every half minute.
        """
        await run_step("leases", self._renew())
        await run_step("lost jobs", self._recover())
        await run_step("answers", self._answers.resume())
        await run_step("queue", self._read_queue())
        await run_step("overdue jobs", self._fail_overdue())
        await run_step("reserved names", self._outcomes.clear_reserving())
        self._updates.measure()
        if self._context.queue or self._context.active:
            self._wake()

    async def close(self) -> None:
        """Stop taking work and put running jobs back into the queue, as if they had not begun.

        Waits for writes under way: an interrupted transaction can leave the database locked.
        """
        self._closing = True
        parts = (self._listener, self._starter, self._updates)
        await asyncio.gather(*(part.close() for part in parts), return_exceptions=True)
        await self._endings.close()
        await self._answers.close()
        # Jobs that stay running wait until their leases end.
        await run_step("running jobs", self._requeue_all(), event="requeue_failed")
        self._context.active.clear()

    def _add(self, job: JobRecord) -> None:
        """Add a job to the queue, if it is queued and of this process's servers."""
        if job.state is JobState.QUEUED and self._context.storage.shards.own(job.guild_id):
            self._context.queue.add(job)
            self._wake()

    async def _requeue_all(self) -> None:
        storage, owner = self._context.storage, self._context.owner
        for job in await storage.jobs.running():  # A job can be claimed in storage before it is known here.
            if job.lease_owner == owner:
                await storage.jobs.requeue(job.id, owner, refund_attempt=job.started_at is not None)
                await storage.files.drop_staging(job.id)

    async def _stop(self, job_id: str) -> None:
        """Stop the work on a job that was cancelled."""
        self._context.queue.remove(job_id)
        self._starter.stop(job_id)
        if (active := self._context.active.get(job_id)) is not None:
            active.cancelled.set()
            if active.folder is not None:
                await self._context.executor.cancel(job_id)

    def _wake(self) -> None:
        """Start as many jobs as the worker takes, and tell waiting members their new place."""
        while self._context.free > 0 and not self._closing and (job_id := self._context.queue.next()) is not None:
            self._context.queue.begin(job_id)
            self._starter.begin(job_id)
        self._updates.tell()

    async def _renew(self) -> None:
        """Renew the leases of active jobs. Jobs that another process took over or cancelled are stopped here."""
        held = self._held()
        if not held:
            return
        renewed = await self._context.storage.jobs.renew(held, self._context.owner, LEASE)
        for job_id in held:
            if job_id not in renewed and (active := self._context.active.get(job_id)) is not None and not active.ending:
                await self.look(job_id)

    def _held(self) -> list[str]:
        """Return the ids of the active jobs whose outcome is not being stored."""
        return [job_id for job_id, active in self._context.active.items() if not active.ending]

    async def _recover(self) -> None:
        """Take over jobs whose process was lost."""
        for job in await self._context.storage.jobs.expired(self._context.clock()):
            if job.id not in self._context.active:
                await self._endings.recover(job)

    async def _read_queue(self) -> None:
        """Read the queue from storage in pages: add unknown jobs and drop those that are no longer queued."""
        gone, last = set(self._context.queue.ids()), 0
        while page := await self._context.storage.jobs.queued(after=last, limit=_PAGE):
            last = page[-1].sequence
            for job in page:
                gone.discard(job.id)
                self._context.queue.add(job)
        for job_id in gone:
            self._context.queue.remove(job_id)
        self._starter.forget_errors_of_others(self._context.queue.ids())

    async def _fail_overdue(self) -> None:
        """Fail jobs that have waited too long for a worker that cannot load its models."""
        health, now = self._context.executor.health(), self._context.clock()
        if health.ready is not None or health.error is None:
            self._down_since = None
            return
        self._down_since = self._down_since or now
        if now - self._down_since < self._patience:
            return
        waiting = [*self._context.queue.ids(), *self._held()]
        for start in range(0, len(waiting), _PAGE):
            for job in await self._context.storage.jobs.of_ids(waiting[start : start + _PAGE]):
                if now - job.created_at >= self._patience:
                    await self._endings.fail(job, Unavailable.__name__, _NOT_LOADED)
                    await self._context.executor.cancel(job.id)
                    self._context.queue.remove(job.id)


class JobStarter:
    """Claims queued jobs and submits them to the worker. Jobs that start at the same time are claimed in a batch.

    wake: called when there is a free place.
    """

    def __init__(
        self,
        context: QueueContext,
        endings: JobEndings,
        listener: WorkerListener,
        updates: QueueUpdates,
        wake: Callable[[], None],
    ) -> None:
        self._context = context
        self._endings = endings
        self._listener = listener
        self._updates = updates
        self._wake = wake
        self._claiming: set[str] = set()
        self._storage_errors: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, job_id: str) -> None:
        """Start a job."""
        self._claiming.add(job_id)
        task = asyncio.create_task(self._start(job_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self, job_id: str) -> None:
        """Abandon the start of a job that was cancelled while it was being claimed."""
        self._claiming.discard(job_id)

    def forget_errors_of_others(self, queued: Collection[str]) -> None:
        """Forget the storage errors of jobs that are not queued any more."""
        for job_id in self._storage_errors.keys() - set(queued):
            del self._storage_errors[job_id]

    async def close(self) -> None:
        """Wait for writes under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start(self, job_id: str) -> None:
        failed, job = False, None
        try:
            job = await self._context.storage.jobs.claim(job_id, self._context.owner, LEASE)
        except Unavailable as error:
            _log.warning("job_not_claimed", job_id=job_id, reason=error.message)  # upkeep finds it in storage
            failed = True
        except Exception:
            _log.exception("job_not_claimed", job_id=job_id)
            failed = True
        was_cancelled = job_id not in self._claiming
        self._claiming.discard(job_id)
        if job is None or was_cancelled:
            self._context.queue.end(job_id)
            if not failed:  # otherwise claiming the next one would fail, too
                self._wake()
            return
        with structlog.contextvars.bound_contextvars(job_id=job_id, guild_id=job.guild_id):
            await self._work_on(job)

    async def _work_on(self, job: JobRecord) -> None:
        """Submit a claimed job, or end it if it must not run any more."""
        waited = (self._context.clock() - job.created_at).total_seconds()
        metrics.WAIT_SECONDS.labels(job.kind.value).observe(max(0.0, waited))
        active = self._context.active[job.id] = ActiveJob(job)
        try:
            if reply_of(job) is Reply.NOTHING and not self._context.rooms.waits(job.id):
                raise NotFound("The voice channel in which this was to be heard was left.")
            if not await self._endings.cloned_before(job):
                await self._submit(active, await request_for(self._context.storage, job))
        except Unavailable as error:
            await self._put_back(job, error)
        except BarkeepError as error:
            await self._endings.fail(job, type(error).__name__, error.message)
        except Exception:
            await self._endings.fail_unknown(job)
        finally:
            if active.folder is None:
                self._context.drop(active)
                self._wake()

    async def _put_back(self, job: JobRecord, error: Unavailable) -> None:
        """Requeue a job after a storage error; upkeep starts it again. After MAX_STORAGE_ERRORS errors it fails."""
        self._storage_errors[job.id] += 1
        _log.warning("job_put_back", reason=error.message, setbacks=self._storage_errors[job.id])
        if self._storage_errors[job.id] >= MAX_STORAGE_ERRORS:
            await self._endings.fail(job, type(error).__name__, error.message)
            return
        try:
            await self._context.storage.jobs.requeue(job.id, self._context.owner)
        except Unavailable:
            _log.warning("job_left_to_its_lease")  # the lease expires, since it is not renewed

    async def _submit(self, active: ActiveJob, request: Request) -> None:
        """Submit the job to the worker, unless it was cancelled in the meantime."""
        if active.cancelled.is_set():
            await self._context.storage.files.drop_staging(active.job.id)
            return
        await self._context.executor.submit(request)
        active.folder = request.output_dir
        if active.cancelled.is_set():
            await self._context.executor.cancel(active.job.id)
        _log.info("job_submitted", kind=active.job.kind.value)
        self._listener.listen()
        self._updates.tell()
