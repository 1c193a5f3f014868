import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from storage.database import Storage
from storage.records import JobRecord, JobState
from tests.storage.build import (
    ANNA,
    BORIS,
    GUILD,
    MODELS,
    ORIGIN,
    OTHER_GUILD,
    Clock,
    add_voice,
    reserve,
    speech_in,
    stored_job,
)

LEASE = timedelta(minutes=1)


async def test_the_queue_is_in_order_of_acceptance_even_when_the_clock_stands(storage: Storage) -> None:
    ids = [f"{name}-{n}" for n, name in enumerate("zyxabc")]
    for n, job_id in enumerate(ids):
        await speech_in(storage, JobState.QUEUED, job_id, guild=[GUILD, OTHER_GUILD][n % 2])
    assert [job.id for job in await storage.jobs.queued()] == ids
    await storage.jobs.claim(ids[0], "bot", LEASE)
    await storage.jobs.requeue(ids[0], "bot")
    assert [job.id for job in await storage.jobs.queued()] == ids


async def test_a_job_that_another_process_holds_is_not_moved(storage: Storage) -> None:
    before = await speech_in(storage, JobState.RUNNING, "line")
    for move in (
        storage.jobs.begun("line", "other"),
        storage.jobs.ready("line", {}, "other"),
        storage.jobs.fail("line", "Unknown", "ref", owner="other"),
        storage.jobs.requeue("line", "other"),
    ):
        assert await move is None
    assert await stored_job(storage, "line") == before


async def test_the_queue_is_read_in_pages(storage: Storage) -> None:
    ids = [(await speech_in(storage, JobState.QUEUED)).id for _ in range(5)]
    await storage.jobs.claim(ids[1], "bot", LEASE)
    first = await storage.jobs.queued(limit=2)
    rest = await storage.jobs.queued(after=first[-1].sequence, limit=9)
    assert [job.id for job in (*first, *rest)] == [ids[0], *ids[2:]]
    assert await storage.jobs.queued(after=rest[-1].sequence) == []


async def test_jobs_are_got_by_their_ids(storage: Storage) -> None:
    ids = [(await speech_in(storage, JobState.QUEUED)).id for _ in range(3)]
    assert [job.id for job in await storage.jobs.of_ids([ids[2], ids[0], "unknown"])] == [ids[0], ids[2]]
    assert await storage.jobs.of_ids([]) == []


async def test_ended_clones_that_still_reserve_a_name_are_found(storage: Storage) -> None:
    cancelled, working, done = [(await reserve(storage, name))[1] for name in ("Anna", "Boris", "Clara")]
    assert done.voice_id is not None
    await storage.voices.make_ready(GUILD, done.voice_id, MODELS, None, has_clip=False)
    assert await storage.jobs.reserving() == []

    for job in (cancelled, done):
        await storage.jobs.cancel(job.id)
    assert [job.id for job in await storage.jobs.reserving()] == [cancelled.id]
    assert working.state is JobState.QUEUED
    assert cancelled.voice_id is not None
    await storage.voices.delete(GUILD, cancelled.voice_id)
    assert await storage.jobs.reserving() == []


async def test_a_claim_takes_a_lease_and_what_a_worker_begins_counts(storage: Storage, clock: Clock) -> None:
    await speech_in(storage, JobState.QUEUED, "line")
    clock.advance(seconds=5)
    claimed = await storage.jobs.claim("line", "bot", LEASE)
    assert claimed is not None
    assert (claimed.attempts, claimed.started_at) == (0, None)
    clock.advance(seconds=5)
    job = await storage.jobs.begun("line", "bot")
    assert job is not None
    assert (job.state, job.attempts, job.started_at) == (JobState.RUNNING, 1, clock.now)
    assert (job.lease_owner, job.lease_until) == ("bot", clock.now + LEASE - timedelta(seconds=5))
    assert await storage.jobs.running() == [job]
    assert await storage.jobs.queued() == []


async def test_one_of_many_claims_wins(storage: Storage, twin: Storage) -> None:
    await speech_in(storage, JobState.QUEUED, "line")
    claims = [side.jobs.claim("line", f"bot {n}", LEASE) for n, side in enumerate([storage, twin] * 10)]
    winners = [job for job in await asyncio.gather(*claims) if job is not None]
    assert len(winners) == 1
    assert (await stored_job(storage, "line")).lease_owner == winners[0].lease_owner


async def test_only_the_holder_renews_and_learns_what_it_lost(storage: Storage, clock: Clock) -> None:
    for job_id in ("mine", "lost", "theirs"):
        await speech_in(storage, JobState.QUEUED, job_id)
        await storage.jobs.claim(job_id, "other" if job_id == "theirs" else "bot", LEASE)
    await storage.jobs.cancel("lost")
    clock.advance(seconds=30)
    assert await storage.jobs.renew(["mine", "lost", "theirs", "unknown"], "bot", LEASE) == {"mine"}
    clock.advance(seconds=30)
    assert [job.id for job in await storage.jobs.expired(clock.now)] == ["theirs"]
    clock.advance(seconds=30)
    assert [job.id for job in await storage.jobs.expired(clock.now)] == ["mine", "theirs"]


@pytest.mark.parametrize(("refund", "attempts"), [(False, 1), (True, 0)])
async def test_requeueing_lets_go_of_the_lease(storage: Storage, refund: bool, attempts: int) -> None:
    await speech_in(storage, JobState.RUNNING, "line")
    job = await storage.jobs.requeue("line", "bot", refund_attempt=refund)
    assert job is not None
    assert (job.state, job.attempts) == (JobState.QUEUED, attempts)
    assert (job.lease_owner, job.lease_until, job.started_at) == (None, None, None)


Move = Callable[[Storage], Awaitable[JobRecord | None]]
MOVES: dict[str, tuple[Move, dict[JobState, JobState]]] = {
    "claim": (lambda s: s.jobs.claim("line", "bot", LEASE), {JobState.QUEUED: JobState.RUNNING}),
    "requeue": (lambda s: s.jobs.requeue("line", "bot"), {JobState.RUNNING: JobState.QUEUED}),
    "ready": (lambda s: s.jobs.ready("line", {"seconds": 1.0}, "bot"), {JobState.RUNNING: JobState.READY}),
    "fail": (
        lambda s: s.jobs.fail("line", "Unavailable", "The worker keeps failing.", owner="bot"),
        {JobState.RUNNING: JobState.FAILED},
    ),
    "fail waiting": (
        lambda s: s.jobs.fail("line", "Unavailable", "The worker cannot start.", owner=None),
        {JobState.QUEUED: JobState.FAILED},
    ),
    "begun": (lambda s: s.jobs.begun("line", "bot"), {JobState.RUNNING: JobState.RUNNING}),
    "cancel": (
        lambda s: s.jobs.cancel("line"),
        {JobState.QUEUED: JobState.CANCELLED, JobState.RUNNING: JobState.CANCELLED},
    ),
    "answered": (
        lambda s: s.jobs.answered("line", 1),
        {
            JobState.READY: JobState.DELIVERED,
            JobState.FAILED: JobState.FAILED,
            JobState.CANCELLED: JobState.CANCELLED,
        },
    ),
}


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("name", MOVES)
async def test_each_move_from_each_state(storage: Storage, name: str, state: JobState) -> None:
    move, allowed = MOVES[name]
    before = await speech_in(storage, state, "line")
    after = await move(storage)
    if state in allowed:
        assert after is not None and after.state is allowed[state]
        assert after == await stored_job(storage, "line")
    else:
        assert after is None
        assert before == await stored_job(storage, "line")


@pytest.mark.parametrize("name", MOVES)
async def test_a_move_of_an_unknown_job_is_nothing(storage: Storage, name: str) -> None:
    assert await MOVES[name][0](storage) is None
    assert await storage.jobs.find("line") is None


async def test_what_finished_jobs_remember(storage: Storage, clock: Clock) -> None:
    ready = await speech_in(storage, JobState.READY)
    failed = await speech_in(storage, JobState.FAILED)
    cancelled = await speech_in(storage, JobState.CANCELLED)
    assert ready.result == {"seconds": 2.5, "seed": 7}
    assert (failed.error_kind, failed.error_message) == ("InvalidInput", "That was not audio.")
    for job in (ready, failed, cancelled):
        assert job.finished_at == clock.now
        assert (job.lease_owner, job.lease_until, job.answered_at) == (None, None, None)


async def test_an_answer_is_kept_once_and_forgets_the_token(storage: Storage, clock: Clock) -> None:
    await speech_in(storage, JobState.READY, "line", origin=ORIGIN)
    clock.advance(seconds=1)
    job = await storage.jobs.answered("line", 555)
    assert job is not None
    assert (job.state, job.message_id, job.answered_at, job.interaction_token) == (
        JobState.DELIVERED,
        555,
        clock.now,
        None,
    )
    assert await storage.jobs.answered("line", 556) is None
    assert (await stored_job(storage, "line")).message_id == 555


async def test_one_of_many_answers_counts(storage: Storage, twin: Storage) -> None:
    await speech_in(storage, JobState.FAILED, "line")
    answers = [side.jobs.answered("line", n) for n, side in enumerate([storage, twin] * 5, start=1)]
    kept = [job for job in await asyncio.gather(*answers) if job is not None]
    assert len(kept) == 1
    assert (await stored_job(storage, "line")).message_id == kept[0].message_id


async def test_unanswered_jobs_are_those_that_ended_without_an_answer(storage: Storage) -> None:
    expected = []
    for state in JobState:
        job = await speech_in(storage, state)
        if state in (JobState.READY, JobState.FAILED, JobState.CANCELLED):
            expected.append(job.id)
    answered = await speech_in(storage, JobState.FAILED)
    await storage.jobs.answered(answered.id, None)
    assert await storage.jobs.unanswered() == expected


async def test_an_answer_is_claimed_from_whom_it_was_seen_with(storage: Storage) -> None:
    job = await speech_in(storage, JobState.READY, "line")
    assert job.lease_owner is None
    first = await storage.jobs.claim_answer("line", "one", LEASE, held_by=None)
    assert first is not None
    assert first.lease_owner == "one"
    assert await storage.jobs.claim_answer("line", "two", LEASE, held_by=None) is None
    assert await storage.jobs.claim_answer("line", "two", LEASE, held_by="one") is not None
    answered = await storage.jobs.answered("line", None)
    assert answered is not None
    assert (answered.lease_owner, answered.lease_until) == (None, None)
    assert await storage.jobs.claim_answer("line", "two", LEASE, held_by=None) is None


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.DELIVERED])
async def test_only_a_finished_job_has_an_answer_to_claim(storage: Storage, state: JobState) -> None:
    job = await speech_in(storage, state, "line")
    assert await storage.jobs.claim_answer("line", "one", LEASE, held_by=job.lease_owner) is None


async def test_whose_jobs_are_listed(storage: Storage) -> None:
    voice = await add_voice(storage)
    mine = await speech_in(storage, JobState.QUEUED, voice_id=voice.id)
    done = await speech_in(storage, JobState.DELIVERED, voice_id=voice.id)
    theirs = await speech_in(storage, JobState.QUEUED, member=BORIS)
    await speech_in(storage, JobState.QUEUED, guild=OTHER_GUILD)
    jobs = storage.jobs
    assert await jobs.of_member(GUILD, ANNA) == [done, mine]
    assert await jobs.of_member(GUILD, ANNA, limit=1) == [done]
    assert await jobs.of_member(GUILD, ANNA, states=[JobState.QUEUED]) == [mine]
    assert await jobs.of_guild(GUILD, [JobState.QUEUED]) == [mine, theirs]
    assert await jobs.of_guild(GUILD, [JobState.QUEUED], limit=1) == [mine]
    assert await jobs.of_voice(GUILD, voice.id, [JobState.QUEUED, JobState.DELIVERED]) == [mine, done]
    assert await jobs.of_voice(OTHER_GUILD, voice.id, list(JobState)) == []


async def test_a_job_still_knows_the_voice_that_was_deleted(storage: Storage) -> None:
    voice = await add_voice(storage)
    job = await speech_in(storage, JobState.QUEUED, voice_id=voice.id)
    await storage.voices.delete(GUILD, voice.id)
    assert (await stored_job(storage, job.id)).voice_id == voice.id


async def test_retention_is_each_servers_own_and_spares_what_is_not_finished(storage: Storage, clock: Clock) -> None:
    old = [(await speech_in(storage, state)).id for state in JobState]
    elsewhere = await speech_in(storage, JobState.DELIVERED, guild=OTHER_GUILD)
    clock.advance(days=2)
    recent = await speech_in(storage, JobState.DELIVERED)
    day_ago = clock.now - timedelta(days=1)
    week_ago = clock.now - timedelta(days=7)
    assert set(await storage.jobs.delete_finished({GUILD: day_ago, OTHER_GUILD: week_ago})) == set(old[2:])
    left = await storage.jobs.of_guild(GUILD, list(JobState))
    assert [job.id for job in left] == [*old[:2], recent.id]
    assert await storage.jobs.delete_finished({}) == []
    assert await storage.jobs.delete_finished({GUILD: day_ago, OTHER_GUILD: day_ago}) == [elsewhere.id]


async def test_old_jobs_are_deleted_some_at_a_time(storage: Storage, clock: Clock) -> None:
    old = {(await speech_in(storage, JobState.DELIVERED, guild=guild)).id for guild in 3 * (GUILD, OTHER_GUILD)}
    clock.advance(minutes=1)
    moments = {GUILD: clock.now, OTHER_GUILD: clock.now - timedelta(seconds=1)}
    deleted = [await storage.jobs.delete_finished(moments, limit=4) for _ in range(3)]
    assert [len(ids) for ids in deleted] == [4, 2, 0]
    assert {job_id for ids in deleted for job_id in ids} == old


async def test_a_members_jobs_are_deleted_in_one_server(storage: Storage) -> None:
    mine = [(await speech_in(storage, state)).id for state in JobState]
    others = await speech_in(storage, JobState.QUEUED, member=BORIS)
    elsewhere = await speech_in(storage, JobState.QUEUED, guild=OTHER_GUILD)
    assert sorted(await storage.jobs.delete_of_member(GUILD, ANNA)) == sorted(mine)
    assert [job.id for job in await storage.jobs.queued()] == [others.id, elsewhere.id]


async def test_the_text_of_a_line_is_forgotten_and_its_order_stays(storage: Storage) -> None:
    job = await speech_in(storage, JobState.RUNNING)
    await storage.jobs.ready(job.id, {"seconds": 2.5, "left_out": ["мир"]}, "bot")
    await storage.jobs.answered(job.id, None)
    await storage.jobs.forget_text(job.id)
    await storage.jobs.forget_text("unknown")
    kept = await stored_job(storage, job.id)
    assert (
        kept.order == {name: value for name, value in job.order.items() if name not in ("text", "words")} != job.order
    )
    assert kept.result == {"seconds": 2.5}
