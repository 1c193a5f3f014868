"""A speech node as the relay process sees it: what it holds, what it says, and whether it answers. Without Ray.

`attend` talks to the node until it is cancelled. A node that fails or does not answer loses its jobs, and is asked
again.
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
"""How long a node may take to start: Ray starts a process for it and loads the program."""
_RETRY_SECONDS = 2.0
_PROMPTS = 256

_log = logging.getLogger(__name__)


class Remote(Protocol):
    """The calls of a speech node, from afar: those of `node.SpeechNode`.

    Each raises Unavailable; its message is what the node does, such as "does not answer".
    """

    async def attach(self, session: str, arrangement: Arrangement) -> None:
        """Start what is needed, and open a session."""

    async def submit(self, session: str, parcel: Parcel) -> bool:
        """Send a request. False: its prompt is needed."""

    async def cancel(self, session: str, job_id: str) -> None:
        """Stop a job."""

    async def exchange(self, session: str, received: int) -> News | None:
        """Fetch what is new. None: the node does not know the session."""


@dataclass(slots=True)
class _Held:
    request: Request | Query
    cancelled: bool = False


class Place:
    """One speech node.

    tell: gets every event of its jobs. changed: called when something of `state` may have changed.
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
        """Why this node must not be used although it works, if so."""
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
        """Why no models are loaded here, once that is known."""
        return self.refused or (None if self._state in ("starting", "loading its models", "ready") else self._state)

    @property
    def capacity(self) -> int:
        """How many jobs of this bot it takes at once, now."""
        if self.ready is None or self.refused or self._news.draining:
            return 0
        return max(0, self._arrangement.capacity - self._news.others)

    @property
    def running(self) -> int:
        """How many jobs of this bot it has. Looks at recordings run beside them."""
        return sum(not isinstance(held.request, Query) for held in self._held.values())

    @property
    def free(self) -> int:
        """How many more jobs it takes now."""
        return self.capacity - self.running

    def holds(self, job_id: str) -> bool:
        """Return whether it has this job."""
        return job_id in self._held

    def knows(self, prompt: str | None) -> bool:
        """Return whether it was sent this prompt lately."""
        return prompt in self._prompts

    def describe(self) -> NodeState:
        """Return its state, as shown to moderators and by `cluster.py nodes`."""
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
        """Talk to the node until this is cancelled."""
        while True:
            try:
                await self._converse()
            except Unavailable as error:
                self._lose(error.message)
            except Exception:  # its jobs would never end
                _log.exception("talking to the speech node %s failed", self.name)
                self._lose("failed; the log of the bot says how")
            await asyncio.sleep(_RETRY_SECONDS)

    def take(self, request: Request | Query, parcel: Parcel) -> None:
        """Send a request, in a task; its events follow, the last one in any case."""
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
            self._end(request.job_id, self._lost(request.job_id, "failed; the log of the bot says how"))
            return
        if parcel.prompt is not None:
            self._prompts[parcel.prompt] = None
            self._prompts.move_to_end(parcel.prompt)
            while len(self._prompts) > _PROMPTS:
                self._prompts.popitem(last=False)

    async def cancel(self, job_id: str) -> None:
        """Stop a job. A node that cannot be told loses it, which ends it too."""
        if (held := self._held.get(job_id)) is None:
            return
        held.cancelled = True
        try:
            async with asyncio.timeout(messages.SILENT_SECONDS):
                await self._remote.cancel(self._session, job_id)
        except TimeoutError:
            _log.warning("%s did not answer when it was told to stop a job", self.name)
        except Unavailable as error:
            _log.warning("%s could not be told to stop a job: %s", self.name, error.message)

    def leave(self, reason: str) -> None:
        """Lose every job: the node is gone, and `attend` was cancelled."""
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
        """Take in an answer. Return the number of its last event."""
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
        """Write an event's files and tell it."""
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
        """Tell the last event of a job, once."""
        if self._held.pop(job_id, None) is not None:
            self._tell(event)
            self._changed()

    def _lost(self, job_id: str, reason: str) -> Event:
        held = self._held.get(job_id)
        if held is not None and held.cancelled:
            return Failed(job_id, Cancelled.__name__, "The job was cancelled.")
        if held is not None and isinstance(held.request, Query):
            return Failed(job_id, Unavailable.__name__, "The speech node stopped meanwhile. Try again in a minute.")
        return Lost(job_id, f"The speech node {self.name} {reason}.")

    def _lose(self, reason: str) -> None:
        """Lose the jobs, and what is known of the node."""
        self.ready, self._state, self._session = None, reason, ""
        self._prompts.clear()
        self._news = News((), None, None, self._news.restarts, draining=False, others=0)
        for job_id in list(self._held):
            self._end(job_id, self._lost(job_id, reason))
        self._changed()
