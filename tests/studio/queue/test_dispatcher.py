"""Jobs from acceptance to the worker: through locks, cancellations and restarts."""

import asyncio
from functools import reduce
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cloning.worker.protocol import CloneRequest, SpeakRequest
from errors import Unavailable
from storage.records import JobRecord, JobState
from storage.sessions import AWAY, BUSY
from studio.queue import queue_updates
from studio.queue.dispatcher import MAX_STORAGE_ERRORS, PATIENCE
from studio.queue.fair_order import FairQueue
from studio.values import Update
from tests.fakes import FakeExecutor
from tests.studio.conftest import BOB, GUILD, StudioHarness, hold_before_work, person, until


async def test_jobs_wait_their_turn_and_are_told_their_places(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    first = await harness.say("one")
    await harness.reaches(first.id, JobState.RUNNING)
    second, third = await harness.say("two"), await harness.say("three", actor=BOB)
    told_first = dict(reversed(harness.courier.updates))
    assert [told_first[accepted.id].position for accepted in (first, second, third)] == [0, 1, 1]
    assert [harness.studio.dispatcher.position(accepted.id) for accepted in (first, third, second)] == [0, 1, 2]
    await until(lambda: (second.id, Update(position=2)) in harness.courier.updates, "the place to be told")
    release()
    for accepted in (first, second, third):
        await harness.ended(accepted.id)
    texts = [request.text for request in harness.executor.requests if isinstance(request, SpeakRequest)]
    assert texts == ["one", "three", "two"]


async def test_a_long_queue_is_told_now_and_then(harness: StudioHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    first = FairQueue.first

    def counted(queue: FairQueue, count: int) -> list[str]:
        told.append(len(queue))
        return first(queue, count)

    release = harness.executor.hold()
    monkeypatch.setattr(FairQueue, "first", counted)
    monkeypatch.setattr(queue_updates, "TELL_SECONDS", 3600.0)
    monkeypatch.setattr(queue_updates, "MEMBERS_TOLD", 2)
    queued = [await harness.say(f"line {number}", actor=person(number)) for number in range(1, 6)]
    await until(lambda: bool(told) and told[-1] > 2, "the places to be told")
    before = len(told)
    release()
    for accepted in queued:
        await harness.ended(accepted.id)
    assert len(told) == before


async def test_a_queued_job_is_cancelled_before_the_worker_sees_it(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    first, second = await harness.say("one"), await harness.clone()
    await harness.reaches(first.id, JobState.RUNNING)
    cancelled = await harness.studio.dispatcher.cancel(second.id)
    assert cancelled is not None
    assert await harness.studio.dispatcher.cancel(second.id) is None
    release()
    assert (await harness.ended(second.id)).state is JobState.CANCELLED
    await harness.ended(first.id)
    assert not [request for request in harness.executor.requests if isinstance(request, CloneRequest)]
    assert await harness.storage.voices.find(GUILD, "Ann") is None
    assert harness.files() == []


async def test_a_running_job_is_cancelled_and_the_next_begins(harness: StudioHarness) -> None:
    harness.executor.hold()
    accepted = await harness.clone()
    await harness.begun(accepted.id)
    await harness.studio.dispatcher.cancel(accepted.id)
    job = await harness.ended(accepted.id)
    assert (job.state, job.attempts) == (JobState.CANCELLED, 1)
    assert harness.executor.cancelled == [job.id]
    assert len(harness.courier.of(job.id)) == 1
    assert harness.files() == []


async def test_a_job_cancelled_between_claim_and_work_never_reaches_the_worker(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed, go_on = hold_before_work(harness, monkeypatch)
    accepted = await harness.clone()
    await claimed.wait()
    await harness.studio.dispatcher.cancel(accepted.id)
    go_on.set()
    assert (await harness.ended(accepted.id)).state is JobState.CANCELLED
    assert harness.executor.requests == []
    assert harness.files() == []
    assert not any((harness.folder / "staging").iterdir())


async def test_a_locked_database_delays_the_queue_until_upkeep(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locked(*_: object, **__: object) -> None:
        raise Unavailable("The database is locked.")

    monkeypatch.setattr(harness.storage.jobs, "claim", locked)
    accepted = await harness.say()
    await until(lambda: not harness.tasks(), "idle")
    assert (await harness.job(accepted.id)).state is JobState.QUEUED
    monkeypatch.undo()
    await harness.studio.upkeep()
    assert (await harness.ended(accepted.id)).state is JobState.DELIVERED


@pytest.mark.parametrize("step", ["executor.submit", "storage.members.get"])
async def test_what_is_busy_between_claim_and_work_costs_no_job_and_no_attempt(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    busy = [Unavailable(BUSY)]
    *path, name = step.split(".")
    holder = reduce(getattr, path, harness)
    work = getattr(holder, name)

    async def sometimes(*arguments: object) -> object:
        if busy:
            raise busy.pop()
        return await work(*arguments)

    release = harness.executor.hold()
    first = await harness.say("in the way")
    await until(lambda: bool(harness.executor.requests), "the request")
    accepted = await harness.say("put back")
    monkeypatch.setattr(holder, name, sometimes)
    release()
    await harness.ended(first.id)
    assert (await harness.job(accepted.id)).state is JobState.QUEUED
    await harness.studio.upkeep()
    job = await harness.ended(accepted.id)
    assert (job.state, job.attempts) == (JobState.DELIVERED, 1)


async def test_a_job_that_storage_refuses_for_long_does_not_stay_for_ever(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: str) -> Path:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(harness.storage.files, "staging", refuse)
    accepted = await harness.say()
    for _ in range(MAX_STORAGE_ERRORS):
        await until(lambda: not harness.tasks(), "idle")
        await harness.studio.upkeep()
    job = await harness.ended(accepted.id)
    assert (job.state, job.error_message) == (JobState.FAILED, "The disk is full.")


async def test_upkeep_stops_the_work_on_a_job_that_another_process_took(harness: StudioHarness) -> None:
    harness.executor.hold()
    accepted = await harness.say()
    theirs = await harness.taken_over(accepted.id)
    await harness.studio.upkeep()
    await until(lambda: not harness.tasks(), "the end")
    assert harness.executor.cancelled == [accepted.id]
    assert await harness.job(accepted.id) == theirs


async def test_a_queue_waits_for_a_worker_that_cannot_load_and_is_told_so(harness: StudioHarness) -> None:
    harness.executor.silent = True
    release = harness.executor.hold()
    ready, harness.executor.ready, harness.executor.error = harness.executor.ready, None, "The model is not there."
    queued = [await harness.say("one"), await harness.say("two", actor=BOB)]

    def told() -> set[str]:
        return {job_id for job_id, update in harness.courier.updates if update.loading}

    await until(lambda: told() == {accepted.id for accepted in queued}, "the news")
    await harness.studio.upkeep()
    harness.clock.now += PATIENCE / 2
    await harness.studio.upkeep()
    assert harness.courier.delivered == []
    harness.executor.ready, harness.executor.error = ready, None
    release()
    for accepted in queued:
        assert (await harness.ended(accepted.id)).state is JobState.DELIVERED


async def test_patience_with_a_worker_that_cannot_load_ends(harness: StudioHarness) -> None:
    harness.executor.silent = True
    harness.executor.hold()
    harness.executor.ready, harness.executor.error = None, "The model is not there."
    early = [await harness.say("one"), await harness.say("two", actor=BOB)]
    await until(lambda: bool(harness.executor.requests), "the request")
    await harness.studio.upkeep()
    harness.clock.now += PATIENCE
    late = await harness.say("three")
    await harness.studio.upkeep()
    for accepted in early:
        job = await harness.reaches(accepted.id, JobState.FAILED)
        assert "could not be loaded" in (job.error_message or "")
    assert (await harness.job(late.id)).state in (JobState.QUEUED, JobState.RUNNING)


async def test_several_jobs_run_at_once_where_the_worker_takes_several(harness: StudioHarness) -> None:
    await harness.restart(capacity=2)
    release = harness.executor.hold()
    queued = [await harness.say(f"line {number}", actor=person(number)) for number in range(3)]
    for accepted in queued[:2]:
        await harness.reaches(accepted.id, JobState.RUNNING)
    assert (await harness.job(queued[2].id)).state is JobState.QUEUED
    release()
    for accepted in queued:
        assert (await harness.ended(accepted.id)).state is JobState.DELIVERED


async def test_eight_members_at_once_are_with_the_worker_at_once_and_end_together(harness: StudioHarness) -> None:
    await harness.restart(capacity=8)
    release = harness.executor.hold()
    queued = await asyncio.gather(*(harness.say(f"line {number}", actor=person(number)) for number in range(8)))
    await until(lambda: len(harness.executor.requests) == 8, "all eight requests")
    assert harness.courier.delivered == []
    assert {accepted.id for accepted in queued} == {request.job_id for request in harness.executor.requests}
    release()
    for accepted in queued:
        assert (await harness.ended(accepted.id)).state is JobState.DELIVERED
    assert len(harness.courier.delivered) == 8


async def test_closing_twice_and_waking_after_closing_are_harmless(harness: StudioHarness) -> None:
    harness.executor.hold()
    accepted = await harness.say()
    await harness.studio.close()
    await harness.studio.close()
    harness.studio.dispatcher.enqueue(accepted)
    assert harness.tasks() == []
    assert isinstance(harness.executor, FakeExecutor)
    assert harness.executor.closed


async def test_the_tasks_of_the_studio_are_seen_while_it_works(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    accepted = await harness.say()
    await harness.reaches(accepted.id, JobState.RUNNING)
    assert harness.tasks()
    release()
    await harness.ended(accepted.id)


async def test_a_studio_that_lost_its_database_closes(harness: StudioHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    async def running() -> list[JobRecord]:
        raise Unavailable(AWAY)

    monkeypatch.setattr(harness.storage.jobs, "running", running)
    with capture_logs() as log:
        await harness.studio.close()
    events = [line["event"] for line in log]
    assert "requeue_failed" in events
    assert "upkeep_failed" not in events
