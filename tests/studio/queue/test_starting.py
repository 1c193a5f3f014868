"""Jobs on their way from the queue to the worker, several at once."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from errors import Unavailable
from storage.records import JobRecord, JobState
from tests.studio.conftest import StudioHarness, person, until


async def test_a_job_that_is_slow_to_start_keeps_no_other_back(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.restart(capacity=2)
    go_on = asyncio.Event()
    waiting: list[str] = []
    staging = harness.storage.files.staging

    async def slow(job_id: str) -> Path:
        if not waiting:
            waiting.append(job_id)
            await go_on.wait()
        return await staging(job_id)

    monkeypatch.setattr(harness.storage.files, "staging", slow)
    first, second = await harness.say("one"), await harness.say("two", actor=person(2))
    assert (await harness.ended(second.id, idle=False)).state is JobState.DELIVERED
    assert waiting == [first.id]
    go_on.set()
    assert (await harness.ended(first.id)).state is JobState.DELIVERED


async def test_all_free_places_are_claimed_in_one_transaction(harness: StudioHarness) -> None:
    harness.executor.hold()
    in_the_way = await harness.say("in the way")
    await until(lambda: bool(harness.executor.requests), "the request")
    queued = [await harness.say(f"line {number}", actor=person(number)) for number in range(4)]
    claims: list[object] = []

    def note(connection: object, _: object, statement: str, *__: object) -> None:
        if statement.startswith("UPDATE jobs SET state"):
            claims.append(connection)

    event.listen(harness.storage._sessions.engine.sync_engine, "before_cursor_execute", note)
    harness.executor.grow(5)
    for accepted in queued:
        await harness.reaches(accepted.id, JobState.RUNNING)
    assert len(claims) == 4
    assert len(set(map(id, claims))) == 1
    assert (await harness.job(in_the_way.id)).state is JobState.RUNNING


async def test_a_database_that_fails_is_not_asked_for_the_whole_queue(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = harness.executor.hold()
    first = await harness.say("one")
    await until(lambda: bool(harness.executor.requests), "the request")
    rest = [await harness.say(f"line {number}", actor=person(number)) for number in range(4)]
    asked: list[str] = []

    async def fails(job_id: str, owner: str, lease: timedelta) -> JobRecord | None:
        asked.append(job_id)
        raise Unavailable("The database is locked.")

    monkeypatch.setattr(harness.storage.jobs, "claim", fails)
    release()
    await harness.ended(first.id)
    assert len(asked) == 1
    monkeypatch.undo()
    await harness.studio.upkeep()
    for accepted in rest:
        assert (await harness.ended(accepted.id)).state is JobState.DELIVERED


async def test_a_job_whose_claim_breaks_leaves_its_place(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, errors = harness.storage.jobs.claim, [RuntimeError("once")]

    async def breaks_once(job_id: str, owner: str, lease: timedelta) -> JobRecord | None:
        if errors:
            raise errors.pop()
        return await claim(job_id, owner, lease)

    monkeypatch.setattr(harness.storage.jobs, "claim", breaks_once)
    accepted = await harness.say()
    await until(lambda: not errors and not harness.tasks(), "the error")
    await harness.studio.upkeep()
    assert (await harness.ended(accepted.id)).state is JobState.DELIVERED
