"""One speech worker as a child process: its pipes, its process group and its end.

Requests go to its stdin and events come from its stdout, one JSON object per line; its stderr is forwarded as log
lines. The executor handles jobs, time limits and restarts.
"""

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence

import environment
from cloning.worker import protocol
from cloning.worker.protocol import Cancel, Event, Query, Request
from errors import InvalidInput

_log = logging.getLogger(__name__)
_LINE_LIMIT = 1 << 20
_KILL_SECONDS = 1.0
_LEVELS = logging.getLevelNamesMapping()

LogLine = Callable[[int, str], None]
"""Takes the logging level and the text of a line that the worker logged."""


class WorkerProcess:
    """A running worker. Created by `start`; `stop` must be called even if it has ended by itself."""

    def __init__(self, process: Process, log_line: LogLine) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("A worker needs all three pipes.")
        self._process = process
        self._requests = process.stdin
        self._events = process.stdout
        self._relay = asyncio.create_task(_relay(process.stderr, log_line))

    @classmethod
    async def start(
        cls, command: Sequence[str], log_line: LogLine, variables: Mapping[str, str] | None = None
    ) -> "WorkerProcess":
        """Start `command` in its own session, so that a Ctrl-C for the parent does not reach it.

        variables: its environment; None: the variables that models need, without secrets, since the worker reads
        members' uploads. Raises OSError if the process cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
            limit=_LINE_LIMIT,
            env=environment.to_run_models() if variables is None else variables,
        )
        return cls(process, log_line)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._process.pid

    def send(self, message: Request | Query | Cancel) -> None:
        """Write one line. A line to a dead worker is dropped; `receive` reports the end."""
        self._requests.write(protocol.encode(message).encode() + b"\n")

    async def receive(self) -> Event | None:
        """Return the next event, or None when the worker has closed its stdout. Other lines are logged."""
        while True:
            try:
                line = await self._events.readline()
            except ValueError:  # longer than the limit; asyncio has dropped it
                line = b"(too long)\n"
            if not line:
                return None
            event = _event(line)
            if event is not None:
                return event
            _log.warning("The speech worker wrote a line that is not an event: %.100r", line)

    async def stop(self, grace: float = 0.0) -> int:
        """End the whole process group: SIGTERM, `grace` seconds, SIGKILL. Return the exit status."""
        # asyncio reports the end of a process only after its pipes close. So its output must be read until then, for
        # a limited time, since a stray grandchild may keep a pipe open.
        drained = asyncio.create_task(self._drain())
        if grace > 0:
            self._signal(signal.SIGTERM)
            await _within(grace, self._process.wait())
        self._signal(signal.SIGKILL)
        await _within(_KILL_SECONDS, self._process.wait())
        status = self._process.returncode
        self._requests.close()
        await _within(_KILL_SECONDS, drained)
        await _within(_KILL_SECONDS, self._relay)
        return -signal.SIGKILL if status is None else status

    async def _drain(self) -> None:
        """Read and discard the remaining output."""
        while await self._events.read(_LINE_LIMIT):
            pass

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def is_running(process_id: int) -> bool:
    """Return whether a process of this machine is running, under any user."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


async def _within(seconds: float, work: Awaitable[object]) -> None:
    """Await `work`, and cancel it after `seconds`."""
    # Python 3.11's wait_for loses a cancellation that arrives at the moment when the work is done
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work


def _event(line: bytes) -> Event | None:
    try:
        message = protocol.decode(line.decode())
    except (InvalidInput, UnicodeDecodeError):
        return None
    return None if isinstance(message, Request | Query | Cancel) else message


async def _relay(stderr: asyncio.StreamReader, log_line: LogLine) -> None:
    """Forward each line to `log_line`. The lines of the worker's own logging begin with a level."""
    rest = ""
    while chunk := await stderr.read(1 << 16):
        *lines, rest = (rest + chunk.decode(errors="replace")).replace("\r", "\n").split("\n")
        rest = rest[-_LINE_LIMIT:]
        for line in filter(str.strip, lines):
            log_line(*_level_and_text(line))
    if rest.strip():
        log_line(*_level_and_text(rest))


def _level_and_text(line: str) -> tuple[int, str]:
    first, _, text = line.partition(" ")
    return (_LEVELS[first], text) if first in _LEVELS and text else (logging.INFO, line)
