"""The limits of a server, checked inside the transaction that uses them, and those of a member in all servers.

Call the functions while holding the server's write lock (storage.sessions.lock_guild).
Hours and days are sliding windows that end now, not calendar hours and days.
"""

import math
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from errors import LimitReached
from storage.models import AskedRow, JobRow, SpentRow, VoiceRow
from storage.records import Asked, GuildSettings
from storage.sessions import Repository

SKEW = timedelta(minutes=5)
"""How far the clocks of two processes may differ. Entries further in the future are due to a wrong clock and do not
count."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NEVER = datetime.max.replace(tzinfo=UTC)
_BY_MODERATORS = "A moderator can change the limit."

_USED = union_all(
    *(select(row.guild_id, row.member_id, row.created_at, row.audio_seconds, row.hourly) for row in (JobRow, SpentRow))
).subquery("used")
"""The usage that counts against the limits: of existing jobs, and of jobs of the last day that were deleted."""


async def delete_jobs(session: AsyncSession, now: datetime, *which: ColumnElement[bool]) -> list[str]:
    """Delete jobs and return their ids. Their usage counts for a day, so that deleting does not reset a limit."""
    used = select(JobRow.guild_id, JobRow.member_id, JobRow.created_at, JobRow.audio_seconds, JobRow.hourly)
    columns = (
        SpentRow.guild_id,
        SpentRow.member_id,
        SpentRow.created_at,
        SpentRow.audio_seconds,
        SpentRow.hourly,
    )
    await session.execute(insert(SpentRow).from_select(columns, used.where(*which, JobRow.created_at > now - DAY)))
    return list(await session.scalars(delete(JobRow).where(*which).returning(JobRow.id)))


async def prune_spent(session: AsyncSession, now: datetime) -> None:
    """Delete usage that is more than a day old."""
    await session.execute(delete(SpentRow).where(SpentRow.created_at <= now - DAY))


async def check_voices(
    session: AsyncSession, guild_id: int, member_id: int, member_limit: int, guild_limit: int
) -> None:
    """Raise LimitReached if the member or the server has no place for one more voice."""
    here = VoiceRow.guild_id == guild_id
    owned = await _count(session, here, VoiceRow.owner_id == member_id)
    if owned >= member_limit:
        raise LimitReached(
            f"Members of this server cannot have their own voices right now. {_BY_MODERATORS}"
            if member_limit <= 0
            else f"You already have {_counted(owned, 'voice')}, and the limit here is {member_limit}. "
            "Delete one that you no longer need and try again."
        )
    voices = await _count(session, here)
    if voices >= guild_limit:
        raise LimitReached(
            f"This server does not allow voices right now. {_BY_MODERATORS}"
            if guild_limit <= 0
            else f"This server already has {_counted(voices, 'voice')}, and its limit is {guild_limit}. "
            "Someone has to delete a voice before a new one can be added."
        )


async def check_jobs(session: AsyncSession, settings: GuildSettings, member_id: int, now: datetime) -> None:
    """Raise LimitReached if the member or the server has used up its jobs of the last hour."""
    here = _USED.c.guild_id == settings.guild_id
    theirs = _USED.c.member_id == member_id
    if settings.jobs_per_hour_per_member <= 0:
        raise LimitReached(f"Members of this server cannot make requests right now. {_BY_MODERATORS}")
    if settings.jobs_per_hour_per_guild <= 0:
        raise LimitReached(f"This server takes no requests right now. {_BY_MODERATORS}")
    free_at = await _hour_frees(session, [here, theirs], settings.jobs_per_hour_per_member, now)
    if free_at is not None:
        used_up = _used_up("your", settings.jobs_per_hour_per_member)
        raise LimitReached(f"You have used {used_up} for this hour. {again(free_at, now)}")
    free_at = await _hour_frees(session, [here], settings.jobs_per_hour_per_guild, now)
    if free_at is not None:
        used_up = _used_up("its", settings.jobs_per_hour_per_guild)
        raise LimitReached(f"This server has used {used_up} for this hour. {again(free_at, now)}")


async def check_seconds(
    session: AsyncSession, settings: GuildSettings, member_id: int, expected: float, now: datetime
) -> None:
    """Raise LimitReached if `expected` more seconds of speech exceed the daily limit of the member or the server."""
    here = _USED.c.guild_id == settings.guild_id
    theirs = _USED.c.member_id == member_id
    free_at = await _day_frees(session, [here, theirs], settings.seconds_per_day_per_member, expected, now)
    if free_at is not None:
        allowed = _span(settings.seconds_per_day_per_member)
        what_next = _shorter_or_again(settings.seconds_per_day_per_member, free_at, now)
        raise LimitReached(f"This is over your limit of {allowed} of speech a day. {what_next}")
    free_at = await _day_frees(session, [here], settings.seconds_per_day_per_guild, expected, now)
    if free_at is not None:
        allowed = _span(settings.seconds_per_day_per_guild)
        what_next = _shorter_or_again(settings.seconds_per_day_per_guild, free_at, now)
        raise LimitReached(f"This is over the server's limit of {allowed} of speech a day. {what_next}")


class HourlyCounts(Repository):
    """Counts members' requests that are not jobs, in all servers and for all processes together.

    Every method raises Unavailable as Sessions does.
    """

    async def count(self, member_id: int, kind: Asked, limit: int) -> None:
        """Count a request. Raises LimitReached, and counts nothing, after `limit` of this kind in the last hour."""
        async with self._sessions.write() as session:
            if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time
                await session.execute(select(func.pg_advisory_xact_lock(member_id)))
            now = self._clock()
            theirs = (
                AskedRow.member_id == member_id,
                AskedRow.kind == kind,
                AskedRow.asked_at > now - HOUR,
                AskedRow.asked_at <= now + SKEW,
            )
            newest_first = select(AskedRow.asked_at).where(*theirs).order_by(AskedRow.asked_at.desc())
            blocking: datetime | None = await session.scalar(newest_first.offset(limit - 1).limit(1))
            if blocking is not None:
                raise LimitReached(
                    f"You have used all {limit} of your {kind}s for this hour. {again(blocking + HOUR, now)}"
                )
            session.add(AskedRow(member_id=member_id, kind=kind, asked_at=now))

    async def prune(self) -> None:
        """Delete requests that are more than an hour old."""
        async with self._sessions.write(deletes=True) as session:
            await session.execute(delete(AskedRow).where(AskedRow.asked_at <= self._clock() - HOUR))


async def _count(session: AsyncSession, *conditions: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count()).select_from(VoiceRow).where(*conditions)) or 0


async def _hour_frees(
    session: AsyncSession, whose: list[ColumnElement[bool]], limit: int, now: datetime
) -> datetime | None:
    """Return None if one more job fits into a limit above 0; otherwise the time when it will."""
    jobs = select(_USED.c.created_at).where(*whose, *_within(HOUR, now), _USED.c.hourly)
    blocking: datetime | None = await session.scalar(
        jobs.order_by(_USED.c.created_at.desc()).offset(limit - 1).limit(1)
    )
    return None if blocking is None else blocking + HOUR


async def _day_frees(
    session: AsyncSession, whose: list[ColumnElement[bool]], limit: int, expected: float, now: datetime
) -> datetime | None:
    """Return None if `expected` seconds fit and some time is left; otherwise the time when they will, or NEVER."""
    if limit <= 0 or expected > limit:
        return NEVER
    recent = (*whose, *_within(DAY, now), _USED.c.audio_seconds > 0)
    used = await session.scalar(select(func.sum(_USED.c.audio_seconds)).where(*recent)) or 0.0
    if used < limit and used + expected <= limit:
        return None
    oldest_first = select(_USED.c.created_at, _USED.c.audio_seconds).where(*recent).order_by(_USED.c.created_at)
    for created_at, seconds in await session.execute(oldest_first):
        used -= seconds
        if used < limit and used + expected <= limit:
            free_at: datetime = created_at + DAY
            return free_at
    return now + DAY


def _within(span: timedelta, now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return conditions for usage in the span that ends now, without entries that a wrong clock put into the future."""
    return _USED.c.created_at > now - span, _USED.c.created_at <= now + SKEW


def again(free_at: datetime, now: datetime) -> str:
    """Return a sentence that says when a request will be allowed again."""
    minutes = max(1, math.ceil((free_at - now).total_seconds() / 60))
    wait = _counted(minutes, "minute") if minutes < 100 else f"about {_counted(round(minutes / 60), 'hour')}"
    return f"Please try again in {wait}."


def _shorter_or_again(limit: int, free_at: datetime, now: datetime) -> str:
    """Return a sentence that says what to do about speech over the daily limit. NEVER: it is longer than the limit."""
    if free_at != NEVER:
        return again(free_at, now)
    return _BY_MODERATORS if limit <= 0 else "Shorten the text, or ask a moderator to change the limit."


def _used_up(whose: str, limit: int) -> str:
    return f"{whose} one request" if limit == 1 else f"all {limit} of {whose} requests"


def _span(seconds: int) -> str:
    return _counted(seconds, "second") if seconds < 120 or seconds % 60 else _counted(seconds // 60, "minute")


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
