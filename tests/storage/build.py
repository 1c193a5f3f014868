"""Values for the tests of storage, with everything filled in that a test does not care about."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Unavailable
from storage.consent_records import Consent
from storage.database import Storage
from storage.records import (
    GuildSettings,
    JobKind,
    JobRecord,
    JobState,
    NewJob,
    NewVoice,
    Origin,
    VoiceModels,
    VoiceRecord,
)
from storage.sessions import AWAY

GUILD = 100_000_000_000_000_001
OTHER_GUILD = 100_000_000_000_000_002
CHANNEL = 200_000_000_000_000_001
ANNA = 300_000_000_000_000_001
BORIS = 300_000_000_000_000_002
CLARA = 300_000_000_000_000_003
ROLE = 400_000_000_000_000_001
OTHER_ROLE = 400_000_000_000_000_002
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MODELS = VoiceModels("suno/bark-small@1dbd7a1", "facebook/hubert-base-ls960", "quantifier_hubert_base_ls960_14.pth")
ORIGIN = Origin(7, "secret", NOON + timedelta(minutes=14))
PLENTY = GuildSettings(
    GUILD,
    voices_per_member=1000,
    voices_per_guild=1000,
    jobs_per_hour_per_member=1000,
    jobs_per_hour_per_guild=1000,
    seconds_per_day_per_member=100_000,
    seconds_per_day_per_guild=100_000,
)
_numbers = itertools.count(1)


def limits(**changes: Any) -> GuildSettings:
    """No limit that a test would reach, but for the ones it names."""
    return replace(PLENTY, **changes)


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


async def stored_job(storage: Storage, job_id: str) -> JobRecord:
    """A job that is stored."""
    return _there(await storage.jobs.find(job_id))


def new_voice(name: str = "Anna", *, owner: int = ANNA, speaker: int | None = ANNA, guild: int = GUILD) -> NewVoice:
    return NewVoice(guild, owner, speaker, name, "en", "a voice")


def new_job(job_id: str | None = None, *, member: int = ANNA, guild: int = GUILD, **other: Any) -> NewJob:
    kind = other.pop("kind", JobKind.SPEECH)
    return NewJob(job_id or f"job-{next(_numbers)}", kind, guild, CHANNEL, member, {"text": "Grüße, 世界"}, **other)


async def add_voice(storage: Storage, name: str = "Anna", **other: Any) -> VoiceRecord:
    return await storage.voices.add(
        new_voice(name, **other), MODELS, has_clip=False, member_limit=1000, guild_limit=1000
    )


async def reserve(storage: Storage, name: str = "Anna", **other: Any) -> tuple[VoiceRecord, JobRecord]:
    job = new_job(kind=JobKind.CLONE, **other)
    return await storage.acceptance.accept_clone(new_voice(name, owner=job.member_id, guild=job.guild_id), job, PLENTY)


async def speech_in(storage: Storage, state: JobState, job_id: str | None = None, **other: Any) -> JobRecord:
    """A job that went the usual way to `state`."""
    job = await storage.acceptance.accept_speech(new_job(job_id, **other), PLENTY)
    if state is JobState.QUEUED:
        return job
    if state is JobState.CANCELLED:
        return _there(await storage.jobs.cancel(job.id))
    _there(await storage.jobs.claim(job.id, "bot", timedelta(minutes=1)))
    job = _there(await storage.jobs.begun(job.id, "bot"))
    if state is JobState.RUNNING:
        return job
    if state is JobState.FAILED:
        return _there(await storage.jobs.fail(job.id, "InvalidInput", "That was not audio.", owner="bot"))
    job = _there(await storage.jobs.ready(job.id, {"seconds": 2.5, "seed": 7}, "bot"))
    return job if state is JobState.READY else _there(await storage.jobs.answered(job.id, 555))


def _there(job: JobRecord | None) -> JobRecord:
    if job is None:
        raise LookupError("the job did not move, or is not stored")
    return job


async def attest(storage: Storage, guild: int, member: int, policy_version: int = 1) -> Consent | None:
    """The member's word, kept with a voice; what is kept of it."""
    name = f"Voice {next(_numbers)}"
    voice = new_voice(name, owner=member, speaker=member, guild=guild)
    await storage.voices.add(
        voice, MODELS, has_clip=False, member_limit=1000, guild_limit=1000, policy_version=policy_version
    )
    return await storage.consents.get(guild, member)


def lose_the_next_commit(storage: Storage, monkeypatch: pytest.MonkeyPatch, *, commits: bool = True) -> None:
    """The connection breaks before the answer to the next commit. `commits`: the database has committed."""
    sessions = storage._sessions
    write = sessions.write

    @asynccontextmanager
    async def broken(**named: Any) -> AsyncIterator[AsyncSession]:
        monkeypatch.setattr(sessions, "write", write)
        error = Unavailable(AWAY)
        error.__cause__ = ConnectionResetError("the server closed the connection")
        async with write(**named) as session:
            yield session
            if not commits:
                raise error
        raise error

    monkeypatch.setattr(sessions, "write", broken)
