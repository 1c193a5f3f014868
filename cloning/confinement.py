"""Run a process that reads untrusted bytes, and limit its resources."""

import logging
import os
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path

import environment

_ROOT = Path(__file__).resolve().parents[1]
_log = logging.getLogger(__name__)


def run_confined(command: Sequence[str], timeout: float, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a child process, which must call `confine`, with `data` as its input and without secrets in its environment.

    `timeout`: in seconds. Raises OSError and TimeoutExpired.
    """
    child = subprocess.run(
        command, cwd=_ROOT, env=environment.to_run(), input=data, capture_output=True, timeout=timeout, check=False
    )
    if child.stderr:
        _log.warning("%s wrote to stderr: %s", " ".join(command[:3]), child.stderr.decode(errors="replace")[-4000:])
    return child


def confine(memory_mb: int, cpu_seconds: int, output_bytes: int) -> None:
    """Limit this process's memory beyond its current size, its CPU time in seconds, and the size of files it writes."""
    limits = [(resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_FSIZE, output_bytes), (resource.RLIMIT_CORE, 0)]
    occupied = Path("/proc/self/statm")
    if occupied.exists():
        pages = int(occupied.read_text().split()[0])
        limits.append((resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + memory_mb * 2**20))
    for which, wanted in limits:
        hard = resource.getrlimit(which)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (limit, limit))
