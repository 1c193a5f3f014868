"""A speech node: the supervised speech worker of one machine or GPU, for the relay processes of several bots.

It runs as an asynchronous Ray actor, which keeps running when a bot ends. Each relay has a session: its jobs, and the
events that it has not received yet. A relay that has not called for SILENT_SECONDS counts as ended, and its jobs are
cancelled. Does not import Ray or torch.
"""

import asyncio
import itertools
import logging
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from cloning.cluster import messages
from cloning.cluster.messages import Arrangement, News, Parcel
from cloning.cluster.session import Session
from cloning.worker import protocol
from cloning.worker.executor import ROOT, SubprocessExecutor, worker_command
from cloning.worker.process import is_running
from cloning.worker.protocol import (
    Checked,
    CheckRequest,
    Cloned,
    Event,
    Executor,
    Failed,
    Health,
    Listened,
    Lost,
    PartSpoken,
    Progress,
    Query,
    Ready,
    Spoken,
)
from errors import BarkeepError, Unavailable

PROMPT_SECONDS = 600.0
"""The seconds that a prompt stays in memory after its last use. A deleted voice stays no longer than this."""
PROGRESS_SECONDS = 1.0
"""The seconds for which progress is collected: an answer for each event would cost a fifth of a processor core, and the
bot shows progress every three seconds at most."""
SOON_SECONDS = 0.02
"""The seconds for which other events are collected: jobs that are sent together begin together."""
_PROMPTS = 256
_FOLDER = "barkeep-speech-"

_log = logging.getLogger(__name__)

Build = Callable[[Arrangement], Executor]


def _build(arrangement: Arrangement) -> Executor:
    os.chdir(ROOT)  # to which the bot's paths, such as the cache of models, are relative
    return SubprocessExecutor(
        worker_command(arrangement.configuration),
        job_timeout=arrangement.job_timeout,
        capacity=arrangement.capacity,
    )


@dataclass(slots=True)
class _Job:
    """A request at this node. `name`: its id at the bot. The node adds its own id, since a bot may send it again."""

    name: str
    session: str
    folder: Path
    query: "asyncio.Task[None] | None" = None
    begun: bool = False
    stopped: bool = False
    progress: int = 0
    """The number of its last Progress event, which the next one replaces."""


class SpeechNode:
    """Runs the jobs of several relays. All methods belong to one event loop and are called remotely.

    build: creates the executor of the speech worker; tests replace it.
    """

    def __init__(self, build: Build = _build) -> None:
        self._build = build
        self._arrangement: Arrangement | None = None
        self._executor: Executor | None = None
        self._sessions: dict[str, Session] = {}
        self._jobs: dict[str, _Job] = {}
        self._ids = itertools.count(1)
        self._prompts: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._draining = False
        self._attaching = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-"))

    async def version(self) -> str:
        """Return the digest of this node's program, which must equal the relay's."""
        return messages.protocol_digest()

    async def attach(self, session: str, arrangement: Arrangement) -> None:
        """Open a session, and start the speech worker by `arrangement`.

        Raises Unavailable if another relay that still calls has other settings: its jobs would be lost.
        """
        async with self._attaching:
            if self._arrangement != arrangement:
                if self._arrangement is not None and self._sessions:
                    raise Unavailable(_other_settings(self._arrangement, arrangement))
                await self._close_worker()
                await asyncio.to_thread(_remove_remains)
                self._arrangement, self._executor = arrangement, self._build(arrangement)
                self._tasks = [asyncio.create_task(self._listen(self._executor)), asyncio.create_task(self._sweep())]
                await self._executor.start()
            self._sessions[session] = Session()

    async def submit(self, session: str, parcel: Parcel) -> bool:
        """Accept a request; its events follow. Return False if its prompt was left out and is not in memory.

        Raises Unavailable for an unknown session, or while the node is drained.
        """
        executor = self._executor
        if executor is None or session not in self._sessions:
            raise Unavailable("was started again")
        if self._draining:
            raise Unavailable("is drained")
        if parcel.prompt is not None:
            prompt = messages.prompt_of(parcel) or self._prompt(parcel.prompt)
            if prompt is None:
                return False
            self._prompts[parcel.prompt] = (prompt, monotonic())
            self._prompts.move_to_end(parcel.prompt)
            parcel = messages.with_prompt(parcel, prompt)
        job_id = f"{next(self._ids)}"
        folder = self._folder / job_id
        try:
            request = await asyncio.to_thread(messages.unpacked, parcel, folder, job_id)
            self._jobs[job_id] = job = _Job(parcel.job_id, session, folder)
            if isinstance(request, Query):
                job.query = asyncio.create_task(self._query(executor, request))
            else:
                await executor.submit(request)
        except (OSError, BarkeepError):
            self._jobs.pop(job_id, None)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise
        return True

    async def cancel(self, session: str, name: str) -> None:
        """Stop a job of a session; it ends with Failed(kind="Cancelled"). Unknown names are ignored."""
        for job_id, job in list(self._jobs.items()):
            if (job.session, job.name) == (session, name):
                await self._stop(job_id, job)

    async def exchange(self, session: str, received: int) -> News | None:
        """Return the events after number `received`; wait a moment if there are none. None: an unknown session.

        Each call also shows that the relay is running.
        """
        mine = self._sessions.get(session)
        if mine is None or self._executor is None:
            return None
        events = await mine.after(received)
        health = self._executor.health()
        return News(
            events,
            None if health.ready is None else protocol.encode(health.ready),
            health.error,
            health.restarts,
            self._draining,
            sum(job.session != session for job in self._jobs.values()),
        )

    async def drain(self, on: bool) -> None:
        """Stop accepting jobs, or accept them again. Running jobs continue."""
        self._draining = on
        self._wake_all()

    async def state(self) -> tuple[Health | None, int, bool]:
        """Return the worker's state (None before a relay attached), the number of jobs, and whether it is drained."""
        return None if self._executor is None else self._executor.health(), len(self._jobs), self._draining

    async def close(self) -> None:
        """Stop the worker, and remove every file."""
        await self._close_worker()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _close_worker(self) -> None:
        if self._executor is not None:
            await self._executor.close()
        for task in self._tasks[:1]:  # the listener ends by itself, when the last job is reported as lost
            await asyncio.gather(task, return_exceptions=True)
        for task in self._tasks[1:]:
            task.cancel()
        self._arrangement = self._executor = None

    async def _listen(self, executor: Executor) -> None:
        """Pass the worker's events on to the sessions of their jobs."""
        async for event in executor.events():
            try:
                await self._pass_on(event)
            except Exception:  # the events of other jobs must still be passed on
                _log.exception("an event of the speech worker was not passed on: %s", type(event).__name__)

    async def _pass_on(self, event: Event) -> None:
        match event:
            case Ready():
                self._wake_all()
            case Progress() | PartSpoken():
                await self._tell(event)
            case Cloned() | Spoken() | Failed() | Lost():
                await self._end(event)
            case _:
                pass

    async def _query(self, executor: Executor, request: Query) -> None:
        """Run a query, and report its result as a worker does."""
        result: Checked | Listened | Failed
        try:
            if isinstance(request, CheckRequest):
                result = Checked(request.job_id, await executor.check(request.source))
            else:
                heard = await executor.listen(request.source, request.answer, request.sentence)
                result = Listened(request.job_id, heard)
        except BarkeepError as error:
            result = Failed(request.job_id, type(error).__name__, error.message)
        except Exception:  # a member waits for the result
            _log.exception("a recording could not be checked")
            result = Failed(request.job_id, Unavailable.__name__, "The recording could not be checked.")
        await self._end(result)

    async def _tell(self, event: Progress | PartSpoken | Cloned | Spoken | Failed | Lost | Checked | Listened) -> None:
        """Keep an event with its result files until its relay fetches it."""
        job = self._jobs.get(event.job_id)
        if job is None or job.session not in self._sessions:
            return
        files: dict[str, bytes] = {}
        try:
            if not isinstance(event, Progress):
                files = await asyncio.to_thread(messages.made_files, event, job.folder)
        except OSError as error:
            _log.error("the result of job %s cannot be read: %s", job.name, error)
            event = Lost(event.job_id, "The speech node could not read its result.")
        named: Event = replace(event, job_id=job.name)
        if (session := self._sessions.get(job.session)) is not None:
            if isinstance(event, Progress):
                within = PROGRESS_SECONDS if job.begun else SOON_SECONDS
                job.progress = session.add(named, files, within=within, replaces=job.progress)
            else:
                session.add(named, files, within=SOON_SECONDS)
            job.begun = True

    async def _end(self, event: Cloned | Spoken | Failed | Lost | Checked | Listened) -> None:
        await self._tell(event)
        job = self._jobs.pop(event.job_id, None)
        if job is not None:
            await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

    async def _stop(self, job_id: str, job: _Job) -> None:
        if self._executor is not None and job.query is None:
            await self._executor.cancel(job_id)
        job.stopped = True

    async def _sweep(self) -> None:
        """Forget relays that no longer call, and prompts that are not used."""
        while True:
            await asyncio.sleep(1)
            try:
                await self._forget(monotonic())
            except Exception:  # the next round tries again
                _log.exception("relays that no longer call could not be forgotten")

    async def _forget(self, now: float) -> None:
        gone = [name for name, session in self._sessions.items() if now - session.heard > messages.SILENT_SECONDS]
        for name in gone:
            del self._sessions[name]
        while self._prompts and (
            len(self._prompts) > _PROMPTS or now - next(iter(self._prompts.values()))[1] > PROMPT_SECONDS
        ):
            self._prompts.popitem(last=False)
        for job_id, job in list(self._jobs.items()):
            if job.session not in self._sessions and not job.stopped:
                _log.warning("job %s is cancelled: its bot no longer calls", job.name)
                await self._stop(job_id, job)

    def _prompt(self, digest: str) -> bytes | None:
        found = self._prompts.get(digest)
        return None if found is None else found[0]

    def _wake_all(self) -> None:
        for session in self._sessions.values():
            session.wake()


def _other_settings(here: Arrangement, wanted: Arrangement) -> str:
    """Return a message with the names of the settings that differ. No values: some are addresses and folders."""
    one, other = (
        {"capacity": each.capacity, "job_timeout": each.job_timeout, **each.configuration} for each in (here, wanted)
    )
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return (
        f"speaks for another bot process with other settings ({', '.join(names)}). Give all "
        "bot processes of a cluster the same speech settings, or stop the other one."
    )


def _remove_remains() -> None:
    """Remove the folders of killed nodes on this machine."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        process = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if process.isdigit() and not is_running(int(process)):
            shutil.rmtree(folder, ignore_errors=True)
