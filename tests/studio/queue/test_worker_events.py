"""Events of the worker, on time and late, and what members are told of them."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloning.worker.protocol import PartSpoken, Progress
from storage.records import JobRecord, JobState, VoiceState
from studio.queue.context import ActiveJob
from studio.queue.lease import LEASE
from studio.queue.worker_events import LONG_TEXT, update_for
from studio.values import SayOrder, Update
from tests.studio.conftest import ANN, BOB, GUILD, MAX_BYTES, StudioHarness, until
from tests.studio.queue.test_fair_order import job

FOLDER = Path("staging")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("part", [PartSpoken("", 0, LONG_TEXT - 1, 1.0), PartSpoken("", 1, LONG_TEXT, 1.0)])
def test_only_the_first_of_many_sentences_is_told(part: PartSpoken) -> None:
    active = ActiveJob(job(1, 1, 1), FOLDER)
    assert update_for(active, part, NOW) is None
    assert active.beginning is None


def test_a_beginning_stays_with_the_news() -> None:
    active = ActiveJob(job(1, 1, 1), FOLDER)
    beginning = FOLDER / "part-0.ogg"
    assert update_for(active, PartSpoken("", 0, LONG_TEXT, 1.0), NOW) == Update(beginning=beginning)
    later = update_for(active, Progress("", "the rest", 0.5), NOW)
    assert later == Update(stage="the rest", fraction=0.5, beginning=beginning)


@pytest.mark.parametrize("event", [Progress("", "speaking", 0.1), PartSpoken("", 0, LONG_TEXT, 1.0)])
def test_a_cancelled_job_has_no_news(event: Progress | PartSpoken) -> None:
    active = ActiveJob(job(1, 1, 1), FOLDER)
    active.cancelled.set()
    assert update_for(active, event, NOW) is None


async def test_late_events_of_a_process_that_lost_its_lease_move_nothing(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    accepted = await harness.clone()
    theirs = await harness.taken_over(accepted.id)
    release()
    await until(lambda: not harness.tasks(), "idle")
    assert await harness.job(accepted.id) == theirs
    assert harness.courier.delivered == []
    assert accepted.voice_id is not None
    assert (await harness.storage.voices.get(GUILD, accepted.voice_id)).state is VoiceState.CLONING


async def test_a_job_that_another_process_took_before_it_began_here_is_stopped_at_once(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = harness.storage.jobs
    begun = jobs.begun

    async def too_late(job_id: str, owner: str) -> JobRecord | None:
        await jobs.requeue(job_id, owner)
        await jobs.claim(job_id, "elsewhere/1/ab", LEASE)
        return await begun(job_id, owner)

    monkeypatch.setattr(jobs, "begun", too_late)
    harness.executor.hold()
    accepted = await harness.say()
    await until(lambda: harness.executor.cancelled == [accepted.id], "the end")
    await until(lambda: not harness.tasks(), "idle")
    held = await harness.job(accepted.id)
    assert (held.lease_owner, held.attempts) == ("elsewhere/1/ab", 0)
    assert harness.courier.delivered == []


async def test_events_that_end_lose_the_jobs_but_not_the_queue(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    accepted = await harness.say()
    await until(lambda: bool(harness.executor.requests), "the request")
    harness.executor.end_events()
    release()
    job = await harness.ended(accepted.id)
    assert job.state in (JobState.DELIVERED, JobState.FAILED)
    assert len(harness.courier.of(job.id)) == 1


async def test_the_beginning_of_a_long_text_goes_along_with_the_news(harness: StudioHarness) -> None:
    harness.executor.sentences = LONG_TEXT
    release = harness.executor.hold()
    accepted = await harness.say()
    await until(lambda: any(update.beginning for _, update in harness.courier.updates), "the beginning")
    (beginning,) = {update.beginning for _, update in harness.courier.updates if update.beginning}
    assert beginning.is_file()
    release()
    await harness.ended(accepted.id)
    assert not beginning.exists()


async def test_a_cancelled_job_tells_nothing_more(harness: StudioHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = harness.executor.cancel

    told: list[int] = []

    async def late(job_id: str) -> None:
        told.append(len(harness.courier.updates))
        harness.executor.tell(PartSpoken(job_id, 0, LONG_TEXT, 1.0))
        await cancel(job_id)

    monkeypatch.setattr(harness.executor, "cancel", late)
    release = harness.executor.hold()
    accepted = await harness.say()
    await harness.begun(accepted.id)
    await harness.studio.dispatcher.cancel(accepted.id)
    release()
    await harness.ended(accepted.id)
    assert told == [len(harness.courier.updates)]


async def test_progress_reaches_the_member_before_the_answer(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    accepted = await harness.studio.speech.submit(ANN, SayOrder("hi"), {}, None, max_bytes=MAX_BYTES)
    await until(lambda: any(update.stage == "speaking" for _, update in harness.courier.updates), "progress")
    assert harness.courier.delivered == []
    release()
    await harness.ended(accepted.id)
    count = len(harness.courier.updates)
    await until(lambda: not harness.tasks(), "idle")
    assert len(harness.courier.updates) == count


async def test_a_node_that_joins_gets_waiting_jobs_at_once(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    first = await harness.say("one")
    await harness.reaches(first.id, JobState.RUNNING)
    second = await harness.say("two")
    assert len(harness.executor.requests) == 1
    harness.executor.grow(2)
    await harness.reaches(second.id, JobState.RUNNING)
    release()
    for accepted in (first, second):
        assert (await harness.ended(accepted.id)).state is JobState.DELIVERED


async def test_a_job_whose_beginning_is_slow_to_store_delays_its_own_events_only(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.restart(capacity=2)
    go_on = asyncio.Event()
    begun = harness.storage.jobs.begun
    slow: list[str] = []

    async def sometimes(job_id: str, owner: str) -> JobRecord | None:
        if not slow:
            slow.append(job_id)
            await go_on.wait()
        return await begun(job_id, owner)

    monkeypatch.setattr(harness.storage.jobs, "begun", sometimes)
    queued = [await harness.say("one"), await harness.say("two", actor=BOB)]
    await until(lambda: bool(slow), "the first beginning")
    (other,) = [accepted.id for accepted in queued if accepted.id != slow[0]]
    assert (await harness.ended(other, idle=False)).state is JobState.DELIVERED
    assert (await harness.job(slow[0])).state is JobState.RUNNING
    go_on.set()
    job = await harness.ended(slow[0])
    assert (job.state, job.attempts) == (JobState.DELIVERED, 1)
    assert len(harness.courier.of(job.id)) == 1


async def test_an_event_that_breaks_keeps_the_job_from_no_end(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [RuntimeError("once")]
    release = harness.executor.hold()
    accepted = await harness.say()
    await harness.begun(accepted.id)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def part(*_: object) -> None:
        begun.set()
        await go_on.wait()
        raise errors.pop()

    monkeypatch.setattr(harness.studio.dispatcher.rooms, "part", part)
    harness.executor.tell(PartSpoken(accepted.id, 0, LONG_TEXT, 1.0))
    await begun.wait()
    release()
    active = harness.studio.dispatcher._context.active[accepted.id]
    await until(lambda: active.ending, "the last event")
    go_on.set()
    assert (await harness.ended(accepted.id)).state is JobState.DELIVERED
    assert errors == []
