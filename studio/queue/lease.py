"""Leases: which process holds a job, and whether that process has ended."""

import os
import secrets
import socket
from datetime import datetime, timedelta

from cloning.worker.process import is_running
from storage.records import JobRecord

LEASE = timedelta(seconds=90)
"""How long a lease lasts without renewal. Upkeep renews jobs every 30 s."""
_HOST_LENGTH = 40


def new_owner() -> str:
    """Return a name for this process, unique for each call: "host/process id/random"."""
    return f"{_host()}/{os.getpid()}/{secrets.token_hex(4)}"


def is_abandoned(job: JobRecord, now: datetime) -> bool:
    """Return whether the process that holds a job or its answer has ended.

    True when the lease has expired, and when the process ran on this machine and has ended. Call it before this process
    claims jobs: a job held under its own process id belongs to an earlier process.
    """
    if job.lease_until is None or job.lease_until <= now:
        return True
    host, _, rest = (job.lease_owner or "").partition("/")
    process = rest.partition("/")[0]
    return host == _host() and process.isdigit() and (int(process) == os.getpid() or not is_running(int(process)))


def _host() -> str:
    return socket.gethostname()[:_HOST_LENGTH].replace("/", "-")
