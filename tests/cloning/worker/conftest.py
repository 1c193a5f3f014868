"""A worker of a few lines that misbehaves on request, and its supervisor."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cloning.worker.executor import SubprocessExecutor
from cloning.worker.protocol import (
    Event,
    Heartbeat,
    Progress,
    Ready,
    SpeakRequest,
)

WORKER = """
import json, os, signal, sys, threading, time

speaking = threading.Lock()  # print writes a line and its end apart: two threads at once make one line of two

def say(type, **body):
    with speaking:
        print(json.dumps({"type": type, **body}), flush=True)

def beat():
    while beating.is_set():
        say("Heartbeat")
        time.sleep(0.05)

beating = threading.Event()
beating.set()
threading.Thread(target=beat, daemon=True).start()
starts = sys.argv[1]
with open(starts, "a") as log:
    log.write(f"{os.getpid()}\\n")
if len(sys.argv) > 2 and sys.argv[2] == "explain":
    say("Failed", job_id="", kind="Unavailable", message="The model is not there.")
if len(sys.argv) > 2 and not (sys.argv[2].isdigit() and len(open(starts).readlines()) > int(sys.argv[2])):
    sys.exit(3)
say("Ready", model="m", hubert="h", device="cpu", speakers=["v2/en_speaker_1"], prompt_spec={})
for line in sys.stdin:
    body = json.loads(line)
    job, text = body["job_id"], body.get("text", "")
    if body["type"] == "CheckRequest":
        source = body["source"]
        print("check", source, file=sys.stderr, flush=True)
        if source == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if source in ("bad", "bug"):
            kind = "InvalidInput" if source == "bad" else "Unknown"
            say("Failed", job_id=job, kind=kind, message="no sound")
        if source == "step":
            say("Progress", job_id="a", stage="semantic", fraction=0.6)
        again = len(open(starts).readlines()) > 1
        if source in ("fine", "step") or (source == "later" and again):
            finding = dict(verdict="marked", confidence=0.9, spans=[[0.0, 2.0]], seconds=2.0, total_seconds=3.0)
            say("Checked", job_id=job, finding=finding)
        continue
    if body["type"] == "ListenRequest":
        heard = dict(text=body["sentence"], words=5, of=5, statement=1.0, length=1.0)
        heard |= dict(likeness=0.9, weakest=0.8, is_generated=False)
        say("Listened", job_id=job, heard=heard)
        continue
    if body["type"] == "Cancel":
        say("Failed", job_id=job, kind="Cancelled", message="stopped")
        continue
    print("WARNING about", job, file=sys.stderr, flush=True)
    say("Progress", job_id=job, stage="semantic", fraction=0.5)
    if text == "parts":
        say("PartSpoken", job_id=job, number=0, of=2, seconds=0.5)
    if text == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "exit":
        sys.exit(1)
    if text == "silent":
        beating.clear()
        time.sleep(60)
    if text == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    if text == "flood":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # goes on until the pipe is full
    while text == "flood":
        print("x" * 10_000)
    if text == "garbage":
        print("not json", "{", "[1]", '{"type": "Lost"}', "x" * 2_000_000, sep="\\n", flush=True)
        sys.stdout.buffer.write(b"\\xff\\xfe\\n")
        say("PartSpoken", job_id="somebody else's", number=0, of=2, seconds=0.5)
        say("Spoken", job_id="somebody else's", seconds=1.0, seed=1, sentences=1)
    if text != "wait":
        say("Spoken", job_id=job, seconds=1.0, seed=7, sentences=1)
"""
HANGS = 60.0
"""Seconds after which something that must end counts as hung."""
Make = Callable[..., SubprocessExecutor]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    made: list[SubprocessExecutor] = []

    def _make(*arguments: str, job_timeout: float = 30.0, heartbeat_timeout: float = 20.0) -> SubprocessExecutor:
        command = [sys.executable, "-I", "-S", str(script), str(tmp_path / "starts"), *arguments]
        made.append(SubprocessExecutor(command, job_timeout=job_timeout, heartbeat_timeout=heartbeat_timeout))
        return made[-1]

    yield _make
    for executor in made:
        await executor.close()


def speak(job_id: str, text: str = "hello", *, alone: bool = False) -> SpeakRequest:
    return SpeakRequest(job_id, text, Path("out"), alone=alone)


def pids(tmp_path: Path) -> list[int]:
    return [int(line) for line in (tmp_path / "starts").read_text().split()]


async def begun(executor: SubprocessExecutor) -> None:
    """Wait until the worker reports progress of a job."""
    async for event in executor.events():
        if isinstance(event, Progress):
            return
    raise AssertionError("The events ended.")


async def next_end(executor: SubprocessExecutor) -> Event:
    async for event in executor.events():
        if not isinstance(event, Ready | Heartbeat | Progress):
            return event
    raise AssertionError("The events ended.")
