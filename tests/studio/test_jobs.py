"""A member's own jobs."""

import pytest

from errors import Conflict, NotAllowed, NotFound
from storage.records import JobState, Visibility
from tests.studio.conftest import ANN, BOB, GUILD, MOD, STRANGER, StudioHarness, until


async def test_mine_shows_what_runs_waits_and_awaits_its_answer(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    lost = await harness.say("undelivered")
    await harness.left(lost.id)
    harness.courier.reachable = True
    delivered = await harness.say("delivered")
    await harness.ended(delivered.id)
    release = harness.executor.hold()
    running = await harness.say("running")
    await harness.reaches(running.id, JobState.RUNNING)
    waiting = await harness.say("waiting")
    other = await harness.say("of another", actor=BOB)
    assert [(job.id, place) for job, place in await harness.studio.jobs.mine(ANN)] == [
        (waiting.id, 2),
        (running.id, 0),
        (lost.id, None),
    ]
    assert [job.id for job, _ in await harness.studio.jobs.mine(BOB)] == [other.id]
    assert await harness.studio.jobs.mine(STRANGER) == []
    release()
    for accepted in (running, waiting, other):
        await harness.ended(accepted.id)


async def test_cancel_is_for_the_member_and_for_moderators(harness: StudioHarness) -> None:
    harness.executor.hold()
    mine, theirs = await harness.say("one"), await harness.say("two")
    for actor in (BOB, STRANGER):
        with pytest.raises(NotFound):
            await harness.studio.jobs.cancel(actor, mine.id)
    assert (await harness.studio.jobs.cancel(ANN, mine.id)).state is JobState.CANCELLED
    await harness.studio.jobs.cancel(MOD, theirs.id)
    with pytest.raises(Conflict, match="ended"):
        await harness.studio.jobs.cancel(ANN, mine.id)
    await harness.ended(mine.id)
    await harness.ended(theirs.id)


async def test_a_result_that_nobody_could_bring_can_be_fetched_until_it_arrived(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    accepted = await harness.say()
    await harness.left(accepted.id)
    for actor in (BOB, MOD, STRANGER):
        with pytest.raises(NotFound):
            await harness.studio.jobs.fetch(actor, accepted.id)
    for _ in range(2):
        outcome = await harness.studio.jobs.fetch(ANN, accepted.id)
        assert outcome.audio is not None
        assert outcome.audio.read_bytes().startswith(b"OggS")
        assert [job.id for job, _ in await harness.studio.jobs.mine(ANN)] == [accepted.id]
    await harness.studio.jobs.fetched(outcome)
    assert await harness.studio.jobs.mine(ANN) == []
    assert (await harness.job(accepted.id)).state is JobState.DELIVERED
    assert harness.files() == []
    assert (await harness.studio.jobs.fetch(ANN, accepted.id)).audio is None


async def test_many_jobs_that_ended_do_not_hide_one_that_waits(harness: StudioHarness) -> None:
    harness.executor.hold()
    first = await harness.say("first")
    waits = await harness.say("waits")
    for _ in range(26):
        await harness.studio.jobs.cancel(ANN, (await harness.say("never mind")).id)

    async def all_answered() -> bool:
        return not await harness.storage.jobs.unanswered()

    await until(all_answered, "the answers")
    assert [job.id for job, _ in await harness.studio.jobs.mine(ANN)] == [waits.id, first.id]


async def test_what_is_not_done_cannot_be_fetched(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    accepted = await harness.say()
    with pytest.raises(Conflict, match="not done"):
        await harness.studio.jobs.fetch(ANN, accepted.id)
    with pytest.raises(NotFound):
        await harness.studio.jobs.fetch(ANN, "nothing")
    release()
    await harness.ended(accepted.id)


async def test_a_failure_that_nobody_heard_of_is_fetched(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    harness.executor.fail_next()
    accepted = await harness.say()
    await harness.reaches(accepted.id, JobState.FAILED)
    await until(lambda: not harness.tasks(), "idle")
    outcome = await harness.studio.jobs.fetch(ANN, accepted.id)
    assert (outcome.job.state, outcome.audio) == (JobState.FAILED, None)
    await harness.studio.jobs.fetched(outcome)
    assert await harness.studio.jobs.mine(ANN) == []


@pytest.mark.parametrize("lost", ["the share", "the role", "the channel", "a block", "the owner"])
async def test_an_answer_is_fetched_with_the_rights_of_that_moment(harness: StudioHarness, lost: str) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    harness.courier.reachable = False
    accepted = await harness.say(actor=BOB, voice=key)
    await harness.left(accepted.id)
    assert (await harness.studio.jobs.fetch(BOB, accepted.id)).audio is not None
    if lost == "the share":
        await harness.studio.library.share(ANN, key, Visibility.OWNER, (), ())
    elif lost == "the role":
        await harness.storage.guilds.change(GUILD, speak_role_ids=frozenset({99}))
    elif lost == "the channel":
        await harness.storage.guilds.change(GUILD, channel_ids=frozenset({99}))
    elif lost == "a block":
        await harness.storage.members.block(GUILD, BOB.member_id, MOD.member_id)
    else:
        harness.courier.left.add(ANN.member_id)
    with pytest.raises(NotAllowed):
        await harness.studio.jobs.fetch(BOB, accepted.id)
