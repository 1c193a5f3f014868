"""Delivery of answers: retries, silence after the end, and what stays to be fetched."""

import asyncio
from pathlib import Path

import pytest

from errors import Conflict, Unavailable
from storage.records import JobRecord, JobState
from studio.queue.delivery import AT_ONCE, FETCHING, FIRST_ROUND, LONGEST_ROUND, PAUSES
from studio.queue.lease import LEASE
from studio.values import Delivery, Outcome
from tests.studio.conftest import ANN, GUILD, House, person, until


async def test_a_passing_error_is_outwaited(house: House) -> None:
    house.courier.errors.extend([Unavailable("500"), Unavailable("429")])
    job = await house.ended((await house.say()).job.id)
    assert job.state is JobState.DELIVERED
    assert house.slept == list(PAUSES[:2])
    assert len(house.courier.of(job.id)) == 1


PASSING = pytest.mark.parametrize("error", [Unavailable("500"), ZeroDivisionError()], ids=["unavailable", "unexpected"])


@PASSING
async def test_what_cannot_be_delivered_stays_to_be_fetched(house: House, error: Exception) -> None:
    house.courier.errors.extend([error] * (len(PAUSES) + 1))
    receipt = await house.say()
    await house.left(receipt.job.id)
    assert house.slept == list(PAUSES)
    assert house.courier.lasts == [False] * len(PAUSES) + [True]
    assert [job.id for job, _ in await house.studio.jobs.mine(ANN)] == [receipt.job.id]
    outcome = await house.studio.jobs.fetch(ANN, receipt.job.id)
    assert outcome.audio is not None


async def test_the_next_start_tries_again(house: House) -> None:
    house.courier.reachable = False
    receipt = await house.say()
    await house.left(receipt.job.id)
    house.courier.reachable = True
    await house.restart()
    job = await house.ended(receipt.job.id)
    [answer] = house.courier.of(job.id)
    assert answer.audio is not None


@PASSING
async def test_upkeep_tries_again_after_an_outage_and_waits_longer_each_time(house: House, error: Exception) -> None:
    house.courier.errors.extend([error] * 2 * (len(PAUSES) + 1))
    receipt = await house.say()
    await house.left(receipt.job.id)
    await house.studio.upkeep()
    assert house.tasks() == []
    house.clock.now += FIRST_ROUND
    await house.studio.upkeep()
    await until(lambda: not house.tasks(), "idle")
    assert house.courier.delivered == []
    house.clock.now += FIRST_ROUND
    await house.studio.upkeep()
    assert house.tasks() == []
    house.clock.now += FIRST_ROUND
    await house.studio.upkeep()
    assert (await house.ended(receipt.job.id)).state is JobState.DELIVERED


async def test_upkeep_does_not_press_whom_nobody_can_reach(house: House) -> None:
    house.courier.reachable = False
    receipt = await house.say()
    await house.left(receipt.job.id)
    house.clock.now += LONGEST_ROUND
    await house.studio.upkeep()
    await until(lambda: not house.tasks(), "idle")
    assert house.courier.lasts == [False]


async def resting(house: House) -> tuple[str, asyncio.Event]:
    """A job whose answer rests after an attempt that failed, and the event that ends the rest."""
    rests, go_on = asyncio.Event(), asyncio.Event()

    async def nap() -> None:
        rests.set()
        await go_on.wait()

    house.nap = nap
    house.courier.errors.append(Unavailable("500"))
    receipt = await house.clone()
    await rests.wait()
    return receipt.job.id, go_on


@pytest.mark.parametrize("action", ["forget", "removed", "delete"])
async def test_what_was_deleted_while_its_answer_rests_is_not_posted(house: House, action: str) -> None:
    job_id, go_on = await resting(house)
    if action == "forget":
        await house.studio.privacy.forget(ANN)
    elif action == "removed":
        await house.studio.admin.guild_removed(GUILD)
    else:
        await house.studio.library.delete(ANN, "Ann")
    go_on.set()
    await until(lambda: not house.tasks(), "idle")
    assert [answer.outcome.voice for answer in house.courier.of(job_id)] == ([None] if action == "delete" else [])


async def test_what_was_fetched_while_its_answer_rests_is_not_sent_again(house: House) -> None:
    job_id, go_on = await resting(house)
    outcome = await house.studio.jobs.fetch(ANN, job_id)
    assert outcome.voice is not None
    go_on.set()
    await until(lambda: not house.tasks(), "idle")
    await house.studio.upkeep()
    assert house.tasks() == []
    await house.studio.jobs.fetched(outcome)
    house.clock.now += FETCHING
    await house.studio.upkeep()
    assert house.tasks() == []
    assert house.courier.delivered == []


async def test_what_was_fetched_but_did_not_arrive_is_brought_by_upkeep(house: House) -> None:
    job_id, _ = await resting(house)
    await house.studio.jobs.fetch(ANN, job_id)
    house.clock.now += FETCHING
    await house.studio.upkeep()
    await house.ended(job_id)
    assert len(house.courier.of(job_id)) == 1


async def test_an_answer_that_is_being_sent_cannot_be_fetched(house: House) -> None:
    sending, go_on = asyncio.Event(), asyncio.Event()
    deliver = house.courier.deliver

    async def slow(outcome: Outcome, *, last: bool = False) -> Delivery | None:
        sending.set()
        await go_on.wait()
        return await deliver(outcome, last=last)

    house.courier.deliver = slow  # type: ignore[method-assign]  # Discord takes its time
    receipt = await house.say()
    await sending.wait()
    with pytest.raises(Conflict, match="on its way"):
        await house.studio.jobs.fetch(ANN, receipt.job.id)
    go_on.set()
    await house.ended(receipt.job.id)


async def test_an_answer_that_another_process_sends_is_left_to_it(house: House) -> None:
    house.courier.reachable = False
    receipt = await house.say()
    job = await house.left(receipt.job.id)
    claimed = await house.storage.jobs.claim_answer(job.id, "elsewhere/1/ab", LEASE, held_by=job.lease_owner)
    assert claimed is not None
    house.courier.reachable = True
    await house.restart()
    await until(lambda: not house.tasks(), "idle")
    assert house.courier.delivered == []
    house.clock.now += LEASE
    await house.studio.upkeep()
    await house.ended(job.id)
    assert len(house.courier.of(job.id)) == 1


async def test_of_two_processes_that_see_an_answer_free_one_sends_it(house: House) -> None:
    house.courier.reachable = False
    receipt = await house.say()
    job = await house.left(receipt.job.id)
    claims = [
        house.storage.jobs.claim_answer(job.id, f"elsewhere/{n}/ab", LEASE, held_by=job.lease_owner) for n in range(5)
    ]
    assert len([claim for claim in await asyncio.gather(*claims) if claim is not None]) == 1


async def test_thousands_of_answers_are_not_sent_at_once(house: House) -> None:
    house.courier.reachable = False
    house.executor.hold()
    for number in range(3 * AT_ONCE):
        receipt = await house.say(actor=person(number))
        await house.studio.dispatcher.cancel(receipt.job.id)
    await until(lambda: not house.tasks(), "idle")
    sending, go_on = [0], asyncio.Event()

    async def slow(outcome: Outcome, *, last: bool = False) -> Delivery | None:
        sending[0] += 1
        await go_on.wait()
        return Delivery("interaction", 1)

    house.courier.deliver = slow  # type: ignore[method-assign]  # Discord takes its time
    await house.restart()
    await until(lambda: sending[0] == AT_ONCE, "the first")
    await asyncio.sleep(0.05)
    assert sending[0] == AT_ONCE
    go_on.set()
    await until(lambda: not house.tasks(), "idle")
    assert (sending[0], await house.storage.jobs.unanswered()) == (3 * AT_ONCE, [])


async def test_an_answer_that_storage_cannot_note_for_long_is_noted_by_upkeep(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locked(*_: object) -> None:
        raise Unavailable("The database is locked.")

    monkeypatch.setattr(house.storage.jobs, "answered", locked)
    receipt = await house.say()
    await house.left(receipt.job.id)
    monkeypatch.undo()
    house.clock.now += FIRST_ROUND
    await house.studio.upkeep()
    await house.ended(receipt.job.id)
    assert len(house.courier.of(receipt.job.id)) == 1


async def test_an_answer_that_storage_cannot_note_is_noted_later_and_not_sent_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, attempts = house.storage.jobs.answered, []

    async def locked(job_id: str, message_id: int | None) -> JobRecord | None:
        attempts.append(job_id)
        if len(attempts) == 1:
            raise Unavailable("The database is locked.")
        return await answered(job_id, message_id)

    monkeypatch.setattr(house.storage.jobs, "answered", locked)
    job = await house.ended((await house.say()).job.id)
    assert len(attempts) == 2
    assert len(house.courier.of(job.id)) == 1


async def test_an_answer_that_storage_cannot_read_yet_is_brought_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, attempts = house.storage.files.result, []

    async def refusing(job_id: str) -> Path | None:
        attempts.append(job_id)
        if len(attempts) == 1:
            raise Unavailable("The disk does not answer.")
        return await result(job_id)

    monkeypatch.setattr(house.storage.files, "result", refusing)
    job = await house.ended((await house.say()).job.id)
    assert (job.state, house.slept) == (JobState.DELIVERED, [PAUSES[0]])


async def test_closing_does_not_wait_for_a_slow_delivery(house: House) -> None:
    held = asyncio.Event()

    async def never(_: object, *, last: bool) -> None:
        held.set()
        await asyncio.Event().wait()

    house.courier.deliver = never  # type: ignore[method-assign,assignment]  # Discord that does not answer
    await house.say()
    await held.wait()
    await asyncio.wait_for(house.studio.close(), 2)
    assert house.tasks() == []
