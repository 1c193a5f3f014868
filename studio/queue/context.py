"""What the parts of the queue share: services, the waiting jobs, and the jobs that this process holds, by leases."""

import asyncio
import os
import secrets
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cloning.worker.process import is_running
from cloning.worker.protocol import Event, Executor
from storage.database import Storage
from storage.records import JobRecord
from studio.channel.rooms import Rooms
from studio.queue.fair_order import FairQueue
from studio.values import Courier

LEASE = timedelta(seconds=90)
"""How long a lease lasts without renewal. Upkeep renews jobs every 30 s."""
_HOST_LENGTH = 40


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
    """What the parts of the queue share.

    rooms: the voice channels in which lines are heard. sleep: waits some seconds between two attempts. owner: the name
    of this process as the holder of leases. queue: the waiting jobs in fair order; it also counts
    the active ones. active: the jobs that this process holds, by id.
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


def new_owner() -> str:
    """Return a name for this process, unique for each call: "machine/process id/random"."""
    return f"{_machine()}/{os.getpid()}/{secrets.token_hex(4)}"


def is_abandoned(job: JobRecord, now: datetime) -> bool:
    """Return whether the process that holds a job or its answer has ended.

    True when the lease has expired, and when the process ran on this machine and has ended. Call it before this process
    claims jobs: a job held under its own process id belongs to an earlier process. Of processes in another container,
    and from before the machine's last start, only the lease counts.
    """
    if job.lease_until is None or job.lease_until <= now:
        return True
    machine, _, rest = (job.lease_owner or "").partition("/")
    process = rest.partition("/")[0]
    return machine == _machine() and process.isdigit() and (int(process) == os.getpid() or not is_running(int(process)))


@cache
def _machine() -> str:
    """Return a name of what process ids are unique in: the host name, one start of the machine, and the container.

    Host names are no proof: machines and containers may share one, and in every container the first process is 1.
    """
    host = socket.gethostname()[:_HOST_LENGTH].replace("/", "-")
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{host} {start} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux
        return host
