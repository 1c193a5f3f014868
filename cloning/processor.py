"""How torch's threads wait for each other. To be called before torch is imported; knows nothing else."""

import os

_SPINS = "1000"


def share_with_others() -> None:
    """Let OpenMP's threads sleep soon when they wait, as they do anyway on a machine with more threads than cores.

    By default libgomp spins for milliseconds. Bark on a CPU is thousands of small steps, so that with anything else
    running (the bot itself) two threads spun away ten times the work: 16.6 s of processor time for one sentence of the
    bundled model on two busy cores, against 2.4 s with this and 1.9 s with one thread (23 November 2026).
    """
    os.putenv("GOMP_SPINCOUNT", _SPINS)
