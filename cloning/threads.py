"""How torch's threads wait for each other. To be called before torch is imported; knows nothing else."""

import os

_SPINS = "20000"


def share_with_others() -> None:
    """Let OpenMP's threads sleep when they have waited for tens of microseconds.

    Bark on a CPU is thousands of small steps. By default libgomp spins for milliseconds, so that with anything else
    running (the bot itself) two threads spin away more than they compute. Threads that sleep at once are woken too
    late: a step of bark-small took 34 ms with 1,000 spins and 20 ms with these (medians on two idle cores); beside two
    busy programs 67 ms, 48 ms, and 83 ms of processor time with libgomp's 300,000 (23 November 2026).
    """
    os.putenv("GOMP_SPINCOUNT", _SPINS)
