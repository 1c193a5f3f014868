from datetime import timedelta

import pytest
from sqlalchemy import text

from errors import LimitReached
from storage.database import Storage
from storage.records import GuildSettings, JobKind, JobState
from storage.sessions import Sessions
from tests.storage.build import ANNA, BORIS, GUILD, OTHER_GUILD, PLENTY, Clock, limits, new_job, new_voice, speech_in


async def spoken(storage: Storage, seconds: float, *, member: int = ANNA, guild: int = GUILD) -> str:
    """A delivered line of this length."""
    job = await speech_in(storage, JobState.RUNNING, member=member, guild=guild)
    await storage.jobs.ready(job.id, {"seconds": seconds}, "bot")
    return job.id


async def accept(storage: Storage, allowed: GuildSettings, *, expected: float = 0.0, member: int = ANNA) -> None:
    await storage.acceptance.accept_speech(new_job(member=member, expected_seconds=expected), allowed)


async def test_an_hour_is_a_span_that_ends_now(storage: Storage, clock: Clock) -> None:
    allowed = limits(jobs_per_hour_per_member=2)
    await accept(storage, allowed)
    clock.advance(minutes=20)
    await accept(storage, allowed)
    clock.advance(minutes=15, seconds=1)
    with pytest.raises(
        LimitReached, match=r"used all 2 of your requests for this hour\. Please try again in 25 minutes\."
    ):
        await accept(storage, allowed)
    await accept(storage, allowed, member=BORIS)
    clock.advance(minutes=24, seconds=58)
    with pytest.raises(LimitReached, match="in 1 minute"):
        await accept(storage, allowed)
    clock.advance(seconds=1)
    await accept(storage, allowed)


async def test_a_clock_that_was_a_month_ahead_does_not_use_up_the_month(storage: Storage, clock: Clock) -> None:
    allowed = limits(jobs_per_hour_per_member=1, jobs_per_hour_per_guild=2, seconds_per_day_per_member=10)
    clock.advance(days=30)
    await accept(storage, allowed, expected=10)
    clock.advance(days=-30)
    await accept(storage, allowed, expected=10)
    with pytest.raises(LimitReached, match="try again in 60 minutes"):
        await accept(storage, allowed)


async def test_a_clock_a_little_ahead_counts(storage: Storage, clock: Clock) -> None:
    clock.advance(minutes=4)
    await accept(storage, limits(jobs_per_hour_per_member=1))
    clock.advance(minutes=-4)
    with pytest.raises(LimitReached, match="try again in 64 minutes"):
        await accept(storage, limits(jobs_per_hour_per_member=1))


async def test_a_lowered_limit_waits_for_more_than_the_oldest(storage: Storage, clock: Clock) -> None:
    for _ in range(3):
        await accept(storage, PLENTY)
        clock.advance(minutes=10)
    with pytest.raises(LimitReached, match=r"used your one request for this hour\. Please try again in 50 minutes"):
        await accept(storage, limits(jobs_per_hour_per_member=1))


async def test_the_servers_hour_counts_everybody_and_clones_too(storage: Storage) -> None:
    allowed = limits(jobs_per_hour_per_guild=2)
    await storage.acceptance.accept_clone(new_voice("a"), new_job(kind=JobKind.CLONE), allowed)
    await accept(storage, allowed, member=BORIS)
    with pytest.raises(LimitReached, match="This server has used all 2 of its requests for this hour"):
        await accept(storage, allowed)
    with pytest.raises(LimitReached, match="This server"):
        await storage.acceptance.accept_clone(new_voice("b"), new_job(kind=JobKind.CLONE), allowed)
    await storage.acceptance.accept_speech(
        new_job(guild=OTHER_GUILD), limits(guild_id=OTHER_GUILD, jobs_per_hour_per_guild=2)
    )


async def test_what_is_not_hourly_neither_uses_the_hour_nor_waits_for_it(storage: Storage) -> None:
    allowed = limits(jobs_per_hour_per_member=1, jobs_per_hour_per_guild=1)
    for _ in range(2):
        await storage.acceptance.accept_speech(new_job(hourly=False), allowed)
    await storage.jobs.delete_of_member(GUILD, ANNA)
    await accept(storage, allowed)
    await storage.acceptance.accept_speech(new_job(hourly=False), allowed)
    with pytest.raises(LimitReached, match="for this hour"):
        await accept(storage, allowed)
    used_up = limits(seconds_per_day_per_member=10)
    with pytest.raises(LimitReached, match="of speech a day"):
        await storage.acceptance.accept_speech(new_job(hourly=False, expected_seconds=11), used_up)


@pytest.mark.parametrize(
    "limit",
    [
        "jobs_per_hour_per_member",
        "jobs_per_hour_per_guild",
        "seconds_per_day_per_member",
        "seconds_per_day_per_guild",
    ],
)
async def test_a_limit_of_nothing_never_frees(storage: Storage, limit: str) -> None:
    with pytest.raises(LimitReached, match="A moderator can change the limit"):
        await accept(storage, limits(**{limit: 0}))


async def test_seconds_free_when_enough_of_them_are_a_day_old(storage: Storage, clock: Clock) -> None:
    allowed = limits(seconds_per_day_per_member=60)
    await spoken(storage, 25)
    clock.advance(hours=1)
    await spoken(storage, 35)
    clock.advance(hours=1)
    with pytest.raises(LimitReached, match=r"60 seconds of speech a day.* in about 22 hours\."):
        await accept(storage, allowed, expected=20)
    with pytest.raises(LimitReached, match="in about 23 hours"):
        await accept(storage, allowed, expected=30)
    with pytest.raises(LimitReached, match="in about 22 hours"):
        await accept(storage, allowed)
    await accept(storage, allowed, expected=30, member=BORIS)
    clock.advance(hours=22)
    await accept(storage, allowed, expected=20)


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ("jobs_per_hour_per_member", "Members of this server cannot make requests right now"),
        ("jobs_per_hour_per_guild", "This server takes no requests right now"),
    ],
)
async def test_nobody_is_said_to_have_used_up_nothing(storage: Storage, limit: str, sentence: str) -> None:
    with pytest.raises(LimitReached, match=sentence):
        await accept(storage, limits(**{limit: 0}))


async def test_more_than_a_whole_day_is_said_at_once(storage: Storage) -> None:
    with pytest.raises(LimitReached, match=r"over your limit of 30 minutes of speech a day\. Shorten .* moderator"):
        await accept(storage, limits(seconds_per_day_per_member=1800), expected=1801)


async def test_the_servers_seconds_count_everybody(storage: Storage) -> None:
    allowed = limits(seconds_per_day_per_guild=60)
    await spoken(storage, 40)
    await spoken(storage, 19, member=BORIS)
    await spoken(storage, 60, guild=OTHER_GUILD)
    with pytest.raises(LimitReached, match="over the server's limit of 60 seconds of speech a day"):
        await accept(storage, allowed, expected=2)
    await accept(storage, allowed, expected=1)


async def test_waiting_lines_count_with_what_they_will_take(storage: Storage) -> None:
    allowed = limits(seconds_per_day_per_member=10)
    await accept(storage, allowed, expected=6)
    with pytest.raises(LimitReached):
        await accept(storage, allowed, expected=6)
    waiting = (await storage.jobs.queued())[0]
    await storage.jobs.claim(waiting.id, "bot", timedelta(minutes=1))
    await storage.jobs.ready(waiting.id, {"seconds": 3.0}, "bot")
    await accept(storage, allowed, expected=6)


@pytest.mark.parametrize("ending", ["cancel", "fail"])
async def test_lines_that_came_to_nothing_give_their_seconds_back(storage: Storage, ending: str) -> None:
    allowed = limits(seconds_per_day_per_member=10)
    await accept(storage, allowed, expected=10)
    job = (await storage.jobs.queued())[0]
    await (
        storage.jobs.cancel(job.id) if ending == "cancel" else storage.jobs.fail(job.id, "Unknown", "ref", owner=None)
    )
    await accept(storage, allowed, expected=10)


async def test_forgetting_makes_no_room_in_an_hour(storage: Storage, clock: Clock) -> None:
    allowed = limits(jobs_per_hour_per_member=1)
    await accept(storage, allowed)
    await storage.jobs.delete_of_member(GUILD, ANNA)
    with pytest.raises(LimitReached, match="your one request for this hour"):
        await accept(storage, allowed)
    clock.advance(hours=1, seconds=1)
    await accept(storage, allowed)


@pytest.mark.parametrize("whose", ["seconds_per_day_per_member", "seconds_per_day_per_guild"])
async def test_a_short_retention_makes_no_room_in_a_day(storage: Storage, clock: Clock, whose: str) -> None:
    allowed = limits(**{whose: 100})
    await spoken(storage, 90)
    clock.advance(hours=2)
    assert len(await storage.jobs.delete_finished({GUILD: clock.now})) == 1
    with pytest.raises(LimitReached, match="of speech a day"):
        await accept(storage, allowed, expected=20)
    await accept(storage, allowed, expected=10)
    clock.advance(hours=22, seconds=1)
    await accept(storage, allowed, expected=90)


async def test_what_was_used_is_remembered_for_a_day(storage: Storage, clock: Clock, address: str) -> None:
    await spoken(storage, 90)
    await storage.jobs.delete_of_member(GUILD, ANNA)
    assert await rows(address, "SELECT member_id, audio_seconds FROM spent") == [(ANNA, 90.0)]
    clock.advance(days=1)
    await storage.jobs.delete_finished({GUILD: clock.now})
    assert await rows(address, "SELECT member_id, audio_seconds FROM spent") == []


async def rows(address: str, sql: str) -> list[tuple[object, ...]]:
    sessions = Sessions(address, busy_timeout=1)
    async with sessions.read() as session:
        found = [tuple(row) for row in await session.execute(text(sql))]
    await sessions.close()
    return found
