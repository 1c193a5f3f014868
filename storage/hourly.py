"""Counts what a member asks for within an hour, in all servers and for all processes together."""

from datetime import datetime

from sqlalchemy import delete, func, select

from errors import LimitReached
from storage.columns import Clock
from storage.limits import HOUR, SKEW, again
from storage.models import AskedRow
from storage.records import Asked
from storage.sessions import Sessions


class HourlyCounts:
    """The requests of members that are not jobs. Every method raises Unavailable as Sessions does."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

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
