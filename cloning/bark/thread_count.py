"""Choose how many of torch's threads compute, while other programs use the processor too.

The threads of a product wait for the slowest. Where another program holds one of the cores, all of them wait until it
is their turn there, thousands of times a sentence: then fewer threads are faster. How long they wait is seen in the
thread that leads them, which computes nearly all the time if no one else does.
"""

from collections.abc import Callable
from time import perf_counter, thread_time

import torch

_WINDOW = 0.25
"""The least seconds between two decisions."""
_LEAST_SHARE = 0.65
"""The least share of a window in which the leading thread must compute; below, there are half as many threads. Alone, a
step in int8 takes 1.5 times as long with one thread as with two (18.4 and 12.1 ms), and a window 1.8 times."""
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 8.0
"""Seconds until more threads are tried again. They double while that fails."""


class ThreadCount:
    """The number of threads of the calling thread's operators, from 1 to what it was: halved and doubled.

    now, worked: the time, and the processor time of the calling thread, in seconds.
    """

    def __init__(self, now: Callable[[], float] = perf_counter, worked: Callable[[], float] = thread_time) -> None:
        self._now, self._worked = now, worked
        self._most = self._count = torch.get_num_threads()
        self._wait, self._try_at = _FIRST_WAIT, 0.0
        self._since = now(), worked()

    def start(self) -> None:
        """Begin in the calling thread, with as many threads as were used last."""
        torch.set_num_threads(self._count)
        self._since = self._now(), self._worked()

    def adjust(self) -> None:
        """Look at the time since the last decision, and decide. Call it often, between two pieces of work."""
        now, worked = self._now(), self._worked()
        began, worked_before = self._since
        if self._most == 1 or now - began < _WINDOW:
            return
        share = (worked - worked_before) / (now - began)
        if self._count > 1 and share < _LEAST_SHARE:
            self._use(self._count // 2)
            self._try_at, self._wait = now + self._wait, min(2 * self._wait, _LONGEST_WAIT)
        elif self._count == self._most:
            self._wait = _FIRST_WAIT
        elif now >= self._try_at:
            self._use(min(2 * self._count, self._most))
        self._since = self._now(), self._worked()

    def restore(self) -> None:
        """Let threads that start later use all, since they take over the number that was set last."""
        torch.set_num_threads(self._most)

    def _use(self, count: int) -> None:
        torch.set_num_threads(count)
        self._count = count
