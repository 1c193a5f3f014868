"""Checks of recordings that run beside the jobs: for the watermark, or for a spoken consent.

They are not jobs: the caller waits for the answer. As with jobs, a recording that was being checked when the worker
died is a suspect: it is checked again, alone, before anything else, and fails if the worker dies again. All functions
belong to one event loop. Does not import torch.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cloning.consent.answer import SpokenAnswer
from cloning.watermark.finding import Finding
from cloning.worker.protocol import Checked, Failed, Listened, Query
from errors import KINDS, InvalidInput, Unavailable

AT_ONCE = 2
"""The maximum number of checks that run at once. They are short and run beside the jobs."""
_LOST = "The speech worker stopped while it checked this recording. Try again in a minute."
_GIVEN_UP = "The speech worker stopped when it checked this recording alone. Try another file."

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class PendingCheck:
    """A recording to check. `result` raises BarkeepError. `suspect`: the worker died while it checked this."""

    request: Query
    result: "asyncio.Future[Finding | SpokenAnswer]"
    sent: bool = False
    suspect: bool = False


def new_id() -> str:
    """Return an id for a request that is not a job."""
    return f"check-{secrets.token_hex(8)}"


class Checks:
    """The waiting and running checks, in order."""

    def __init__(self) -> None:
        self._open: dict[str, PendingCheck] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._open

    @contextmanager
    def opened(self, request: Query) -> Iterator[PendingCheck]:
        """Open a check for the duration of a block."""
        self._open[request.job_id] = check = PendingCheck(request, asyncio.get_running_loop().create_future())
        try:
            yield check
        finally:
            del self._open[request.job_id]

    @property
    def at_work(self) -> int:
        """The number of recordings that were sent to the worker."""
        return sum(check.sent for check in self._open.values())

    @property
    def has_suspect(self) -> bool:
        """Whether a recording has to be checked alone; until then, no job may start."""
        return any(check.suspect for check in self._open.values())

    def next(self, *, jobs: int, alone: bool) -> Iterator[Query]:
        """Yield the requests to send to a ready worker now.

        jobs: the number of jobs that it runs. alone: whether one of these, or the next one, has to run alone.
        """
        if self.has_suspect:
            fitting = [check for check in self._open.values() if check.suspect and not jobs and not self.at_work][:1]
        else:
            fitting = [] if alone else list(self._open.values())[:AT_ONCE]
        for check in fitting:
            if not check.sent:
                check.sent = True
                yield check.request

    def end(self, event: Checked | Listened | Failed) -> None:
        """Set the result or the error of a check. Only the first one counts."""
        check = self._open[event.job_id]
        if check.result.done():
            return
        if isinstance(event, Checked):
            check.result.set_result(event.finding)
            return
        if isinstance(event, Listened):
            check.result.set_result(event.heard)
            return
        kind = KINDS.get(event.kind)
        if kind is None:
            _log.error("a recording could not be checked, reference %s", event.message)
            sentence = f"This recording could not be checked. If it keeps happening, tell the owner: {event.message}."
            check.result.set_exception(Unavailable(sentence))
        else:
            check.result.set_exception(kind(event.message))

    def lose(self) -> None:
        """Handle the worker's death: its recordings become suspects and are checked again; those that were, fail."""
        for job_id, check in self._open.items():
            if check.sent and check.suspect:
                self.end(Failed(job_id, InvalidInput.__name__, _GIVEN_UP))
            elif check.sent:
                check.suspect, check.sent = True, False

    def close(self) -> None:
        """Fail all checks, without another attempt."""
        for job_id in self._open:
            self.end(Failed(job_id, Unavailable.__name__, _LOST))
