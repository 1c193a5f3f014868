"""Leases: which process holds a job, and whether that process has ended."""

import os
import secrets
import socket
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cloning.worker.process import is_running
from storage.records import JobRecord

LEASE = timedelta(seconds=90)
"""How long a lease lasts without renewal. Upkeep renews jobs every 30 s."""
_HOST_LENGTH = 40


def new_owner() -> str:
    """Return a name for this process, unique for each call: "machine/process id/random"."""
    return f"{_machine()}/{os.getpid()}/{secrets.token_hex(4)}"


def is_abandoned(job: JobRecord, now: datetime) -> bool:
    """Return whether the process that holds a job or its answer has ended.

    True when the lease has expired, or when the process ran on this machine and has ended. Call it before this process
    claims jobs: a job held under its own process id belongs to an earlier process. For processes in another container
    or from before the last boot, only the lease counts.
    """
    if job.lease_until is None or job.lease_until <= now:
        return True
    machine, _, rest = (job.lease_owner or "").partition("/")
    process = rest.partition("/")[0]
    return machine == _machine() and process.isdigit() and (int(process) == os.getpid() or not is_running(int(process)))


@cache
def _machine() -> str:
    """Return a name of the scope in which process ids are unique: the host name, the boot id and the PID namespace.

    The host name is not enough: machines and containers may share one, and every container has a process 1.
    """
    host = socket.gethostname()[:_HOST_LENGTH].replace("/", "-")
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{host} {start} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux
        return host
