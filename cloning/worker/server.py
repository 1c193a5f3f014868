"""The speech worker: a child process of the bot, started with `executor.worker_command`.

Reads requests as lines from stdin and writes events as lines to the original stdout (`cloning.worker.protocol`); all
other output goes to stderr. Sends heartbeats from a separate thread, from the start. Ends when stdin ends, even during
a job, so that it does not outlive the bot.

Exit status: 1 for an error of the program or the device, 3 if the models could not be loaded (an event says why).
"""

import ctypes
import json
import logging
import os
import queue
import secrets
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, BinaryIO, NoReturn, Protocol

from cloning.atomic_files import NotSaved, require_temporary_folder
from cloning.progress import ProgressReporter
from cloning.threads import in_own_thread, limit_spinning
from cloning.worker import protocol
from cloning.worker.protocol import (
    Cancel,
    Checked,
    Cloned,
    DeviceFailed,
    Event,
    Failed,
    Heartbeat,
    Listened,
    Progress,
    Query,
    Ready,
    Request,
    Spoken,
)
from errors import KINDS, BarkeepError, InvalidInput, ModelUnavailable, Unavailable

BEAT_SECONDS = 2.0
PROGRESS_SECONDS = 1.0
"""The seconds between two progress events of a stage. The bot shows progress every three seconds at most."""
LOAD_FAILED = 3
STARTING = "starting"
"""The stage of a job when this process starts it."""

MODEL_UNAVAILABLE = (
    "A speech model that this needs could not be loaded. The person who runs Barkeep finds the reason in its log. "
    "Please try again later, or in another language or voice."
)
"""The sentence for members, without the names of files."""
NOT_SAVED = (
    "The result could not be saved: a disk of Barkeep is full or cannot be written. Please try again later, or tell "
    "the person who runs Barkeep."
)
"""The sentence for members, who cannot free space on Barkeep's disk."""

_PR_SET_PDEATHSIG = 1
"""From <sys/prctl.h>."""

_log = logging.getLogger("cloning.worker")

Emit = Callable[[Event], None]


class JobRunner(Protocol):
    """Runs one job and returns its last event. Called by several threads at once."""

    def __call__(
        self, request: Request | Query, reporter: ProgressReporter, emit: Emit, /
    ) -> Cloned | Spoken | Checked | Listened:
        """Run `request`; `emit` gets the earlier events. Raises BarkeepError with a message for members."""


class EventWriter:
    """Writes events as lines, from any thread. The process ends when the reader has closed the stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Write one line and flush it."""
        line = protocol.encode(event).encode() + b"\n"
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except OSError:
                end_process_group()


class RequestReader:
    """Requests and cancellations from a stream, read by a separate thread."""

    def __init__(self, stream: BinaryIO, on_end: Callable[[], None]) -> None:
        self._stream = stream
        self._on_end = on_end
        self._requests: queue.SimpleQueue[tuple[Request | Query, threading.Event] | DeviceFailed] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._cancelled: dict[str, threading.Event] = {}

    def read(self) -> None:
        """Read to the end of the stream, then call `on_end`."""
        for line in self._stream:
            try:
                message = protocol.decode(line.decode())
            except (InvalidInput, UnicodeDecodeError):
                _log.warning("a line of the bot could not be read: %.100r", line)
                continue
            if isinstance(message, Request | Query):
                cancelled = threading.Event()
                with self._lock:
                    self._cancelled[message.job_id] = cancelled
                self._requests.put((message, cancelled))
            elif isinstance(message, Cancel):
                with self._lock:
                    event = self._cancelled.get(message.job_id)
                if event is not None:
                    event.set()
        self._on_end()

    def next(self) -> tuple[Request | Query, threading.Event]:
        """Wait for a request; the event is set when its job is cancelled. Raises DeviceFailed after `fail`."""
        request = self._requests.get()
        if isinstance(request, DeviceFailed):
            raise request
        return request

    def fail(self, error: DeviceFailed) -> None:
        """Make `next` raise `error`."""
        self._requests.put(error)

    def done(self, job_id: str) -> None:
        """Forget a job."""
        with self._lock:
            self._cancelled.pop(job_id, None)


def end_process_group() -> None:
    """End this process at once. If it leads its process group, as when the executor starts it, end its children too."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(0)


def start_heartbeat(emit: Emit) -> None:
    """Emit heartbeats forever, in a thread."""

    def run() -> None:
        pause = threading.Event()
        while not pause.wait(BEAT_SECONDS):
            emit(Heartbeat())

    threading.Thread(target=run, name="heartbeat", daemon=True).start()


def serve(reader: RequestReader, emit: Emit, run: JobRunner) -> None:
    """Run jobs forever, each in its own thread: the bot limits how many it sends at once.

    Raises DeviceFailed.
    """
    while True:
        request, cancelled = reader.next()
        job = (reader, emit, run, request, cancelled)
        threading.Thread(target=_run_in_thread, args=job, name=request.job_id, daemon=True).start()


def _run_in_thread(
    reader: RequestReader, emit: Emit, run: JobRunner, request: Request | Query, cancelled: threading.Event
) -> None:
    emit(Progress(request.job_id, STARTING, 0.0))  # From here on, the bot counts a crash as an attempt of this job.
    try:
        event = run_job(request, ProgressReporter(throttled_progress(request.job_id, emit), cancelled), emit, run)
    except DeviceFailed as error:
        reader.fail(error)
        return
    reader.done(request.job_id)  # before the event: the bot may send the same job again as soon as it reads it
    emit(event)


def run_job(
    request: Request | Query, reporter: ProgressReporter, emit: Emit, run: JobRunner
) -> Cloned | Spoken | Checked | Listened | Failed:
    """Run a job and turn its result or error into its last event. Raises DeviceFailed."""
    try:
        return run(request, reporter, emit)
    except DeviceFailed:
        raise
    except ModelUnavailable as error:
        _log.error("job %s: %s", request.job_id, error.message)
        return Failed(request.job_id, Unavailable.__name__, MODEL_UNAVAILABLE)
    except NotSaved as error:
        _log.error("job %s: %s (%s)", request.job_id, error.message, error.__cause__)
        return Failed(request.job_id, Unavailable.__name__, NOT_SAVED)
    except BarkeepError as error:
        kind = type(error).__name__
        return Failed(request.job_id, kind if kind in KINDS else BarkeepError.__name__, error.message)
    except MemoryError:
        _log.exception("out of memory in job %s", request.job_id)
        return Failed(
            request.job_id,
            Unavailable.__name__,
            "The machine does not have enough memory for this. Try a shorter text or clip, or ask the owner for a "
            "smaller model.",
        )
    except Exception:
        reference = secrets.token_hex(4)
        _log.exception("job %s failed, reference %s", request.job_id, reference)
        return Failed(request.job_id, "Unknown", reference)


def throttled_progress(job_id: str, emit: Emit) -> Callable[[str, float], None]:
    """Return a progress callback that emits every change of stage, and otherwise one event per PROGRESS_SECONDS."""
    last_stage, last_time = "", -PROGRESS_SECONDS

    def report(stage: str, fraction: float) -> None:
        nonlocal last_stage, last_time
        if stage != last_stage or monotonic() - last_time >= PROGRESS_SECONDS:
            last_stage, last_time = stage, monotonic()
            emit(Progress(job_id, stage, round(fraction, 3)))

    return report


def main(arguments: list[str]) -> NoReturn:
    """Load the models of a configuration, which is the first argument as JSON, and serve until stdin ends."""
    log_to_stderr()
    die_with_parent()
    try:
        status = _serve_configuration(json.loads(arguments[0]))
    except Exception:
        _log.exception("the worker failed")
        status = 1
    logging.shutdown()
    os._exit(status)  # a normal exit would abort: a thread is still reading stdin


def _serve_configuration(configuration: dict[str, Any]) -> int:
    writer = EventWriter(private_stdout())
    start_heartbeat(writer.emit)
    reader = RequestReader(sys.stdin.buffer, end_process_group)
    threading.Thread(target=reader.read, name="requests", daemon=True).start()
    try:
        ready, run = _load(configuration)
    except BarkeepError as error:
        _log.error("%s", error.message)
        writer.emit(Failed("", type(error).__name__, error.message))
        return LOAD_FAILED
    writer.emit(ready)
    try:
        serve(reader, writer.emit, run)
    except DeviceFailed:
        _log.exception("the device failed; this worker ends so that another can start")
    return 1


def die_with_parent() -> None:
    """On Linux: let the kernel kill this process when the bot ends: a suspended process does not notice stdin's end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _LevelOnEveryLine(logging.Formatter):
    """Starts every line of a record, such as a traceback, with its level, as the reader expects."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", f"\n{record.levelname} ")


def log_to_stderr() -> None:
    """Log to stderr; every line begins with its level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LevelOnEveryLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def private_stdout() -> BinaryIO:
    """Return a private copy of stdout for events. Later output to stdout, even of C libraries, goes to stderr."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr  # which is not block-buffered
    return events


def _load(configuration: dict[str, Any]) -> tuple[Ready, JobRunner]:
    """Load every model, so that the first job is as fast as the later ones."""
    limit_spinning()
    require_temporary_folder()
    from cloning.worker import jobs  # torch takes seconds to import; heartbeats have begun by now

    pipeline = in_own_thread(partial(jobs.load, configuration))
    return jobs.ready(pipeline), partial(
        jobs.run, pipeline, takes=configuration["takes"], normalise=configuration["normalise"]
    )
