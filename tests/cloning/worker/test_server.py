"""The worker's loop with jobs that need no model, alone and under its real supervisor."""

import asyncio
import errno
import io
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import torch

from cloning.atomic_files import write_atomically
from cloning.bark.config import read_json
from cloning.checkpoints.weights import load_state, weight_file
from cloning.methods import quantizer_network
from cloning.progress import ProgressReporter
from cloning.worker import protocol
from cloning.worker import server as worker
from cloning.worker.executor import SubprocessExecutor
from cloning.worker.protocol import (
    Cancel,
    Cloned,
    DeviceFailed,
    Event,
    Failed,
    Heartbeat,
    Lost,
    Progress,
    Query,
    Request,
    SpeakRequest,
    Spoken,
)
from errors import InvalidInput, Unavailable
from tests.cloning.worker.conftest import next_end

# The real main() with a runner whose behaviour is the text of the request.
PROGRAM = """
import itertools, os, sys, time
from cloning.worker import server
from cloning.worker.protocol import DeviceFailed
from cloning.prompt import BARK
from cloning.worker.protocol import Ready, Spoken
from errors import InvalidInput, Unavailable

def run(request, reporter, emit):
    print("a library prints something")
    os.write(1, b"and so does C code\\n")
    if request.text == "slow":
        for step in itertools.count(1):
            reporter.report("talking", 1 - 1 / step)
            time.sleep(0.02)
    if request.text == "bad":
        raise InvalidInput("This is no text.")
    if request.text == "bug":
        raise ZeroDivisionError("secret")
    if request.text == "memory":
        raise MemoryError
    if request.text == "device":
        raise DeviceFailed
    reporter.report("talking", 1.0)
    return Spoken(request.job_id, 1.5, 3, 1)

def load(configuration):
    if configuration:
        raise Unavailable("The model is missing.")
    return Ready("m", "h", "cpu", (), BARK), run

server._load = load
server.BEAT_SECONDS = 0.05
server.main(sys.argv[1:])
"""
ROOT = Path(__file__).resolve().parents[3]
HANGS = 60.0
"""Seconds after which something that must end counts as hung."""


def speak(text: str, job_id: str = "a") -> SpeakRequest:
    return SpeakRequest(job_id, text, Path("out"))


@pytest.fixture
async def executor() -> AsyncIterator[SubprocessExecutor]:
    made = SubprocessExecutor([sys.executable, "-c", PROGRAM, "{}"], job_timeout=30, heartbeat_timeout=10, capacity=8)
    yield made
    await made.close()


async def test_prints_do_not_reach_the_protocol(executor: SubprocessExecutor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cloning.worker")
    await executor.submit(speak("hello"))
    assert await next_end(executor) == Spoken("a", 1.5, 3, 1)
    await executor.close()
    assert "a library prints something" in caplog.text
    assert "and so does C code" in caplog.text
    assert "is not an event" not in caplog.text


async def test_errors_become_sentences_or_references(
    executor: SubprocessExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    await executor.submit(speak("bad"))
    assert await next_end(executor) == Failed("a", "InvalidInput", "This is no text.")
    await executor.submit(speak("memory"))
    memory = await next_end(executor)
    assert isinstance(memory, Failed)
    assert (memory.kind, "memory" in memory.message) == ("Unavailable", True)
    await executor.submit(speak("bug"))
    unknown = await next_end(executor)
    assert isinstance(unknown, Failed)
    assert unknown.kind == "Unknown"
    assert "secret" not in unknown.message
    await executor.submit(speak("device"))
    assert isinstance(await next_end(executor), Lost)
    assert unknown.message in caplog.text
    assert "ZeroDivisionError: secret" in caplog.text
    assert {record.levelname for record in caplog.records if "secret" in record.getMessage()} == {"ERROR"}


async def test_cancelling_in_mid_job(executor: SubprocessExecutor) -> None:
    await executor.submit(speak("slow"))
    awaited = {Progress, Heartbeat}
    async for event in executor.events():
        awaited.discard(type(event))
        if not awaited:
            break
    await executor.cancel("a")
    assert await next_end(executor) == Failed("a", "Cancelled", "The job was cancelled.")


async def test_jobs_are_done_together_and_cancelled_one_by_one(executor: SubprocessExecutor) -> None:
    for name in "abcdefgh":
        await executor.submit(speak("slow" if name != "h" else "hello", name))
    assert await next_end(executor) == Spoken("h", 1.5, 3, 1)
    for name in "gfedcb":
        await executor.cancel(name)
        assert await next_end(executor) == Failed(name, "Cancelled", "The job was cancelled.")
    await executor.submit(speak("device", "i"))
    ends = [await next_end(executor), await next_end(executor)]
    assert {(type(event), event.job_id) for event in ends if isinstance(event, Lost)} == {(Lost, "a"), (Lost, "i")}


async def test_a_killed_worker_is_replaced(executor: SubprocessExecutor) -> None:
    await executor.submit(speak("slow"))
    async for event in executor.events():
        if isinstance(event, Progress):
            break
    process = executor._worker
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert isinstance(await next_end(executor), Lost)
    await executor.submit(speak("hello", "b"))
    assert await next_end(executor) == Spoken("b", 1.5, 3, 1)


async def test_closing_in_mid_job(executor: SubprocessExecutor) -> None:
    await executor.submit(speak("slow"))
    async for event in executor.events():
        if isinstance(event, Progress):
            break
    await executor.close()
    assert [event.job_id async for event in executor.events() if isinstance(event, Lost)] == ["a"]


async def test_models_that_are_missing_are_told(tmp_path: Path) -> None:
    executor = SubprocessExecutor([sys.executable, "-c", PROGRAM, '{"broken": 1}'], job_timeout=30)
    await executor.submit(speak("hello"))
    while executor.health().error is None:  # noqa: ASYNC110  # a start that fails gives no event to wait for
        await asyncio.sleep(0.01)
    assert executor.health().error == "The model is missing."
    await executor.close()
    assert isinstance(await next_end(executor), Lost)


async def test_the_worker_does_not_outlive_its_parent() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "{}", cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(protocol.encode(speak("slow")).encode() + b"\n")
    while b"Progress" not in await process.stdout.readline():
        pass
    process.stdin.close()
    assert await asyncio.wait_for(process.communicate(), HANGS)
    assert process.returncode is not None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process of its parent's end")
def test_a_suspended_worker_does_not_outlive_a_killed_bot() -> None:
    bot = f"""
import subprocess, sys, time
worker = subprocess.Popen(
    [sys.executable, "-c", {PROGRAM!r}, "{{}}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
)
worker.stdout.readline()
print(worker.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", bot], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker_id = int(parent.stdout.readline())
        handle = os.pidfd_open(worker_id)  # readable when the process ends
        os.kill(worker_id, signal.SIGSTOP)
        parent.kill()
    ended, _, _ = select.select([handle], [], [], HANGS)
    os.close(handle)
    if not ended:
        os.killpg(worker_id, signal.SIGKILL)
    assert ended, "the worker outlives the bot"


def test_a_job_that_is_taken_up_is_told_before_it_is_worked_on() -> None:
    events: list[Event] = []

    def run(request: Request | Query, reporter: ProgressReporter, emit: worker.Emit) -> Cloned | Spoken:
        events.append(Spoken("work", 0.0, 0, 0))
        return Spoken(request.job_id, 1.0, 1, 1)

    worker._run_in_thread(
        worker.RequestReader(io.BytesIO(), lambda: None), events.append, run, speak("hello"), threading.Event()
    )
    assert events[0] == Progress("a", worker.STARTING, 0.0)


def test_progress_is_throttled_but_every_stage_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(worker, "monotonic", lambda: now)
    events: list[Event] = []
    report = worker.throttled_progress("a", events.append)
    for step in range(200):
        report("first", step / 200)
    report("second", 0.0)
    assert [event.stage for event in events if isinstance(event, Progress)] == ["first", "second"]
    now += worker.PROGRESS_SECONDS
    report("second", 0.12345)
    assert events[-1] == Progress("a", "second", 0.123)


def test_the_inbox_skips_garbage_and_ends_with_the_stream() -> None:
    lines = [b"\xff", b"not json", protocol.encode(speak("x")).encode(), b"[]", protocol.encode(Cancel("a")).encode()]
    lines.append(protocol.encode(Cancel("nobody")).encode())
    ended = threading.Event()
    reader = worker.RequestReader(io.BytesIO(b"\n".join(lines)), ended.set)
    reader.read()
    request, cancelled = reader.next()
    assert request == speak("x")
    assert cancelled.is_set()
    assert ended.is_set()
    reader.done("a")


def test_a_device_error_is_not_swallowed() -> None:
    def run(request: Request | Query, reporter: ProgressReporter, emit: worker.Emit) -> Cloned | Spoken:
        raise DeviceFailed

    with pytest.raises(DeviceFailed):
        worker.run_job(speak("x"), ProgressReporter(), print, run)


def test_a_kind_that_no_reader_knows_becomes_the_general_one() -> None:
    class Special(InvalidInput):
        pass

    def run(request: Request | Query, reporter: ProgressReporter, emit: worker.Emit) -> Cloned | Spoken:
        raise Special("Odd.")

    assert worker.run_job(speak("x"), ProgressReporter(), print, run) == Failed("a", "BarkeepError", "Odd.")


@pytest.mark.parametrize(
    "load",
    [
        load_state,
        read_json,
        lambda path: quantizer_network.load(path, torch.device("cpu")),
        lambda path: weight_file(path.parent),
    ],
)
def test_a_member_reads_no_path_of_a_model_file_and_the_log_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, load: Callable[[Path], object]
) -> None:
    def run(*_: object) -> Spoken:
        load(tmp_path / "quantizer.pth")
        raise AssertionError("there is no such file")

    failed = worker.run_job(speak("x"), ProgressReporter(), print, run)
    assert failed == Failed("a", "Unavailable", worker.MODEL_UNAVAILABLE)
    assert str(tmp_path) not in worker.MODEL_UNAVAILABLE
    assert str(tmp_path) in caplog.text


def test_a_member_is_not_asked_to_free_the_disk_and_the_log_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def run(*_: object) -> Spoken:
        write_atomically(tmp_path / "speech.ogg", b"sound")
        raise AssertionError("the disk is full")

    monkeypatch.setattr(Path, "write_bytes", full)
    failed = worker.run_job(speak("x"), ProgressReporter(), print, run)
    assert failed == Failed("a", "Unavailable", worker.NOT_SAVED)
    assert "speech.ogg" in caplog.text
    assert os.strerror(errno.ENOSPC) in caplog.text


def test_a_worker_without_a_folder_for_temporary_files_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("cloning.atomic_files.tempfile.gettempdir", nowhere)
    with pytest.raises(Unavailable, match="TMPDIR"):
        worker._load({})
