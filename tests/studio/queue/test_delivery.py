"""Delivery of answers: retries, silence after the end, and what stays to be fetched."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from errors import Conflict, Unavailable
from storage.records import JobRecord, JobState
from studio.queue.delivery import AT_ONCE, FETCHING, FIRST_ROUND, LONGEST_ROUND, PAUSES
from studio.queue.lease import LEASE
from studio.values import Delivery, Outcome
from tests.studio.conftest import ANN, GUILD, StudioHarness, person, until


async def test_a_passing_error_is_outwaited(harness: StudioHarness) -> None:
    harness.courier.errors.extend([Unavailable("500"), Unavailable("429")])
    job = await harness.ended((await harness.say()).id)
    assert job.state is JobState.DELIVERED
    assert harness.slept == list(PAUSES[:2])
    assert len(harness.courier.of(job.id)) == 1


PASSING = pytest.mark.parametrize("error", [Unavailable("500"), ZeroDivisionError()], ids=["unavailable", "unexpected"])


@PASSING
async def test_what_cannot_be_delivered_stays_to_be_fetched(harness: StudioHarness, error: Exception) -> None:
    harness.courier.errors.extend([error] * (len(PAUSES) + 1))
    accepted = await harness.say()
    await harness.left(accepted.id)
    assert harness.slept == list(PAUSES)
    assert harness.courier.lasts == [False] * len(PAUSES) + [True]
    assert [job.id for job, _ in await harness.studio.jobs.mine(ANN)] == [accepted.id]
    outcome = await harness.studio.jobs.fetch(ANN, accepted.id)
    assert outcome.audio is not None


async def test_the_next_start_tries_again(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    accepted = await harness.say()
    await harness.left(accepted.id)
    harness.courier.reachable = True
    await harness.restart()
    job = await harness.ended(accepted.id)
    [answer] = harness.courier.of(job.id)
    assert answer.audio is not None


@PASSING
async def test_upkeep_tries_again_after_an_outage_and_waits_longer_each_time(
    harness: StudioHarness, error: Exception
) -> None:
    harness.courier.errors.extend([error] * 2 * (len(PAUSES) + 1))
    accepted = await harness.say()
    await harness.left(accepted.id)
    await harness.studio.upkeep()
    assert harness.tasks() == []
    harness.clock.now += FIRST_ROUND
    await harness.studio.upkeep()
    await until(lambda: not harness.tasks(), "idle")
    assert harness.courier.delivered == []
    harness.clock.now += FIRST_ROUND
    await harness.studio.upkeep()
    assert harness.tasks() == []
    harness.clock.now += FIRST_ROUND
    await harness.studio.upkeep()
    assert (await harness.ended(accepted.id)).state is JobState.DELIVERED


async def test_upkeep_does_not_press_whom_nobody_can_reach(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    accepted = await harness.say()
    await harness.left(accepted.id)
    harness.clock.now += LONGEST_ROUND
    await harness.studio.upkeep()
    await until(lambda: not harness.tasks(), "idle")
    assert harness.courier.lasts == [False]


async def resting(harness: StudioHarness) -> tuple[str, asyncio.Event]:
    """A job whose answer rests after an attempt that failed, and the event that ends the rest."""
    rests, go_on = asyncio.Event(), asyncio.Event()

    async def nap() -> None:
        rests.set()
        await go_on.wait()

    harness.nap = nap
    harness.courier.errors.append(Unavailable("500"))
    accepted = await harness.clone()
    await rests.wait()
    return accepted.id, go_on


@pytest.mark.parametrize("action", ["forget", "removed", "delete"])
async def test_what_was_deleted_while_its_answer_rests_is_not_posted(harness: StudioHarness, action: str) -> None:
    job_id, go_on = await resting(harness)
    if action == "forget":
        await harness.studio.privacy.forget(ANN)
    elif action == "removed":
        await harness.studio.admin.guild_removed(GUILD)
    else:
        await harness.studio.library.delete(ANN, "Ann")
    go_on.set()
    await until(lambda: not harness.tasks(), "idle")
    assert [answer.outcome.voice for answer in harness.courier.of(job_id)] == ([None] if action == "delete" else [])


async def test_what_was_fetched_while_its_answer_rests_is_not_sent_again(harness: StudioHarness) -> None:
    job_id, go_on = await resting(harness)
    outcome = await harness.studio.jobs.fetch(ANN, job_id)
    assert outcome.voice is not None
    go_on.set()
    await until(lambda: not harness.tasks(), "idle")
    await harness.studio.upkeep()
    assert harness.tasks() == []
    await harness.studio.jobs.fetched(outcome)
    harness.clock.now += FETCHING
    await harness.studio.upkeep()
    assert harness.tasks() == []
    assert harness.courier.delivered == []


async def test_what_was_fetched_but_did_not_arrive_is_brought_by_upkeep(harness: StudioHarness) -> None:
    job_id, _ = await resting(harness)
    await harness.studio.jobs.fetch(ANN, job_id)
    harness.clock.now += FETCHING
    await harness.studio.upkeep()
    await harness.ended(job_id)
    assert len(harness.courier.of(job_id)) == 1


async def test_an_answer_that_is_being_sent_cannot_be_fetched(harness: StudioHarness) -> None:
    sending, go_on = asyncio.Event(), asyncio.Event()
    deliver = harness.courier.deliver

    async def slow(outcome: Outcome, *, last: bool = False) -> Delivery | None:
        sending.set()
        await go_on.wait()
        return await deliver(outcome, last=last)

    harness.courier.deliver = slow  # type: ignore[method-assign]  # Discord takes its time
    accepted = await harness.say()
    await sending.wait()
    with pytest.raises(Conflict, match="on its way"):
        await harness.studio.jobs.fetch(ANN, accepted.id)
    go_on.set()
    await harness.ended(accepted.id)


async def test_an_answer_that_another_process_sends_is_left_to_it(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    accepted = await harness.say()
    job = await harness.left(accepted.id)
    claimed = await harness.storage.jobs.claim_answer(job.id, "elsewhere/1/ab", LEASE, held_by=job.lease_owner)
    assert claimed is not None
    harness.courier.reachable = True
    await harness.restart()
    await until(lambda: not harness.tasks(), "idle")
    assert harness.courier.delivered == []
    harness.clock.now += LEASE
    await harness.studio.upkeep()
    await harness.ended(job.id)
    assert len(harness.courier.of(job.id)) == 1


async def test_of_two_processes_that_see_an_answer_free_one_sends_it(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    accepted = await harness.say()
    job = await harness.left(accepted.id)
    claims = [
        harness.storage.jobs.claim_answer(job.id, f"elsewhere/{n}/ab", LEASE, held_by=job.lease_owner) for n in range(5)
    ]
    assert len([claim for claim in await asyncio.gather(*claims) if claim is not None]) == 1


async def test_thousands_of_answers_are_not_sent_at_once(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    harness.executor.hold()
    for number in range(3 * AT_ONCE):
        accepted = await harness.say(actor=person(number))
        await harness.studio.dispatcher.cancel(accepted.id)
    await until(lambda: not harness.tasks(), "idle")
    sending, go_on = [0], asyncio.Event()

    async def slow(outcome: Outcome, *, last: bool = False) -> Delivery | None:
        sending[0] += 1
        await go_on.wait()
        return Delivery("interaction", 1)

    harness.courier.deliver = slow  # type: ignore[method-assign]  # Discord takes its time
    await harness.restart()
    await until(lambda: sending[0] == AT_ONCE, "the first")
    await asyncio.sleep(0.05)
    assert sending[0] == AT_ONCE
    go_on.set()
    await until(lambda: not harness.tasks(), "idle")
    assert (sending[0], await harness.storage.jobs.unanswered()) == (3 * AT_ONCE, [])


async def test_an_answer_that_storage_cannot_note_for_long_is_noted_by_upkeep(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locked(*_: object) -> None:
        raise Unavailable("The database is locked.")

    monkeypatch.setattr(harness.storage.jobs, "answered", locked)
    accepted = await harness.say()
    await harness.left(accepted.id)
    monkeypatch.undo()
    harness.clock.now += FIRST_ROUND
    await harness.studio.upkeep()
    await harness.ended(accepted.id)
    assert len(harness.courier.of(accepted.id)) == 1


async def test_an_answer_that_storage_cannot_note_is_noted_later_and_not_sent_again(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, attempts = harness.storage.jobs.answered, []

    async def locked(job_id: str, message_id: int | None) -> JobRecord | None:
        attempts.append(job_id)
        if len(attempts) == 1:
            raise Unavailable("The database is locked.")
        return await answered(job_id, message_id)

    monkeypatch.setattr(harness.storage.jobs, "answered", locked)
    job = await harness.ended((await harness.say()).id)
    assert len(attempts) == 2
    assert len(harness.courier.of(job.id)) == 1


async def test_an_answer_that_storage_cannot_read_yet_is_brought_later(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, attempts = harness.storage.files.result, []

    async def refusing(job_id: str) -> Path | None:
        attempts.append(job_id)
        if len(attempts) == 1:
            raise Unavailable("The disk does not answer.")
        return await result(job_id)

    monkeypatch.setattr(harness.storage.files, "result", refusing)
    job = await harness.ended((await harness.say()).id)
    assert (job.state, harness.slept) == (JobState.DELIVERED, [PAUSES[0]])


async def test_closing_does_not_wait_for_a_slow_delivery(harness: StudioHarness) -> None:
    held = asyncio.Event()

    async def never(_: object, *, last: bool) -> None:
        held.set()
        await asyncio.Event().wait()

    harness.courier.deliver = never  # type: ignore[method-assign,assignment]  # Discord that does not answer
    await harness.say()
    await held.wait()
    await asyncio.wait_for(harness.studio.close(), 2)
    assert harness.tasks() == []


async def test_a_clock_that_is_set_back_makes_no_old_answer_a_fresh_one(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is deleted before its answer is sent."""
    ready = harness.storage.jobs.ready

    async def then_deleted(*given: Any, **named: Any) -> JobRecord | None:
        done = await ready(*given, **named)
        harness.clock.move(minutes=-10)
        await harness.storage.jobs.delete_of_member(GUILD, ANN.member_id)
        return done

    monkeypatch.setattr(harness.storage.jobs, "ready", then_deleted)
    await harness.say()
    await until(lambda: bool(harness.executor.requests) and not harness.tasks(), "idle")
    assert harness.courier.delivered == []
