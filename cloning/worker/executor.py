"""Run jobs in the speech worker: a supervised child process that may crash, hang or run out of memory.

The supervisor starts the worker when there is work (or on `start`), sends it up to `capacity` jobs at once, and
replaces it when it dies or stops answering: its running jobs are Lost, the others wait for the next worker. A worker
that cannot load its models is restarted with growing pauses, and `health` gives the reason. The caller decides about
retries and the time that a job may wait. Does not import torch: it runs in the bot's process.
"""

import asyncio
import json
import logging
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import monotonic
from typing import cast

from cloning.consent import packages
from cloning.consent.answer import SpokenAnswer
from cloning.watermark.finding import Finding
from cloning.worker.checks import Checks, new_id
from cloning.worker.process import WorkerProcess
from cloning.worker.protocol import (
    Cancel,
    Checked,
    CheckRequest,
    Cloned,
    Event,
    Failed,
    Health,
    Heartbeat,
    Listened,
    ListenRequest,
    Lost,
    Nodes,
    NodeState,
    PartSpoken,
    Progress,
    Query,
    Ready,
    Request,
    Spoken,
)
from errors import Cancelled, Unavailable

_log = logging.getLogger(__name__)
_worker_log = logging.getLogger("cloning.worker")

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_GRACE = 1.5
_CHECK_SECONDS = 240.0
"""The timeout of a check in seconds, for loading models, earlier checks, and itself."""
_CLOSING = "The speech worker is shutting down. Try again in a minute."

ROOT = Path(__file__).resolve().parents[2]
"""The repository's folder."""
# `-m` works only if the bot is started in the repository's folder.
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from cloning.worker.server import main; main(sys.argv[1:])"


def worker_command(configuration: Mapping[str, object]) -> list[str]:
    """Return the command that starts a worker, for SubprocessExecutor. `configuration`: see `jobs.load`."""
    return [sys.executable, "-c", _START, str(ROOT), json.dumps(configuration)]


@dataclass(slots=True)
class _Running:
    request: Request
    last_progress: float
    """When the job began or last reported progress."""
    cancelled: bool = False


class SubprocessExecutor:
    """Run speech jobs in a child process started by `command`. Implements `cloning.worker.protocol.Executor`.

    job_timeout: seconds without progress after which a job counts as hung. heartbeat_timeout: seconds of silence after
    which the worker counts as hung. capacity: the number of jobs that run at once, until the worker sends Nodes with
    other numbers. passes_on: whether the worker passes its jobs on to other workers; these run suspects alone, and it
    survives the loss of a job. variables: its environment, see WorkerProcess. All methods belong to one event loop.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        job_timeout: float,
        heartbeat_timeout: float = 30.0,
        capacity: int = 1,
        passes_on: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._command = tuple(command)
        self._capacity = capacity
        self._job_timeout = job_timeout
        self._heartbeat_timeout = heartbeat_timeout
        self._passes_on = passes_on
        self._variables = variables
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._waiting: deque[Request] = deque()
        self._running: dict[str, _Running] = {}
        self._checks = Checks()
        self._wanted = False
        self._closed = False
        self._supervisor: asyncio.Task[None] | None = None
        self._worker: WorkerProcess | None = None
        self._ready: Ready | None = None
        self._nodes: tuple[NodeState, ...] = ()
        self._error: str | None = None
        self._pause = 0.0
        self._restarts = 0

    @property
    def capacity(self) -> int:
        """See `Executor`. While no node of a cluster takes jobs, the configured number of them is sent and waits."""
        return sum(node.capacity for node in self._nodes) or self._capacity

    async def start(self) -> None:
        """See `Executor`."""
        self._wanted = True
        self._supervise()

    async def submit(self, request: Request) -> None:
        """See `Executor`. Raises Unavailable after close."""
        if self._closed:
            raise Unavailable(_CLOSING)
        self._waiting.append(request)
        self._supervise()
        self._feed()

    async def events(self) -> AsyncIterator[Event]:
        """See `Executor`."""
        while not (self._closed and self._events.empty()):
            event = await self._events.get()
            if event is None:
                return
            yield event

    async def cancel(self, job_id: str) -> None:
        """See `Executor`."""
        if self._worker is not None and (running := self._running.get(job_id)) is not None:
            running.cancelled = True
            self._worker.send(Cancel(job_id))
        for request in [request for request in self._waiting if request.job_id == job_id]:
            self._waiting.remove(request)
            self._events.put_nowait(_cancelled(job_id))

    async def check(self, source: Path) -> Finding:
        """See `Executor`."""
        return cast(Finding, await self._query(CheckRequest(new_id(), source)))

    @property
    def consent_languages(self) -> tuple[str, ...]:
        """See `Executor`. The worker has the same packages as this process."""
        return packages.languages()

    async def listen(self, source: Path, answer: Path, sentence: str) -> SpokenAnswer:
        """See `Executor`."""
        if not self.consent_languages:
            raise Unavailable(packages.NOT_INSTALLED)
        return cast(SpokenAnswer, await self._query(ListenRequest(new_id(), source, answer, sentence)))

    def health(self) -> Health:
        """See `Executor`."""
        return Health(self._worker is not None, self._ready, self._error, self._restarts, self._nodes)

    async def close(self) -> None:
        """See `Executor`. Takes three seconds at most; the jobs are Lost."""
        if self._closed:
            return
        self._closed = True
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        self._lose_running("The bot is shutting down.")
        while self._waiting:
            self._events.put_nowait(Lost(self._waiting.popleft().job_id, "The bot is shutting down."))
        self._events.put_nowait(None)

    async def _query(self, request: Query) -> Finding | SpokenAnswer:
        """Send a query about a recording to the worker and return the result. Raises as `check`."""
        if self._closed:
            raise Unavailable(_CLOSING)
        if self._ready is None and self._error is not None:
            raise Unavailable("The speech worker does not start at present. Try again in a few minutes.")
        try:
            with self._checks.opened(request) as check:
                self._supervise()
                self._feed()
                async with asyncio.timeout(_CHECK_SECONDS):
                    return await check.result
        except TimeoutError as error:
            raise Unavailable("The recording could not be checked in time. Try again in a few minutes.") from error
        finally:
            self._feed()

    def _supervise(self) -> None:
        """Start the supervisor if it does not run."""
        if self._closed or (self._supervisor is not None and not self._supervisor.done()):
            return
        self._supervisor = asyncio.create_task(self._keep_running())

    async def _keep_running(self) -> None:
        """Run one worker after the other while one is needed."""
        while self._wanted or self._waiting or self._checks:
            await asyncio.sleep(self._pause)
            reason = await self._run_worker()
            _log.warning("%s", reason)
            self._lose_running(reason)
            self._pause = min(max(_FIRST_PAUSE, 2 * self._pause), _LONGEST_PAUSE)
            self._restarts += 1

    async def _run_worker(self) -> str:
        """Start a worker and handle its events until it ends. Return a sentence that says how it ended."""
        hung, status = None, 0
        try:
            self._worker = await WorkerProcess.start(self._command, self._log_line, self._variables)
            hung = await self._attend(self._worker)
        except Exception:  # a lost job must be reported whatever failed here
            _log.exception("The speech worker's supervisor failed")
            hung = "The speech worker could not be run."
        finally:
            if self._ready is None and self._error is None:
                self._error = "The speech worker does not start; the log above has the reason."
            if self._worker is not None:
                status = await self._worker.stop(_GRACE if self._closed else 0.0)
            self._worker = self._ready = None
            self._nodes = ()
        return hung or _ending(status)

    async def _attend(self, worker: WorkerProcess) -> str | None:
        """Forward the worker's events. Return None when it ends by itself, or a sentence when it hangs."""
        last_event = monotonic()
        while True:
            silent_at = last_event + self._heartbeat_timeout
            late_at = min((job.last_progress for job in self._running.values()), default=inf) + self._job_timeout
            try:
                async with asyncio.timeout(min(silent_at, late_at) - monotonic()):  # wait_for can lose a cancellation
                    event = await worker.receive()
            except TimeoutError:
                if late_at <= silent_at:
                    return f"The job made no progress for {self._job_timeout:g} seconds and was stopped."
                return "The speech worker stopped answering and was replaced."
            if event is None:
                return None
            last_event = monotonic()
            self._take(event)
            self._feed()

    def _take(self, event: Event) -> None:
        """Update the queue for an event and forward the event to the listener."""
        match event:
            case Ready():
                self._ready, self._error = event, None
                self._events.put_nowait(event)
            case Nodes():
                self._nodes = event.nodes
                self._events.put_nowait(event)
            case Failed(job_id="", message=message):
                self._ready, self._error = None, message
                _log.error("The speech worker cannot start: %s", message)
            case Heartbeat() if self._running:
                self._events.put_nowait(event)
            case Progress() | PartSpoken() if event.job_id in self._running:
                self._running[event.job_id].last_progress = monotonic()
                self._events.put_nowait(event)
            case Checked() | Listened() | Failed() if event.job_id in self._checks:
                self._checks.end(event)
            case Cloned() | Spoken() | Failed() | Lost() if event.job_id in self._running:
                del self._running[event.job_id]
                self._pause = 0.0
                self._events.put_nowait(event)
            case _:
                _log.debug("Ignored: %s", type(event).__name__)

    def _feed(self) -> None:
        """Send jobs to a ready worker up to its capacity."""
        if self._worker is None or self._ready is None:
            return
        for check in self._checks.next(jobs=len(self._running), alone=self._has_suspects()):
            self._worker.send(check)
        while self._waiting and len(self._running) < self.capacity and not self._checks.has_suspect:
            if not self._passes_on and self._waiting[0].alone and (self._running or self._checks.at_work):
                return
            request = self._waiting.popleft()
            self._running[request.job_id] = _Running(request, monotonic())
            self._worker.send(request)

    def _has_suspects(self) -> bool:
        """Return whether a job that has to run alone is waiting or running."""
        requests = (*(job.request for job in self._running.values()), *self._waiting)
        return not self._passes_on and any(request.alone for request in requests)

    def _lose_running(self, reason: str) -> None:
        """Report running jobs as Lost; a job that was being cancelled ends as cancelled."""
        if self._closed or self._passes_on:
            self._checks.close()
        else:
            self._checks.lose()
        for job_id, running in self._running.items():
            self._events.put_nowait(_cancelled(job_id) if running.cancelled else Lost(job_id, reason))
        self._running.clear()

    def _log_line(self, level: int, line: str) -> None:
        """Log a line of the worker, with the id of the running job if there is only one."""
        only = {"job_id": next(iter(self._running))} if len(self._running) == 1 else None
        _worker_log.log(level, "%s", line, extra=only)


def _cancelled(job_id: str) -> Failed:
    return Failed(job_id, Cancelled.__name__, "The job was cancelled.")


def _ending(status: int) -> str:
    """Describe how a worker ended. A negative status is a signal; the system sends SIGKILL when memory runs out."""
    if status == -signal.SIGKILL:
        return "The speech worker was killed, perhaps because the machine ran out of memory."
    return f"The speech worker ended unexpectedly (status {status})."
