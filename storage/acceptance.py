"""Accepts jobs: checks the limits and stores a job with its voice, consent and audit line, in one transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict, NotFound, Unavailable
from storage.columns import Clock
from storage.consent_records import ConsentState, SpokenYes
from storage.consents import answer_once, store_confirmation
from storage.erasures import check_not_erased
from storage.limits import check_jobs, check_seconds, check_voices
from storage.models import AuditRow, ConsentRequestRow, JobRow, SpentRow, VoiceRow
from storage.records import GuildSettings, JobRecord, JobState, NewJob, NewVoice, VoiceRecord, VoiceState
from storage.sessions import BUSY, Sessions, is_refusal, lock_guild
from storage.shards import Notice, NoticeKind, Shards, tell
from storage.spoken_consents import store_yes
from storage.voices import insert_voice, new_row

T = TypeVar("T")


class JobAcceptance:
    """Accepts jobs. Every method raises Unavailable as Sessions does.

    If the connection is lost before the database has answered, the job is looked up before it counts as not accepted.
    """

    def __init__(self, sessions: Sessions, clock: Clock, shards: Shards) -> None:
        self._sessions = sessions
        self._clock = clock
        self._shards = shards

    async def accept_clone(
        self,
        voice: NewVoice,
        job: NewJob,
        limits: GuildSettings,
        *,
        policy_version: int | None = None,
        allowed_by: int | None = None,
        spoken: SpokenYes | None = None,
    ) -> tuple[VoiceRecord, JobRecord]:
        """Reserve the voice, accept the job that makes it and store the consent, all or nothing.

        policy_version: set when the owner confirms that the voice is theirs, under this version of the policy.
        allowed_by: set when this is the yes of the author who was asked; the job then has the id of the consent
        request. spoken: the measurements of a spoken sentence, which can be used once. `job.since` may be None where
        one of these rows proves that nothing was deleted since. Idempotent: a repeated id or interaction returns the
        job that it created the first time. Raises LimitReached for the limits of `limits`, Conflict for a taken name, a
        sentence that is no longer open or a newer erasure, and for a yes as ConsentRepository.answer does.
        """
        try:
            return await self._accept_clone(voice, job, limits, policy_version, allowed_by, spoken)
        except Unavailable as error:
            return await self._found(job, _with_voice, error)

    async def _accept_clone(
        self,
        voice: NewVoice,
        job: NewJob,
        limits: GuildSettings,
        policy_version: int | None,
        allowed_by: int | None,
        spoken: SpokenYes | None,
    ) -> tuple[VoiceRecord, JobRecord]:
        async with self._sessions.write() as session:
            await lock_guild(session, voice.guild_id)
            now = self._clock()
            question: ConsentRequestRow | None = None
            if allowed_by is not None:
                question = await answer_once(session, job.id, allowed_by, ConsentState.ALLOWED, now)
            known = await _accepted_before(session, job)
            if known is not None:
                return await _with_voice(session, known)
            await check_not_erased(session, voice.guild_id, job.since, job.member_id, voice.speaker_id)
            if policy_version is not None:
                await store_confirmation(session, voice.guild_id, job.member_id, policy_version, now)
            await check_jobs(session, limits, job.member_id, now)
            await check_voices(
                session, voice.guild_id, voice.owner_id, limits.voices_per_member, limits.voices_per_guild
            )
            reserved = new_row(voice, VoiceState.CLONING, now)
            await insert_voice(session, reserved)
            accepted = await self._insert(session, replace(job, voice_id=reserved.id), now)
            if question is not None:
                question.voice_id = reserved.id
            if spoken is not None:
                await store_yes(session, spoken, reserved.id, now)
            return reserved.as_value(VoiceRecord), accepted.as_value(JobRecord)

    async def accept_speech(self, job: NewJob, limits: GuildSettings) -> JobRecord:
        """Accept a speech job. Idempotent: a repeated id or interaction returns the job that it created the first time.

        Raises LimitReached for the limits of `limits`, NotFound if the job's voice has been deleted, and Conflict for
        an erasure after `job.since`.
        """
        try:
            return await self._accept_speech(job, limits)
        except Unavailable as error:
            return await self._found(job, _without_voice, error)

    async def _accept_speech(self, job: NewJob, limits: GuildSettings) -> JobRecord:
        async with self._sessions.write() as session:
            await lock_guild(session, job.guild_id)
            known = await _accepted_before(session, job)
            if known is not None:
                return known.as_value(JobRecord)
            await check_not_erased(session, job.guild_id, job.since, job.member_id)
            now = self._clock()
            if job.hourly:
                await check_jobs(session, limits, job.member_id, now)
            await check_seconds(session, limits, job.member_id, job.expected_seconds, now)
            if job.voice_id is not None:
                await _check_voice(session, job.guild_id, job.voice_id)
            return (await self._insert(session, job, now)).as_value(JobRecord)

    async def count_request(self, member_id: int, limits: GuildSettings) -> None:
        """Count work that is not a job (an import) against the hourly limit. Raises LimitReached."""
        async with self._sessions.write() as session:
            await lock_guild(session, limits.guild_id)
            now = self._clock()
            await check_jobs(session, limits, member_id, now)
            session.add(SpentRow(guild_id=limits.guild_id, member_id=member_id, created_at=now, audio_seconds=0.0))

    async def _found(self, job: NewJob, view: Callable[[AsyncSession, JobRow], Awaitable[T]], error: Unavailable) -> T:
        """Return the `view` of a job that was accepted in spite of `error`. Raises `error` if it was not accepted."""
        if is_refusal(error) or error.message == BUSY:  # nothing was written
            raise error
        async with self._sessions.write() as session:
            await lock_guild(session, job.guild_id)  # a commit may still be under way
            known = await _accepted_before(session, job)
            if known is None:
                raise error
            return await view(session, known)

    async def _insert(self, session: AsyncSession, job: NewJob, now: datetime) -> JobRow:
        row = _row_of(job, now)
        session.add(row)
        if job.audit is not None:
            session.add(AuditRow(guild_id=job.guild_id, actor_id=job.member_id, at=now, **asdict(job.audit)))
        await session.flush()
        await tell(session, self._shards, Notice(NoticeKind.JOB, job.guild_id, job.id))
        return row


async def _accepted_before(session: AsyncSession, job: NewJob) -> JobRow | None:
    same = JobRow.id == job.id
    if job.origin is not None:
        same |= JobRow.interaction_id == job.origin.interaction_id
    return await session.scalar(select(JobRow).where(JobRow.guild_id == job.guild_id, same))


async def _without_voice(_: AsyncSession, job: JobRow) -> JobRecord:
    return job.as_value(JobRecord)


async def _with_voice(session: AsyncSession, job: JobRow) -> tuple[VoiceRecord, JobRecord]:
    row = await session.scalar(select(VoiceRow).where(VoiceRow.guild_id == job.guild_id, VoiceRow.id == job.voice_id))
    if row is None:
        raise Conflict("The voice from this request has since been deleted. Please start again.")
    return row.as_value(VoiceRecord), job.as_value(JobRecord)


async def _check_voice(session: AsyncSession, guild_id: int, voice_id: int) -> None:
    ready = (VoiceRow.guild_id == guild_id, VoiceRow.id == voice_id, VoiceRow.state == VoiceState.READY)
    if await session.scalar(select(VoiceRow.id).where(*ready)) is None:
        raise NotFound("That voice has just been deleted. Please choose another one.")


def _row_of(job: NewJob, now: datetime) -> JobRow:
    return JobRow(
        id=job.id,
        kind=job.kind,
        state=JobState.QUEUED,
        guild_id=job.guild_id,
        channel_id=job.channel_id,
        member_id=job.member_id,
        order=job.order,
        private=job.private,
        voice_id=job.voice_id,
        interaction_id=None if job.origin is None else job.origin.interaction_id,
        interaction_token=None if job.origin is None else job.origin.token,
        token_expires_at=None if job.origin is None else job.origin.expires_at,
        attempts=0,
        created_at=now,
        audio_seconds=job.expected_seconds,
        hourly=job.hourly,
    )
