"""Limit the resources of a process that reads untrusted bytes."""

import os
import resource
from pathlib import Path


def confine(memory_mb: int, cpu_seconds: int, output_bytes: int) -> None:
    """Limit this process: memory beyond its current size, CPU time in seconds, and the size of files that it writes."""
    limits = [(resource.RLIMIT_CPU, cpu_seconds), (resource.RLIMIT_FSIZE, output_bytes), (resource.RLIMIT_CORE, 0)]
    occupied = Path("/proc/self/statm")
    if occupied.exists():
        pages = int(occupied.read_text().split()[0])
        limits.append((resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + memory_mb * 2**20))
    for which, wanted in limits:
        hard = resource.getrlimit(which)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (limit, limit))
