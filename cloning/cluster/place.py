"""A speech node as the relay process sees it: its jobs, its state, and whether it answers. Does not import Ray.

`attend` communicates with the node until it is cancelled. When the node fails or does not answer, its jobs are lost,
and `attend` opens another session.
"""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from cloning.cluster import messages
from cloning.cluster.messages import Arrangement, News, Parcel
from cloning.worker import protocol
from cloning.worker.protocol import (
    Checked,
    Cloned,
    Event,
    Failed,
    Listened,
    Lost,
    NodeState,
    Query,
    Ready,
    Request,
    Spoken,
)
from errors import Cancelled, Unavailable

ATTACH_SECONDS = 60.0
"""The seconds that a node may take to start: Ray starts a process for it and loads the program."""
_RETRY_SECONDS = 2.0
_PROMPTS = 256

_log = logging.getLogger(__name__)


class Remote(Protocol):
    """Remote calls of a speech node's methods; see `node.SpeechNode`.

    Each raises Unavailable with a message that follows the node's name, such as "does not answer".
    """

    async def attach(self, session: str, arrangement: Arrangement) -> None:
        """Start the node and its worker if needed, and open a session."""

    async def submit(self, session: str, parcel: Parcel) -> bool:
        """Send a request. Return False if the node needs its prompt."""

    async def cancel(self, session: str, job_id: str) -> None:
        """Stop a job."""

    async def exchange(self, session: str, received: int) -> News | None:
        """Fetch the new events and the node's state. Return None if the node does not know the session."""


@dataclass(slots=True)
class _Held:
    request: Request | Query
    cancelled: bool = False


class Place:
    """One speech node.

    tell: receives every event of its jobs. changed: called when its state may have changed.
    """

    def __init__(
        self,
        name: str,
        address: str,
        remote: Remote,
        arrangement: Arrangement,
        *,
        tell: Callable[[Event], None],
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.ready: Ready | None = None
        self.refused: str | None = None
        """Why this node must not be used although it works, or None."""
        self._address = address
        self._remote = remote
        self._arrangement = arrangement
        self._tell = tell
        self._changed = changed
        self._held: dict[str, _Held] = {}
        self._prompts: OrderedDict[str, None] = OrderedDict()
        self._sending: set[asyncio.Task[None]] = set()
        self._session = ""
        self._state = "starting"
        self._news = News((), None, None, 0, draining=False, others=0)

    @property
    def error(self) -> str | None:
        """Why the node cannot be used; None while it starts, loads its models or is ready."""
        return self.refused or (None if self._state in ("starting", "loading its models", "ready") else self._state)

    @property
    def capacity(self) -> int:
        """The number of this bot's jobs that the node now accepts at once."""
        if self.ready is None or self.refused or self._news.draining:
            return 0
        return max(0, self._arrangement.capacity - self._news.others)

    @property
    def running(self) -> int:
        """The number of this bot's jobs at the node. Queries run beside them and do not count."""
        return sum(not isinstance(held.request, Query) for held in self._held.values())

    @property
    def free(self) -> int:
        """The number of further jobs that the node accepts now."""
        return self.capacity - self.running

    def holds(self, job_id: str) -> bool:
        """Return whether the node has this job."""
        return job_id in self._held

    def knows(self, prompt: str | None) -> bool:
        """Return whether the node was recently sent this prompt."""
        return prompt in self._prompts

    def describe(self) -> NodeState:
        """Return the node's state, as shown to moderators and by `cluster.py nodes`."""
        state = "cannot be used" if self.error else self._state
        return NodeState(
            self.name,
            self._address,
            "drained" if self._news.draining and self.ready is not None else state,
            self.capacity,
            self.running,
            self.ready.model if self.ready else "",
            self.ready.device if self.ready else "",
            self._news.restarts,
            self.error,
        )

    async def attend(self) -> None:
        """Communicate with the node until this is cancelled."""
        while True:
            try:
                await self._converse()
            except Unavailable as error:
                self._lose(error.message)
            except Exception:  # without this, its jobs would never end
                _log.exception("communication with the speech node %s failed", self.name)
                self._lose("failed; the bot's log has the error")
            await asyncio.sleep(_RETRY_SECONDS)

    def take(self, request: Request | Query, parcel: Parcel) -> None:
        """Send a request in a task. Its events follow; there is always a last one."""
        self._held[request.job_id] = held = _Held(request)
        task = asyncio.create_task(self._send(held, parcel))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, held: _Held, parcel: Parcel) -> None:
        request, session, known = held.request, self._session, self.knows(parcel.prompt)
        try:
            async with asyncio.timeout(ATTACH_SECONDS):
                accepted = await self._remote.submit(session, messages.without_prompt(parcel) if known else parcel)
                if not accepted:
                    await self._remote.submit(session, parcel)
                if held.cancelled:
                    await self._remote.cancel(session, request.job_id)
        except TimeoutError:
            self._end(request.job_id, self._lost(request.job_id, "did not take the job in time"))
            return
        except Unavailable as error:
            self._end(request.job_id, self._lost(request.job_id, error.message))
            return
        except Exception:
            _log.exception("a job could not be sent to the speech node %s", self.name)
            self._end(request.job_id, self._lost(request.job_id, "failed; the bot's log has the error"))
            return
        if parcel.prompt is not None:
            self._prompts[parcel.prompt] = None
            self._prompts.move_to_end(parcel.prompt)
            while len(self._prompts) > _PROMPTS:
                self._prompts.popitem(last=False)

    async def cancel(self, job_id: str) -> None:
        """Stop a job. If the node cannot be reached, the job is soon lost, which ends it too."""
        if (held := self._held.get(job_id)) is None:
            return
        held.cancelled = True
        try:
            async with asyncio.timeout(messages.SILENT_SECONDS):
                await self._remote.cancel(self._session, job_id)
        except TimeoutError:
            _log.warning("the speech node %s did not answer a request to stop a job", self.name)
        except Unavailable as error:
            _log.warning("a request to stop a job failed: the speech node %s %s", self.name, error.message)

    def leave(self, reason: str) -> None:
        """Report every job as lost: the node is gone, and `attend` was cancelled."""
        self._lose(reason)

    async def _converse(self) -> None:
        """Open a session and fetch events. Raises Unavailable when that ends."""
        session = secrets.token_hex(8)
        try:
            async with asyncio.timeout(ATTACH_SECONDS):
                await self._remote.attach(session, self._arrangement)
        except TimeoutError:
            raise Unavailable(f"does not start its speech worker within {ATTACH_SECONDS:g} s") from None
        self._session, received = session, 0
        while True:
            try:
                async with asyncio.timeout(messages.SILENT_SECONDS):
                    news = await self._remote.exchange(session, received)
            except TimeoutError:
                raise Unavailable("does not answer") from None
            if news is None:
                raise Unavailable("was started again")
            received = await self._read(news, received)

    async def _read(self, news: News, received: int) -> int:
        """Process an answer. Return the number of its last event."""
        self._news = news
        ready = None if news.ready is None else cast(Ready, protocol.decode(news.ready))
        if self.ready != ready or ready is None:
            self.ready = ready
            self._state = "ready" if ready else news.error or "loading its models"
        for number, line, files in news.events:
            if number > received:
                received = number
                await self._take(cast(Event, protocol.decode(line)), files)
        self._changed()
        return received

    async def _take(self, event: Event, files: dict[str, bytes]) -> None:
        """Write an event's files and pass it on."""
        job_id = getattr(event, "job_id", "")
        if (held := self._held.get(job_id)) is None:
            return
        folder = None if isinstance(held.request, Query) else held.request.output_dir
        if files and folder is not None:
            try:
                await asyncio.to_thread(messages.write_files, files, folder)
            except OSError as error:
                if not held.cancelled:
                    _log.error("the result of job %s cannot be written: %s", job_id, error)
                    event = Lost(job_id, "The result could not be written on the bot's machine.")
        if isinstance(event, Cloned | Spoken | Failed | Lost | Checked | Listened):
            self._end(job_id, event)
        else:
            self._tell(event)

    def _end(self, job_id: str, event: Event) -> None:
        """Pass on the last event of a job, once."""
        if self._held.pop(job_id, None) is not None:
            self._tell(event)
            self._changed()

    def _lost(self, job_id: str, reason: str) -> Event:
        held = self._held.get(job_id)
        if held is not None and held.cancelled:
            return Failed(job_id, Cancelled.__name__, "The job was cancelled.")
        if held is not None and isinstance(held.request, Query):
            sentence = "The speech node stopped before it answered. Try again in a minute."
            return Failed(job_id, Unavailable.__name__, sentence)
        return Lost(job_id, f"The speech node {self.name} {reason}.")

    def _lose(self, reason: str) -> None:
        """Report the jobs as lost, and forget the node's state."""
        self.ready, self._state, self._session = None, reason, ""
        self._prompts.clear()
        self._news = News((), None, None, self._news.restarts, draining=False, others=0)
        for job_id in list(self._held):
            self._end(job_id, self._lost(job_id, reason))
        self._changed()
