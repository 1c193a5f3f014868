"""The limits of a server, checked inside the transaction that uses them up. It knows no clock and no Discord.

All of it is right only while the transaction holds the server's lock (storage.sessions.lock_guild).
Hours and days are spans that end now, not calendar hours and days.
"""

import math
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from errors import LimitReached
from storage.models import JobRow, SpentRow, VoiceRow
from storage.records import GuildSettings

SKEW = timedelta(minutes=5)
"""How far the clocks of two processes may differ. What was noted further ahead was noted by a clock that was wrong."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NEVER = datetime.max.replace(tzinfo=UTC)

_USED = union_all(
    *(select(row.guild_id, row.member_id, row.created_at, row.audio_seconds) for row in (JobRow, SpentRow))
).subquery("used")
"""What counts against the limits: the jobs there are, and those of the last day that were deleted."""


async def delete_jobs(session: AsyncSession, now: datetime, *which: ColumnElement[bool]) -> list[str]:
    """Delete jobs, and remember for a day what they used: deleting must not make room. The ids of the jobs."""
    used = select(JobRow.guild_id, JobRow.member_id, JobRow.created_at, JobRow.audio_seconds)
    columns = (SpentRow.guild_id, SpentRow.member_id, SpentRow.created_at, SpentRow.audio_seconds)
    await session.execute(insert(SpentRow).from_select(columns, used.where(*which, JobRow.created_at > now - DAY)))
    return list(await session.scalars(delete(JobRow).where(*which).returning(JobRow.id)))


async def prune_spent(session: AsyncSession, now: datetime) -> None:
    """Forget what was used more than a day ago."""
    await session.execute(delete(SpentRow).where(SpentRow.created_at <= now - DAY))


async def check_voices(
    session: AsyncSession, guild_id: int, member_id: int, member_limit: int, guild_limit: int
) -> None:
    """Raise LimitReached if the member or the server has no place for one more voice."""
    here = VoiceRow.guild_id == guild_id
    if await _count(session, here, VoiceRow.owner_id == member_id) >= member_limit:
        raise LimitReached(
            "Members of this server may not keep voices of their own at present."
            if member_limit <= 0
            else f"You already have {_counted(member_limit, 'voice')}, which is the limit here. "
            "Delete one that you no longer need, then try again."
        )
    if await _count(session, here) >= guild_limit:
        raise LimitReached(
            "This server keeps no voices at present."
            if guild_limit <= 0
            else f"This server already has {_counted(guild_limit, 'voice')}, which is its limit. "
            "A voice has to be deleted before a new one fits."
        )


async def check_jobs(session: AsyncSession, settings: GuildSettings, member_id: int, now: datetime) -> None:
    """Raise LimitReached if the member or the server has had as many jobs accepted in the last hour as allowed."""
    here = _USED.c.guild_id == settings.guild_id
    theirs = _USED.c.member_id == member_id
    free_at = await _hour_frees(session, [here, theirs], settings.jobs_per_hour_per_member, now)
    if free_at is not None:
        allowed = _counted(settings.jobs_per_hour_per_member, "request")
        raise LimitReached(f"You may make {allowed} an hour here, and you have. {_again(free_at, now)}")
    free_at = await _hour_frees(session, [here], settings.jobs_per_hour_per_guild, now)
    if free_at is not None:
        allowed = _counted(settings.jobs_per_hour_per_guild, "request")
        raise LimitReached(f"This server may make {allowed} an hour, and it has. {_again(free_at, now)}")


async def check_seconds(
    session: AsyncSession, settings: GuildSettings, member_id: int, expected: float, now: datetime
) -> None:
    """Raise LimitReached if `expected` more seconds of speech do not fit into the last day of the member or server."""
    here = _USED.c.guild_id == settings.guild_id
    theirs = _USED.c.member_id == member_id
    free_at = await _day_frees(session, [here, theirs], settings.seconds_per_day_per_member, expected, now)
    if free_at is not None:
        allowed = _span(settings.seconds_per_day_per_member)
        raise LimitReached(
            f"You may have {allowed} of speech a day here, and this would be more. {_again(free_at, now)}"
        )
    free_at = await _day_frees(session, [here], settings.seconds_per_day_per_guild, expected, now)
    if free_at is not None:
        allowed = _span(settings.seconds_per_day_per_guild)
        raise LimitReached(
            f"This server may have {allowed} of speech a day, and this would be more. {_again(free_at, now)}"
        )


async def _count(session: AsyncSession, *conditions: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count()).select_from(VoiceRow).where(*conditions)) or 0


async def _hour_frees(
    session: AsyncSession, whose: list[ColumnElement[bool]], limit: int, now: datetime
) -> datetime | None:
    """None if one more job fits; otherwise when it will (or NEVER)."""
    if limit <= 0:
        return NEVER
    jobs = select(_USED.c.created_at).where(*whose, *_within(HOUR, now))
    blocking: datetime | None = await session.scalar(
        jobs.order_by(_USED.c.created_at.desc()).offset(limit - 1).limit(1)
    )
    return None if blocking is None else blocking + HOUR


async def _day_frees(
    session: AsyncSession, whose: list[ColumnElement[bool]], limit: int, expected: float, now: datetime
) -> datetime | None:
    """None if `expected` seconds fit, and at least a moment is left; otherwise when they will (or NEVER)."""
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
    """Used in the span that ends now; a clock that was days ahead does not use up the days to come."""
    return _USED.c.created_at > now - span, _USED.c.created_at <= now + SKEW


def _again(free_at: datetime, now: datetime) -> str:
    if free_at == NEVER:
        return "A moderator can change the limit."
    minutes = max(1, math.ceil((free_at - now).total_seconds() / 60))
    wait = _counted(minutes, "minute") if minutes < 100 else f"about {_counted(round(minutes / 60), 'hour')}"
    return f"Please try again in {wait}."


def _span(seconds: int) -> str:
    return _counted(seconds, "second") if seconds < 120 or seconds % 60 else _counted(seconds // 60, "minute")


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
