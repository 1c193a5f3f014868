"""Pass a bot's jobs on to the speech nodes of a cluster. Does not import Ray.

A job goes to the node of whose capacity the largest share is free; among equals, to one that has the voice's prompt. It
waits while no node has room. Nodes join and leave at any time.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloning.cluster import messages
from cloning.cluster.messages import Arrangement, Parcel
from cloning.cluster.place import Place, Remote
from cloning.worker.protocol import Event, Failed, Nodes, Query, Ready, Request
from errors import Cancelled, Unavailable

NO_NODE = (
    "No speech node is in the cluster. Start one with `python cluster.py node --head ADDRESS` on a machine that has "
    "Barkeep installed."
)
_UNREADABLE = "The files of this request could not be read. Please try again, or tell the person who runs Barkeep."

_log = logging.getLogger(__name__)

Emit = Callable[[Event], None]


R = TypeVar("R", bound=Remote, covariant=True)


@dataclass(frozen=True, slots=True)
class Found(Generic[R]):
    """A speech worker of the cluster. `key` identifies it as long as it is in the cluster."""

    key: str
    name: str
    address: str
    remote: R


class Relay:
    """Holds the nodes, and the jobs that wait for one. All methods belong to one event loop.

    emit: sends an event to the bot.
    """

    def __init__(self, arrangement: Arrangement, emit: Emit) -> None:
        self._arrangement = arrangement
        self._emit = emit
        self._places: dict[str, Place] = {}
        self._attending: dict[str, asyncio.Task[None]] = {}
        self._waiting: deque[tuple[Request | Query, Parcel]] = deque()
        self._ready: Ready | None = None
        self._error: str | None = None
        self._nodes: Nodes | None = None
        self._stopping: set[asyncio.Task[None]] = set()

    def update(self, found: Mapping[str, Found[Remote]]) -> None:
        """Update the nodes to the speech workers that the cluster has now."""
        for key in self._places.keys() - found.keys():
            self._attending.pop(key).cancel()
            place = self._places.pop(key)
            _log.warning("the speech node %s has left the cluster", place.name)
            place.leave("has left the cluster")
        for key in found.keys() - self._places.keys():
            node = found[key]
            _log.info("the speech node %s has joined the cluster", node.name)
            place = Place(
                node.name,
                node.address,
                node.remote,
                self._arrangement,
                tell=self._emit,
                changed=self._refresh,
            )
            self._places[key] = place
            self._attending[key] = asyncio.create_task(place.attend())
        self._refresh()

    async def submit(self, request: Request | Query) -> None:
        """Accept a request of the bot. Its events follow; there is always a last one."""
        try:
            parcel = await asyncio.to_thread(messages.packed, request)
        except OSError as error:
            _log.error("the files of job %s cannot be read: %s", request.job_id, error)
            self._emit(Failed(request.job_id, Unavailable.__name__, _UNREADABLE))
            return
        self._waiting.append((request, parcel))
        self._distribute()

    async def cancel(self, job_id: str) -> None:
        """Stop a job. Unknown ids are ignored."""
        for waiting in [waiting for waiting in self._waiting if waiting[0].job_id == job_id]:
            self._waiting.remove(waiting)
            self._emit(Failed(job_id, Cancelled.__name__, "The job was cancelled."))
        for place in [place for place in self._places.values() if place.holds(job_id)]:
            task = asyncio.create_task(place.cancel(job_id))  # a node that hangs must not keep other requests waiting
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    def _refresh(self) -> None:
        """Report changes to the bot, and send waiting jobs to nodes with room."""
        self._compare_models()
        nodes = Nodes(tuple(place.describe() for place in self._places.values()))
        if nodes != self._nodes:
            self._nodes = nodes
            self._emit(nodes)
        ready = next((place.ready for place in self._places.values() if place.ready and not place.refused), None)
        if ready is not None and ready != self._ready:
            self._emit(ready)
        self._ready = ready
        error = None if ready else self._why_none()
        if error is not None and error != self._error:
            self._emit(Failed("", Unavailable.__name__, error))
        self._error = error
        self._distribute()

    def _why_none(self) -> str | None:
        """Return why no node is ready, or None while one is starting."""
        if not self._places:
            return NO_NODE
        errors = [f"{place.name}: {place.error}" for place in self._places.values() if place.error is not None]
        return "; ".join(errors) if len(errors) == len(self._places) else None

    def _compare_models(self) -> None:
        """Refuse nodes whose weights differ from the first node's: a voice would be made again at each change."""
        first: Ready | None = None
        for place in self._places.values():
            if place.ready is None:
                continue
            first = first or place.ready
            same = (place.ready.model, place.ready.digest) == (first.model, first.digest)
            place.refused = None if same else "has loaded other weights than the other nodes; install the same ones"

    def _distribute(self) -> None:
        """Send waiting jobs while there is room."""
        for waiting in list(self._waiting):
            request, parcel = waiting
            beside = isinstance(request, Query)
            fitting = [place for place in self._places.values() if (place.capacity if beside else place.free) > 0]
            if fitting:
                self._waiting.remove(waiting)
                best = min(fitting, key=lambda place: (-place.free / place.capacity, not place.knows(parcel.prompt)))
                best.take(request, parcel)
