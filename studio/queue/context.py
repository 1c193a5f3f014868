"""The state shared by the parts of the queue: services, the waiting jobs, and the jobs that this process holds."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cloning.worker.protocol import Event, Executor
from storage.database import Storage
from storage.records import JobRecord
from studio.channel.rooms import Rooms
from studio.queue.fair_order import FairQueue
from studio.values import Courier


@dataclass(slots=True)
class ActiveJob:
    """A job that this process holds. `folder`: where the worker writes, once the job is submitted."""

    job: JobRecord
    folder: Path | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    begun: bool = False
    """The worker has begun the job."""
    ending: bool = False
    """The worker has finished with the job; this process stores the result."""
    stage: str | None = None
    fraction: float = 0.0
    beginning: Path | None = None
    """The first sentence of a long text, once its file exists."""
    expected: float | None = None
    """Estimated seconds of work; None without an estimate."""
    events: deque[Event] = field(default_factory=deque)
    """Events of the worker that have not been handled."""
    followed: bool = False
    """A task handles the events."""


@dataclass(frozen=True, slots=True)
class QueueContext:
    """The state shared by the parts of the queue.

    rooms: the voice channels in which lines are played. sleep: waits for some seconds between two attempts. owner: the
    name of this process as the owner of leases. queue: the waiting jobs in fair order; it also counts the active ones.
    active: the jobs that this process holds, by id.
    """

    storage: Storage
    executor: Executor
    courier: Courier
    rooms: Rooms
    sleep: Callable[[float], Awaitable[Any]]
    owner: str
    clock: Callable[[], datetime]
    queue: FairQueue = field(default_factory=FairQueue)
    active: dict[str, ActiveJob] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """How many more jobs the worker takes; below 0 after its capacity has shrunk."""
        return self.executor.capacity - self.queue.at_work

    def drop(self, active: ActiveJob) -> None:
        """Free the place of an active job, unless the job has been started again."""
        if self.active.get(active.job.id) is active:
            del self.active[active.job.id]
            self.queue.end(active.job.id)
