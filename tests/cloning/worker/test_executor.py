"""The supervisor against a worker of a few lines that misbehaves on request."""

import asyncio
import logging
import os
import signal
import sys
from math import inf
from pathlib import Path

import pytest

from cloning.prompt import BARK
from cloning.worker import executor as executor_module
from cloning.worker.executor import SubprocessExecutor
from cloning.worker.process import WorkerProcess
from cloning.worker.protocol import (
    Event,
    Failed,
    Heartbeat,
    Lost,
    Nodes,
    PartSpoken,
    Progress,
    Ready,
    Spoken,
)
from errors import Unavailable
from tests.cloning.worker.conftest import HANGS, Make, begun, next_end, pids, speak


async def test_parts_are_passed_on(make: Make) -> None:
    executor = make()
    await executor.submit(speak("j", "parts"))
    events = []
    async for event in executor.events():
        events.append(event)
        if isinstance(event, Spoken):
            break
    assert events[-2:] == [PartSpoken("j", 0, 2, 0.5), Spoken("j", 1.0, 7, 1)]


async def test_a_job_runs_and_reports(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    executor = make()
    assert executor.capacity == 1
    assert not executor.health().alive
    with caplog.at_level(logging.INFO, "cloning.worker"):
        await executor.submit(speak("a"))
        seen = []
        async for event in executor.events():
            seen.append(event)
            if isinstance(event, Spoken):
                break
        await executor.close()
    assert Ready("m", "h", "cpu", ("v2/en_speaker_1",), BARK) in seen
    assert Progress("a", "semantic", 0.5) in seen
    assert seen[-1] == Spoken("a", 1.0, 7, 1)
    assert [(record.levelno, record.getMessage()) for record in caplog.records if "about" in record.getMessage()] == [
        (logging.WARNING, "about a")
    ]


async def test_jobs_run_one_after_the_other_in_order(make: Make) -> None:
    executor = make()
    for name in "abc":
        await executor.submit(speak(name))
    assert [(await next_end(executor)).job_id for _ in "abc"] == ["a", "b", "c"]  # type: ignore[union-attr]  # all Spoken


async def test_a_killed_worker_loses_its_job_only_and_is_replaced(make: Make, tmp_path: Path) -> None:
    executor = make()
    await executor.submit(speak("a", "die"))
    await executor.submit(speak("b"))
    lost = await next_end(executor)
    assert isinstance(lost, Lost)
    assert lost.job_id == "a"
    assert "memory" in lost.reason
    assert await next_end(executor) == Spoken("b", 1.0, 7, 1)
    assert len(pids(tmp_path)) == 2
    assert executor.health().restarts == 1


async def test_a_worker_killed_from_outside_while_idle_comes_back_for_the_next_job(make: Make, tmp_path: Path) -> None:
    executor = make()
    await executor.submit(speak("a"))
    await next_end(executor)
    os.kill(pids(tmp_path)[0], signal.SIGKILL)
    while executor.health().alive:  # noqa: ASYNC110  # the death of a process gives no event to wait for
        await asyncio.sleep(0.01)
    await executor.submit(speak("b"))
    assert await next_end(executor) == Spoken("b", 1.0, 7, 1)


async def test_silence_is_a_hang(make: Make) -> None:
    executor = make(heartbeat_timeout=0.5)
    await executor.submit(speak("a", "silent"))
    lost = await next_end(executor)
    assert isinstance(lost, Lost)
    assert "stopped answering" in lost.reason


class ExecutorClock:
    """The executor's clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ExecutorClock:
    clock = ExecutorClock()
    monkeypatch.setattr(executor_module, "monotonic", clock)
    return clock


async def test_a_job_without_progress_is_lost_though_the_heart_beats(make: Make, clock: ExecutorClock) -> None:
    executor = make(job_timeout=30, heartbeat_timeout=1000)
    await executor.submit(speak("a", "wait"))
    await begun(executor)
    clock.now += 31
    lost = await next_end(executor)
    assert isinstance(lost, Lost)
    assert "no progress for 30 seconds" in lost.reason


async def test_a_job_with_progress_may_take_its_time(make: Make, clock: ExecutorClock) -> None:
    executor = make(job_timeout=30, heartbeat_timeout=1000)
    await executor.submit(speak("a", "wait"))
    await begun(executor)
    for _ in range(5):
        clock.now += 20
        await executor.check(Path("step"))  # the worker reports progress of the job before it answers
    await executor.cancel("a")
    assert await next_end(executor) == Failed("a", "Cancelled", "stopped")


async def test_garbage_on_the_pipe_is_skipped(make: Make) -> None:
    executor = make()
    await executor.submit(speak("a", "garbage"))
    assert await next_end(executor) == Spoken("a", 1.0, 7, 1)


async def test_close_in_the_middle_of_a_flood(make: Make) -> None:
    executor = make()
    await executor.submit(speak("a", "flood"))
    await begun(executor)
    async with asyncio.timeout(HANGS):
        await executor.close()


@pytest.mark.parametrize("turns", range(5))
async def test_it_closes_in_the_very_moment_of_an_event(
    make: Make, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    executor = make()
    await executor.start()
    async for event in executor.events():
        assert isinstance(event, Ready)
        break
    asked: asyncio.Queue[asyncio.Future[Event]] = asyncio.Queue()

    async def receive(_: WorkerProcess) -> Event:
        answer: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        asked.put_nowait(answer)
        return await answer

    monkeypatch.setattr(WorkerProcess, "receive", receive)
    (await asked.get()).set_result(Heartbeat())
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(HANGS):
        await executor.close()


async def test_cancelling_a_running_and_a_waiting_job(make: Make) -> None:
    executor = make()
    await executor.submit(speak("a", "wait"))
    await executor.submit(speak("b"))
    await executor.cancel("b")
    await executor.cancel("nobody")
    waiting = await next_end(executor)
    assert waiting == Failed("b", "Cancelled", "The job was cancelled.")
    await begun(executor)
    await executor.cancel("a")
    assert await next_end(executor) == Failed("a", "Cancelled", "stopped")


async def test_a_job_that_hangs_while_it_is_cancelled_counts_as_cancelled(make: Make) -> None:
    executor = make(heartbeat_timeout=0.5)
    await executor.submit(speak("a", "silent"))
    await begun(executor)
    await executor.cancel("a")
    assert await next_end(executor) == Failed("a", "Cancelled", "The job was cancelled.")


async def start_error(executor: SubprocessExecutor) -> str:
    """Why the worker does not start, once it is known."""
    async with asyncio.timeout(HANGS):
        while (error := executor.health().error) is None:  # noqa: ASYNC110  # a failed start gives no event to wait for
            await asyncio.sleep(0.01)
    return error


async def test_a_worker_that_starts_late_loses_nothing_that_waits(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "_FIRST_PAUSE", 0.01)
    executor = make("5")
    for name in "abc":
        await executor.submit(speak(name))
    assert await start_error(executor) == "The speech worker does not start; the log above has the reason."
    assert [await next_end(executor) for _ in "abc"] == [Spoken(name, 1.0, 7, 1) for name in "abc"]
    assert len(pids(tmp_path)) == 6
    assert executor.health().error is None


async def test_a_worker_that_explains_itself_says_it_to_the_owner(make: Make) -> None:
    executor = make("explain")
    await executor.submit(speak("a"))
    assert await start_error(executor) == "The model is not there."
    await executor.cancel("a")
    assert await next_end(executor) == Failed("a", "Cancelled", "The job was cancelled.")


async def test_a_command_that_is_not_there_is_a_error_and_no_end() -> None:
    executor = SubprocessExecutor(["/no/such/program"], job_timeout=1.0)
    await executor.submit(speak("a"))
    assert await start_error(executor) == "The speech worker does not start; the log above has the reason."
    await executor.close()
    assert isinstance(await next_end(executor), Lost)


async def test_close_in_the_middle_of_a_stubborn_job(make: Make, tmp_path: Path) -> None:
    executor = make()
    await executor.submit(speak("a", "stubborn"))
    await executor.submit(speak("b"))
    await begun(executor)
    await executor.close()
    rest = [event async for event in executor.events() if isinstance(event, Lost)]
    assert [event.job_id for event in rest] == ["a", "b"]
    with pytest.raises(ProcessLookupError):
        os.kill(pids(tmp_path)[0], 0)
    with pytest.raises(Unavailable):
        await executor.submit(speak("c"))
    assert len(asyncio.all_tasks()) == 1


async def test_start_loads_without_work(make: Make) -> None:
    executor = make()
    await executor.start()
    async for event in executor.events():
        assert isinstance(event, Ready)
        break
    assert executor.health().alive
    assert executor.health().ready is not None


async def test_a_worker_that_passes_jobs_on_says_how_many_it_takes_and_may_lose_one(make: Make, tmp_path: Path) -> None:
    relay = """
import json, sys
def say(type, **body):
    print(json.dumps({"type": type, **body}), flush=True)
def nodes(*capacities):
    say("Nodes", nodes=[dict(name="n", address="", state="ready", capacity=c, running=0) for c in capacities])
nodes(2, 1)
say("Ready", model="m", hubert="h", device="cpu", speakers=[], prompt_spec={})
held = []
for line in sys.stdin:
    held.append(json.loads(line)["job_id"])
    if len(held) == 3:
        say("Lost", job_id=held[0], reason="The speech node n does not answer.")
        say("Spoken", job_id=held[1], seconds=1.0, seed=7, sentences=1)
    if len(held) == 5:
        nodes()
        say("Failed", job_id="", kind="Unavailable", message="No speech node is in the cluster.")
"""
    script = tmp_path / "relay.py"
    await asyncio.to_thread(script.write_text, relay)
    executor = SubprocessExecutor(
        [sys.executable, "-I", "-S", str(script)], job_timeout=inf, capacity=8, passes_on=True
    )
    assert executor.capacity == 8
    for name in "abcde":  # all of them would have to be alone, which is the relay's business
        await executor.submit(speak(name, alone=True))
    events: list[Event] = []
    async for event in executor.events():
        events.append(event)
        if isinstance(event, Ready):
            assert (executor.capacity, len(executor.health().nodes)) == (3, 2)
        if executor.health().nodes == () and isinstance(event, Nodes):
            break
    assert Lost("a", "The speech node n does not answer.") in events
    assert [event.job_id for event in events if isinstance(event, Spoken)] == ["b"]
    while executor.health().error is None:  # noqa: ASYNC110  # no event says so
        await asyncio.sleep(0.01)
    assert executor.health().ready is None
    assert executor.capacity == 8
    await executor.close()
    assert {event.job_id async for event in executor.events() if isinstance(event, Lost)} == {"c", "d", "e"}


async def test_a_relay_that_ends_loses_its_checks_without_a_suspicion(tmp_path: Path) -> None:
    relay = """
import json, sys
ready = dict(type="Ready", model="m", hubert="h", device="cpu", speakers=[], prompt_spec={})
print(json.dumps(ready), flush=True)
sys.stdin.readline()
"""
    script = tmp_path / "relay.py"
    await asyncio.to_thread(script.write_text, relay)
    executor = SubprocessExecutor([sys.executable, "-I", "-S", str(script)], job_timeout=inf, passes_on=True)
    with pytest.raises(Unavailable, match="Try again in a minute"):
        await executor.check(Path("a.ogg"))
    await executor.close()
