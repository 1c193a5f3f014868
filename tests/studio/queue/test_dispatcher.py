"""Jobs from acceptance to answer: through faults, crashes, cancellations and restarts, and never two answers."""

import asyncio
from pathlib import Path

import pytest

from cloning.worker.protocol import CloneRequest, PartSpoken, SpeakRequest
from errors import Unavailable
from storage.records import JobState
from studio.queue.dispatcher import ATTEMPTS
from studio.queue.worker_events import LONG_TEXT
from studio.values import SayOrder, Update
from tests.fakes import FakeExecutor
from tests.studio.conftest import ANN, BOB, GUILD, MAX_BYTES, House, person, until


async def test_an_unknown_fault_becomes_an_apology_with_its_reference(house: House) -> None:
    house.executor.fail_next("Unknown", "ref-77")
    job = await house.ended((await house.say()).job.id)
    assert job.fault_kind == "Unknown"
    assert job.fault_message is not None
    assert job.fault_message.startswith("Something went wrong")
    assert "ref-77" in job.fault_message


async def test_a_lost_worker_costs_one_retry_and_no_second_answer(house: House) -> None:
    house.executor.lose_next()
    job = await house.ended((await house.clone()).job.id)
    assert (job.state, job.attempts) == (JobState.DELIVERED, 2)
    assert len(house.courier.of(job.id)) == 1
    assert [update for job_id, update in house.courier.updates if update.retrying and job_id == job.id]


async def test_a_job_that_loses_two_workers_is_given_up(house: House) -> None:
    house.executor.lose_next(times=ATTEMPTS)
    job = await house.ended((await house.clone()).job.id)
    assert (job.state, job.fault_kind) == (JobState.FAILED, Unavailable.__name__)
    assert len(house.executor.requests) == ATTEMPTS
    assert len(house.courier.of(job.id)) == 1
    assert house.files() == []


async def test_jobs_wait_their_turn_and_are_told_their_places(house: House) -> None:
    release = house.executor.hold()
    first = await house.say("one")
    await house.reaches(first.job.id, JobState.RUNNING)
    second, third = await house.say("two"), await house.say("three", actor=BOB)
    assert (first.position, second.position, third.position) == (0, 1, 1)
    assert await house.studio.dispatcher.positions() == {third.job.id: 1, second.job.id: 2}
    release()
    for receipt in (first, second, third):
        await house.ended(receipt.job.id)
    texts = [request.text for request in house.executor.requests if isinstance(request, SpeakRequest)]
    assert texts == ["one", "three", "two"]
    assert (second.job.id, Update(position=2)) in house.courier.updates


async def test_a_queued_job_is_cancelled_before_the_worker_sees_it(house: House) -> None:
    release = house.executor.hold()
    first, second = await house.say("one"), await house.clone()
    await house.reaches(first.job.id, JobState.RUNNING)
    cancelled = await house.studio.dispatcher.cancel(second.job.id)
    assert cancelled is not None
    assert await house.studio.dispatcher.cancel(second.job.id) is None
    release()
    assert (await house.ended(second.job.id)).state is JobState.CANCELLED
    await house.ended(first.job.id)
    assert not [request for request in house.executor.requests if isinstance(request, CloneRequest)]
    assert await house.storage.voices.find(GUILD, "Ann") is None
    assert house.files() == []


async def test_a_running_job_is_cancelled_and_the_next_begins(house: House) -> None:
    house.executor.hold()
    receipt = await house.clone()
    await until(lambda: bool(house.executor.requests), "the request")
    await house.studio.dispatcher.cancel(receipt.job.id)
    job = await house.ended(receipt.job.id)
    assert (job.state, job.attempts) == (JobState.CANCELLED, 1)
    assert house.executor.cancelled == [job.id]
    assert len(house.courier.of(job.id)) == 1
    assert house.files() == []


async def test_a_job_cancelled_between_claim_and_work_never_reaches_the_worker(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed, go_on = asyncio.Event(), asyncio.Event()
    staging = house.storage.files.staging

    async def slow(job_id: str) -> Path:
        claimed.set()
        await go_on.wait()
        return await staging(job_id)

    monkeypatch.setattr(house.storage.files, "staging", slow)
    receipt = await house.clone()
    await claimed.wait()
    await house.studio.dispatcher.cancel(receipt.job.id)
    go_on.set()
    assert (await house.ended(receipt.job.id)).state is JobState.CANCELLED
    assert house.executor.requests == []
    assert house.files() == []
    assert not any((house.folder / "staging").iterdir())


async def test_a_locked_database_delays_the_queue_until_upkeep(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def locked(*_: object, **__: object) -> None:
        raise Unavailable("The database is locked.")

    monkeypatch.setattr(house.storage.jobs, "claim", locked)
    receipt = await house.say()
    await until(lambda: not house.tasks(), "idle")
    assert (await house.storage.jobs.get(receipt.job.id)).state is JobState.QUEUED
    monkeypatch.undo()
    await house.studio.upkeep()
    assert (await house.ended(receipt.job.id)).state is JobState.DELIVERED


async def test_a_worker_that_refuses_a_job_fails_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: object) -> None:
        raise Unavailable("The speech worker is shutting down.")

    monkeypatch.setattr(house.executor, "submit", refuse)
    job = await house.ended((await house.say()).job.id)
    assert job.fault_message == "The speech worker is shutting down."


async def test_events_that_end_lose_the_jobs_but_not_the_queue(house: House) -> None:
    release = house.executor.hold()
    receipt = await house.say()
    await until(lambda: bool(house.executor.requests), "the request")
    house.executor.end_events()
    release()
    job = await house.ended(receipt.job.id)
    assert job.state in (JobState.DELIVERED, JobState.FAILED)
    assert len(house.courier.of(job.id)) == 1


async def test_several_jobs_run_at_once_where_the_worker_takes_several(house: House) -> None:
    await house.restart(capacity=2)
    release = house.executor.hold()
    receipts = [await house.say(f"line {number}", actor=person(number)) for number in range(3)]
    for receipt in receipts[:2]:
        await house.reaches(receipt.job.id, JobState.RUNNING)
    assert (await house.storage.jobs.get(receipts[2].job.id)).state is JobState.QUEUED
    release()
    for receipt in receipts:
        assert (await house.ended(receipt.job.id)).state is JobState.DELIVERED


async def test_eight_members_at_once_are_with_the_worker_at_once_and_end_together(house: House) -> None:
    await house.restart(capacity=8)
    release = house.executor.hold()
    receipts = await asyncio.gather(*(house.say(f"line {number}", actor=person(number)) for number in range(8)))
    await until(lambda: len(house.executor.requests) == 8, "all eight requests")
    assert house.courier.delivered == []
    assert {receipt.job.id for receipt in receipts} == {request.job_id for request in house.executor.requests}
    release()
    for receipt in receipts:
        assert (await house.ended(receipt.job.id)).state is JobState.DELIVERED
    assert len(house.courier.delivered) == 8


async def test_the_beginning_of_a_long_text_goes_along_with_the_news(house: House) -> None:
    house.executor.sentences = LONG_TEXT
    release = house.executor.hold()
    receipt = await house.say()
    await until(lambda: any(update.beginning for _, update in house.courier.updates), "the beginning")
    (beginning,) = {update.beginning for _, update in house.courier.updates if update.beginning}
    assert beginning.is_file()
    release()
    await house.ended(receipt.job.id)
    assert not beginning.exists()


async def test_a_cancelled_job_tells_nothing_more(house: House) -> None:
    release = house.executor.hold()
    receipt = await house.say()
    await until(lambda: bool(house.studio.dispatcher._active), "the job")
    (active,) = house.studio.dispatcher._active.values()
    await house.studio.dispatcher.cancel(receipt.job.id)
    told = len(house.courier.updates)
    await house.studio.dispatcher._reports.part(active, PartSpoken(receipt.job.id, 0, LONG_TEXT, 1.0))
    release()
    await house.ended(receipt.job.id)
    assert len(house.courier.updates) == told


async def test_closing_twice_and_waking_after_closing_are_harmless(house: House) -> None:
    await house.studio.close()
    await house.studio.close()
    house.studio.dispatcher.wake()
    assert house.tasks() == []
    assert isinstance(house.executor, FakeExecutor)
    assert house.executor.closed


async def test_the_tasks_of_the_studio_are_seen_while_it_works(house: House) -> None:
    release = house.executor.hold()
    receipt = await house.say()
    await house.reaches(receipt.job.id, JobState.RUNNING)
    assert house.tasks()
    release()
    await house.ended(receipt.job.id)


async def test_progress_reaches_the_member_before_the_answer(house: House) -> None:
    release = house.executor.hold()
    receipt = await house.studio.speech.submit(ANN, SayOrder("hi"), {}, None, max_bytes=MAX_BYTES)
    await until(lambda: any(update.stage == "speaking" for _, update in house.courier.updates), "progress")
    assert house.courier.delivered == []
    release()
    await house.ended(receipt.job.id)
    count = len(house.courier.updates)
    await until(lambda: not house.tasks(), "idle")
    assert len(house.courier.updates) == count
