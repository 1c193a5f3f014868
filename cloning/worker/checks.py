"""The recordings that wait to be checked for the watermark, or are at the worker. Belongs to one event loop.

They are no jobs: whoever asked waits for the answer, and asks again if the worker dies. Free of torch.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloning.watermark.finding import Finding
from cloning.worker.protocol import Checked, CheckRequest, Failed
from errors import KINDS, Unavailable

AT_ONCE = 2
"""Checks are short, and go beside the jobs: more of them wait."""
_LOST = "The speech worker stopped while it looked at this recording. Try again in a minute."

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Check:
    """A recording that somebody asks about. `result` raises BarkeepError."""

    request: CheckRequest
    result: "asyncio.Future[Finding]"
    sent: bool = False


class Checks:
    """All of them, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._open: dict[str, Check] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._open

    @contextmanager
    def opened(self, source: Path) -> Iterator[Check]:
        """A check for as long as somebody waits for it."""
        request = CheckRequest(f"check-{secrets.token_hex(8)}", source)
        self._open[request.job_id] = check = Check(request, asyncio.get_running_loop().create_future())
        try:
            yield check
        finally:
            del self._open[request.job_id]

    def next(self) -> Iterator[CheckRequest]:
        """What a worker that is ready is given now."""
        for check in list(self._open.values())[:AT_ONCE]:
            if not check.sent:
                check.sent = True
                yield check.request

    def end(self, event: Checked | Failed) -> None:
        """Hand over what was found, or what kept it from being found. The first end counts."""
        check = self._open[event.job_id]
        if check.result.done():
            return
        if isinstance(event, Checked):
            check.result.set_result(event.finding)
            return
        kind = KINDS.get(event.kind)
        if kind is None:
            _log.error("a recording could not be checked, reference %s", event.message)
            sentence = f"This recording could not be checked. If it keeps happening, tell the owner: {event.message}."
            check.result.set_exception(Unavailable(sentence))
        else:
            check.result.set_exception(kind(event.message))

    def lose(self, *, waiting: bool) -> None:
        """The worker is gone, and what it had; also what waits for the next one, if there will be none."""
        for job_id, check in self._open.items():
            if check.sent or waiting:
                self.end(Failed(job_id, Unavailable.__name__, _LOST))
