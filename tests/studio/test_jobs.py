"""A member's own jobs."""

import pytest

from errors import Conflict, NotFound
from storage.records import JobState
from tests.studio.conftest import ANN, BOB, MOD, STRANGER, House, until


async def test_mine_shows_what_runs_waits_and_awaits_its_answer(house: House) -> None:
    house.courier.reachable = False
    lost = await house.say("undelivered")
    await house.left(lost.job.id)
    house.courier.reachable = True
    delivered = await house.say("delivered")
    await house.ended(delivered.job.id)
    release = house.executor.hold()
    running = await house.say("running")
    await house.reaches(running.job.id, JobState.RUNNING)
    waiting = await house.say("waiting")
    other = await house.say("of another", actor=BOB)
    assert [(job.id, place) for job, place in await house.studio.jobs.mine(ANN)] == [
        (waiting.job.id, 2),
        (running.job.id, 0),
        (lost.job.id, None),
    ]
    assert [job.id for job, _ in await house.studio.jobs.mine(BOB)] == [other.job.id]
    assert await house.studio.jobs.mine(STRANGER) == []
    release()
    for receipt in (running, waiting, other):
        await house.ended(receipt.job.id)


async def test_cancel_is_for_the_member_and_for_moderators(house: House) -> None:
    house.executor.hold()
    mine, theirs = await house.say("one"), await house.say("two")
    for actor in (BOB, STRANGER):
        with pytest.raises(NotFound):
            await house.studio.jobs.cancel(actor, mine.job.id)
    assert (await house.studio.jobs.cancel(ANN, mine.job.id)).state is JobState.CANCELLED
    await house.studio.jobs.cancel(MOD, theirs.job.id)
    with pytest.raises(Conflict, match="ended"):
        await house.studio.jobs.cancel(ANN, mine.job.id)
    await house.ended(mine.job.id)
    await house.ended(theirs.job.id)


async def test_a_result_that_nobody_could_bring_can_be_fetched_until_it_arrived(house: House) -> None:
    house.courier.reachable = False
    receipt = await house.say()
    await house.left(receipt.job.id)
    for actor in (BOB, MOD, STRANGER):
        with pytest.raises(NotFound):
            await house.studio.jobs.fetch(actor, receipt.job.id)
    for _ in range(2):
        outcome = await house.studio.jobs.fetch(ANN, receipt.job.id)
        assert outcome.audio is not None
        assert outcome.audio.read_bytes().startswith(b"OggS")
        assert [job.id for job, _ in await house.studio.jobs.mine(ANN)] == [receipt.job.id]
    await house.studio.jobs.fetched(outcome)
    assert await house.studio.jobs.mine(ANN) == []
    assert (await house.storage.jobs.get(receipt.job.id)).state is JobState.DELIVERED
    assert house.files() == []
    assert (await house.studio.jobs.fetch(ANN, receipt.job.id)).audio is None


async def test_many_jobs_that_ended_do_not_hide_one_that_waits(house: House) -> None:
    house.executor.hold()
    first = await house.say("first")
    waits = await house.say("waits")
    for _ in range(26):
        await house.studio.jobs.cancel(ANN, (await house.say("never mind")).job.id)

    async def all_answered() -> bool:
        return not await house.storage.jobs.unanswered()

    await until(all_answered, "the answers")
    assert [job.id for job, _ in await house.studio.jobs.mine(ANN)] == [waits.job.id, first.job.id]


async def test_what_is_not_done_cannot_be_fetched(house: House) -> None:
    release = house.executor.hold()
    receipt = await house.say()
    with pytest.raises(Conflict, match="not done"):
        await house.studio.jobs.fetch(ANN, receipt.job.id)
    with pytest.raises(NotFound):
        await house.studio.jobs.fetch(ANN, "nothing")
    release()
    await house.ended(receipt.job.id)


async def test_a_failure_that_nobody_heard_of_is_fetched(house: House) -> None:
    house.courier.reachable = False
    house.executor.fail_next()
    receipt = await house.say()
    await house.reaches(receipt.job.id, JobState.FAILED)
    await until(lambda: not house.tasks(), "idle")
    outcome = await house.studio.jobs.fetch(ANN, receipt.job.id)
    assert (outcome.job.state, outcome.audio) == (JobState.FAILED, None)
    await house.studio.jobs.fetched(outcome)
    assert await house.studio.jobs.mine(ANN) == []
