"""Which process holds a job, and whether that process is known to be gone before its lease lapses."""

import os
import secrets
import socket
from datetime import datetime, timedelta

from storage.records import JobRecord

LEASE = timedelta(seconds=90)
"""How long a job, or its answer, belongs to a process that says nothing. Upkeep renews jobs every 30 s."""
_HOST_LENGTH = 40


def new_owner() -> str:
    """A name for this process, unique for each call: "host/process id/random"."""
    return f"{_host()}/{os.getpid()}/{secrets.token_hex(4)}"


def is_abandoned(job: JobRecord, now: datetime) -> bool:
    """Whether nobody works at a claimed job, or sends its answer, any more.

    So it is when its lease has lapsed, and also when its process ran on this machine and has ended. This process
    asks before it takes any job of its own: a job in the name of its process id belongs to an earlier one.
    """
    if job.lease_until is None or job.lease_until <= now:
        return True
    host, _, rest = (job.lease_owner or "").partition("/")
    process = rest.partition("/")[0]
    return host == _host() and process.isdigit() and (int(process) == os.getpid() or not _is_alive(int(process)))


def _host() -> str:
    return socket.gethostname()[:_HOST_LENGTH].replace("/", "-")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
