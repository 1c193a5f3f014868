"""Keep torch's CPU threads efficient: how long they spin while they wait, and where models are loaded."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")
_SPINS = "20000"


def limit_spinning() -> None:
    """Let OpenMP threads sleep after tens of microseconds of waiting. Call it before torch is imported.

    Bark on a CPU is thousands of small steps. By default libgomp spins for milliseconds, so with another busy program
    (the bot itself) two threads spin longer than they compute. Threads that sleep at once wake too late. A step of
    bark-small took 34 ms with 1,000 spins and 20 ms with 20,000 (medians on two idle cores); beside two busy programs
    67 ms and 48 ms, and 83 ms of CPU time with libgomp's default of 300,000 (23 November 2026).
    """
    os.putenv("GOMP_SPINCOUNT", _SPINS)


def in_own_thread(action: Callable[[], _T]) -> _T:
    """Run `action` in a thread that ends with it, and return its result or raise its error.

    libgomp keeps helper threads for each thread that has computed in parallel, until that thread ends. While a process
    has more of both kinds of threads than the machine has cores, even if most of them sleep, libgomp spins at most
    1,000 times. Loading models in the main thread would therefore slow down every later step.
    """
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(action())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=run, name="loading", daemon=True)
    thread.start()
    thread.join()
    return future.result()
