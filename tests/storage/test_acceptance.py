import asyncio
from dataclasses import replace

import pytest

from errors import Conflict, LimitReached, NotFound, Unavailable
from storage.database import Storage
from storage.records import GuildSettings, JobKind, JobState, VoiceState
from tests.storage.build import (
    ANNA,
    CHANNEL,
    GUILD,
    MODELS,
    NOON,
    ORIGIN,
    OTHER_GUILD,
    PLENTY,
    add_voice,
    limits,
    lose_the_next_commit,
    new_job,
    new_voice,
    reserve,
    stored_job,
)


async def test_an_accepted_line_comes_back_whole(storage: Storage) -> None:
    voice = await add_voice(storage)
    new = new_job(
        "line",
        private=True,
        voice_id=voice.id,
        origin=ORIGIN,
    )
    job = await storage.acceptance.accept_speech(new, PLENTY)
    assert job == await stored_job(storage, "line")
    assert (job.kind, job.state, job.guild_id, job.channel_id, job.member_id) == (
        JobKind.SPEECH,
        JobState.QUEUED,
        GUILD,
        CHANNEL,
        ANNA,
    )
    assert (job.order, job.private, job.voice_id, job.attempts, job.created_at) == (
        {"text": "Grüße, 世界"},
        True,
        voice.id,
        0,
        NOON,
    )
    assert (job.interaction_id, job.interaction_token, job.token_expires_at) == (
        ORIGIN.interaction_id,
        ORIGIN.token,
        ORIGIN.expires_at,
    )
    assert (job.result, job.error_kind, job.error_message, job.message_id, job.started_at) == (None,) * 5


async def test_a_clone_reserves_its_voice(storage: Storage) -> None:
    voice, job = await reserve(storage, "Anna")
    assert (voice.state, voice.name, voice.model) == (VoiceState.CLONING, "Anna", None)
    assert job.voice_id == voice.id
    assert await storage.voices.get(GUILD, voice.id) == voice


async def test_a_clone_whose_name_is_taken_leaves_no_job(storage: Storage) -> None:
    await add_voice(storage, "Anna")
    with pytest.raises(Conflict, match="anna"):
        await reserve(storage, "anna")
    assert await storage.jobs.queued() == []


async def test_a_line_for_a_voice_that_is_gone_reserved_or_elsewhere_is_refused(storage: Storage) -> None:
    reserved, clone = await reserve(storage, "Anna")
    elsewhere = await add_voice(storage, guild=OTHER_GUILD)
    for voice_id in (reserved.id, elsewhere.id, 999):
        with pytest.raises(NotFound, match="deleted"):
            await storage.acceptance.accept_speech(new_job(voice_id=voice_id), PLENTY)
    assert [job.id for job in await storage.jobs.queued()] == [clone.id]


async def test_a_repeated_interaction_gets_the_job_it_made(storage: Storage, twin: Storage) -> None:
    first = await storage.acceptance.accept_speech(new_job("one", origin=ORIGIN), PLENTY)
    again = await twin.acceptance.accept_speech(
        new_job("two", origin=ORIGIN), GuildSettings(GUILD, jobs_per_hour_per_member=0)
    )
    assert again == first
    assert [job.id for job in await storage.jobs.queued()] == [first.id]


async def test_a_repeated_id_gets_the_job_it_has(storage: Storage) -> None:
    first = await reserve(storage, "Anna", job_id="ask")
    assert await reserve(storage, "Anna", job_id="ask") == first


async def test_a_repeated_clone_gets_its_voice_and_job_unless_the_voice_is_gone(storage: Storage) -> None:
    first = await reserve(storage, "Anna", origin=ORIGIN)
    assert await reserve(storage, "Anna", origin=ORIGIN) == first
    await storage.voices.delete(GUILD, first[0].id)
    with pytest.raises(Conflict, match="start again"):
        await reserve(storage, "Anna", origin=ORIGIN)


async def test_one_interaction_at_once_makes_one_job(storage: Storage, twin: Storage) -> None:
    accepts = [side.acceptance.accept_speech(new_job(origin=ORIGIN), PLENTY) for side in [storage, twin] * 10]
    assert len({job.id for job in await asyncio.gather(*accepts)}) == 1


@pytest.mark.parametrize("limit", ["jobs_per_hour_per_member", "jobs_per_hour_per_guild"])
async def test_twenty_at_once_cannot_pass_a_limit_of_one(storage: Storage, twin: Storage, limit: str) -> None:
    allowed = limits(**{limit: 1})
    accepts = [side.acceptance.accept_speech(new_job(), allowed) for side in [storage, twin] * 10]
    outcomes = await asyncio.gather(*accepts, return_exceptions=True)
    assert sum(isinstance(outcome, LimitReached) for outcome in outcomes) == 19
    assert len(await storage.jobs.queued()) == 1


async def test_clones_count_as_clones_and_their_voices_as_voices(storage: Storage) -> None:
    allowed = limits(voices_per_member=1)
    job = new_job("a", kind=JobKind.CLONE)
    voice, _ = await storage.acceptance.accept_clone(new_voice("a"), job, allowed)
    with pytest.raises(LimitReached, match="already have 1 voice"):
        await storage.acceptance.accept_clone(new_voice("b"), replace(job, id="b"), allowed)
    await storage.voices.make_ready(GUILD, voice.id, MODELS, None, has_clip=True)
    with pytest.raises(LimitReached, match="already have 1 voice"):
        await storage.acceptance.accept_clone(new_voice("b"), replace(job, id="b"), allowed)
    await storage.voices.delete(GUILD, voice.id)
    await storage.acceptance.accept_clone(new_voice("b"), replace(job, id="b"), allowed)


async def test_what_was_accepted_though_its_answer_was_lost_comes_back(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_the_next_commit(storage, monkeypatch)
    job = await storage.acceptance.accept_speech(new_job("line"), PLENTY)
    assert job == await stored_job(storage, "line")
    lose_the_next_commit(storage, monkeypatch)
    voice, clone = await storage.acceptance.accept_clone(new_voice("Ann"), new_job("clone", kind=JobKind.CLONE), PLENTY)
    assert clone == await stored_job(storage, "clone")
    assert clone.voice_id == voice.id


async def test_what_was_not_accepted_is_refused(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_the_next_commit(storage, monkeypatch, commits=False)
    with pytest.raises(Unavailable):
        await storage.acceptance.accept_speech(new_job("line"), PLENTY)
    lose_the_next_commit(storage, monkeypatch, commits=False)
    with pytest.raises(Unavailable):
        await storage.acceptance.accept_clone(new_voice("Ann"), new_job("clone", kind=JobKind.CLONE), PLENTY)
    assert await storage.jobs.queued() == []
    assert await storage.guilds.all_ids() == []
