"""Claims jobs whose turn has come and gives them to the worker, each in a task of its own."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection

import structlog

from cloning.worker.protocol import Request
from errors import BarkeepError, NotFound, Unavailable
from storage.records import JobRecord
from studio import metrics
from studio.queue.context import ActiveJob, QueueContext
from studio.queue.endings import JobEndings
from studio.queue.job_payload import Reply, reply_of, request_for
from studio.queue.lease import LEASE
from studio.queue.queue_updates import QueueUpdates
from studio.queue.worker_events import WorkerListener

MAX_STORAGE_ERRORS = 10
"""How often storage errors may keep a job from the worker before it fails; upkeep retries each time."""

_log = structlog.get_logger(__name__)


class JobStarter:
    """Starts jobs. Several at once are claimed together.

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
        """Do not go on with a job that was cancelled while it was claimed."""
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
            if not failed:  # else the next one would not be claimed either
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
        """Put a job back after a storage error, until upkeep. After MAX_STORAGE_ERRORS errors the job fails."""
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
