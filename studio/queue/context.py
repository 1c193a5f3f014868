"""What the parts of the queue share: the services that they use, and the jobs that this process holds."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cloning.worker.protocol import Event, Executor, PartSpoken, Progress, part_file
from storage.database import Storage
from storage.records import JobRecord
from studio.channel.rooms import Rooms
from studio.queue.queue_updates import seconds_left
from studio.values import Courier, Update

LONG_TEXT = 3
"""From this many sentences on, the first is sent ahead; in shorter texts the rest follows too soon."""


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

    def update_for(self, event: Progress | PartSpoken, now: datetime) -> Update | None:
        """Record how far the job is. Return the update for its member, if there is one.

        Every update after the first sentence of a long text carries that sentence.
        """
        if isinstance(event, Progress):
            self.stage, self.fraction = event.stage, event.fraction
        elif event.number == 0 and event.of >= LONG_TEXT and self.folder is not None:
            self.beginning = self.folder / part_file(event.number)
        else:
            return None
        if self.cancelled.is_set():
            return None
        return Update(
            stage=self.stage,
            fraction=self.fraction,
            beginning=self.beginning,
            seconds_left=seconds_left(self.expected, self.job.started_at, now),
        )


@dataclass(frozen=True, slots=True)
class QueueContext:
    """What the parts of the queue share.

    rooms: the voice channels in which lines are heard. sleep: waits some seconds between two attempts. owner: the name
    of this process as the holder of leases. active: the jobs that this process holds, by id.
    """

    storage: Storage
    executor: Executor
    courier: Courier
    rooms: Rooms
    sleep: Callable[[float], Awaitable[Any]]
    owner: str
    clock: Callable[[], datetime]
    active: dict[str, ActiveJob] = field(default_factory=dict)
