"""Set how torch's threads wait for each other. Call it before torch is imported."""

import os

_SPINS = "20000"


def limit_spinning() -> None:
    """Let OpenMP threads sleep after tens of microseconds of waiting.

    Bark on a CPU is thousands of small steps. By default libgomp spins for milliseconds, so with another busy program
    (the bot itself) two threads spin longer than they compute. Threads that sleep at once wake too late: a step of
    bark-small took 34 ms with 1,000 spins and 20 ms with these (medians on two idle cores); beside two busy programs 67
    ms, 48 ms, and 83 ms of CPU time with libgomp's 300,000 (23 November 2026).
    """
    os.putenv("GOMP_SPINCOUNT", _SPINS)
