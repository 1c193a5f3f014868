"""Checks of recordings and of spoken consent: they go to the worker beside the jobs."""

import asyncio
import logging
import os
import signal
from pathlib import Path

import pytest

from cloning.watermark.finding import Finding
from cloning.worker import executor as executor_module
from cloning.worker.protocol import (
    Checked,
    Failed,
    Heartbeat,
    Lost,
    Spoken,
)
from errors import InvalidInput, Unavailable
from tests.cloning.worker.conftest import Make, begun, next_end, pids, speak

FOUND = Finding("marked", 0.9, ((0.0, 2.0),), 2.0, 3.0)


async def test_a_check_is_answered_while_jobs_wait_and_is_no_event(make: Make) -> None:
    executor = make()
    for name in "abc":
        await executor.submit(speak(name, "wait"))
    assert await executor.check(Path("fine")) == Finding("marked", 0.9, ((0.0, 2.0),), 2.0, 3.0)
    with pytest.raises(InvalidInput, match="no sound"):
        await executor.check(Path("bad"))
    with pytest.raises(Unavailable, match="tell the owner: no sound"):
        await executor.check(Path("bug"))
    await executor.close()
    events = [event async for event in executor.events()]
    assert [event.job_id for event in events if isinstance(event, Failed | Checked)] == []
    assert {event.job_id for event in events if isinstance(event, Lost)} == {"a", "b", "c"}


async def test_a_spoken_consent_is_listened_to_beside_the_jobs(make: Make) -> None:
    executor = make()
    heard = await executor.listen(Path("clip"), Path("answer"), "I agree: so.")
    assert (heard.text, heard.counts) == ("I agree: so.", True)


async def test_nothing_is_listened_to_without_the_recogniser(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = make()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert executor.consent_languages == ()
    with pytest.raises(Unavailable, match="make consent"):
        await executor.listen(Path("clip"), Path("answer"), "I agree: so.")
    assert not executor.health().alive


async def test_a_check_starts_the_worker_and_no_more_than_two_go_at_once(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cloning.worker")
    executor = make()
    waiting = [asyncio.create_task(executor.check(Path(f"never-{number}"))) for number in range(3)]
    while sum("check never" in record.getMessage() for record in caplog.records) < 2:  # noqa: ASYNC110  # as below
        await asyncio.sleep(0.01)
    assert "never-2" not in caplog.text
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    while "never-2" not in caplog.text:  # noqa: ASYNC110  # a line of a log gives no event to wait for
        await asyncio.sleep(0.01)
    await executor.close()
    for check in waiting[1:]:
        with pytest.raises(Unavailable, match="stopped while it checked"):
            await check
    with pytest.raises(Unavailable, match="shutting down"):
        await executor.check(Path("fine"))


async def test_a_check_that_kills_the_worker_beside_a_job_is_tried_alone_and_given_up(
    make: Make, tmp_path: Path
) -> None:
    executor = make()
    await executor.submit(speak("a", "wait"))
    with pytest.raises(InvalidInput, match="Try another file"):
        await executor.check(Path("die"))
    assert isinstance(await next_end(executor), Lost)
    assert len(pids(tmp_path)) == 2
    assert await executor.check(Path("fine")) == FOUND
    assert len(pids(tmp_path)) == 3


async def test_a_check_that_kills_the_worker_alone_is_tried_once_more_and_given_up(make: Make, tmp_path: Path) -> None:
    executor = make()
    with pytest.raises(InvalidInput, match="Try another file"):
        await executor.check(Path("die"))
    assert len(pids(tmp_path)) == 2
    assert await executor.check(Path("fine")) == FOUND
    assert len(pids(tmp_path)) == 3


async def test_a_check_alone_outlives_a_worker_that_somebody_else_kills(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cloning.worker")
    executor = make()
    check = asyncio.create_task(executor.check(Path("later")))
    while "check later" not in caplog.text:  # noqa: ASYNC110  # a line of a log gives no event to wait for
        await asyncio.sleep(0.01)
    os.kill(pids(tmp_path)[0], signal.SIGKILL)
    assert await check == FOUND


async def test_a_check_beside_a_job_that_kills_the_worker_is_answered_before_the_next_job(make: Make) -> None:
    executor = make()
    check = asyncio.create_task(executor.check(Path("later")))
    await executor.submit(speak("a", "die"))
    assert isinstance(await next_end(executor), Lost)
    await executor.submit(speak("b"))
    assert await next_end(executor) == Spoken("b", 1.0, 7, 1)
    assert check.done()
    assert await check == FOUND


async def test_a_job_that_has_to_be_alone_has_no_check_beside_it(make: Make) -> None:
    executor = make()
    await executor.submit(speak("a", "wait", alone=True))
    await begun(executor)
    check = asyncio.create_task(executor.check(Path("step")))  # "step" is told as progress of a job that runs
    await asyncio.sleep(0)
    await executor.cancel("a")
    assert await check == FOUND
    await executor.close()
    assert [
        type(event) for event in [event async for event in executor.events()] if not isinstance(event, Heartbeat)
    ] == [Failed]


async def test_a_job_that_has_to_be_alone_waits_for_checks(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cloning.worker")
    executor = make()
    check = asyncio.create_task(executor.check(Path("never")))
    while "check never" not in caplog.text:  # noqa: ASYNC110  # a line of a log gives no event to wait for
        await asyncio.sleep(0.01)
    await executor.submit(speak("a", alone=True))
    later = asyncio.create_task(executor.check(Path("fine")))
    await asyncio.sleep(0)
    assert executor._checks.at_work == 1
    assert executor._running == {}
    check.cancel()
    await asyncio.gather(check, return_exceptions=True)
    assert await next_end(executor) == Spoken("a", 1.0, 7, 1)
    assert await later == FOUND


async def test_a_check_ends_where_the_worker_does_not_start_or_takes_too_long(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = make("explain")
    await executor.start()
    while executor.health().error is None:  # noqa: ASYNC110  # nothing is told of it
        await asyncio.sleep(0.01)
    with pytest.raises(Unavailable, match="does not start"):
        await executor.check(Path("fine"))
    monkeypatch.setattr(executor_module, "_CHECK_SECONDS", 0.2)
    with pytest.raises(Unavailable, match="in time"):
        await make().check(Path("never"))
