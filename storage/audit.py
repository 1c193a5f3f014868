"""The audit log of each server: who did what, and when. The studio names the actions."""

from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, delete, func, or_, select

from errors import Unavailable
from storage.models import AuditRow
from storage.records import AuditEntry, AuditQuery
from storage.sessions import Repository, lock_guild

_log = structlog.get_logger(__name__)


class AuditRepository(Repository):
    """Audit logs. Every method but `write` raises Unavailable as Sessions does."""

    async def write(
        self, guild_id: int, actor_id: int, action: str, target: str = "", detail: str = ""
    ) -> AuditEntry | None:
        """Add a line and return it, or None if the database refuses.

        The action has already happened, so a failure is only logged, without names: a member who sees an error would
        try again.
        """
        try:
            async with self._sessions.write() as session:
                await lock_guild(session, guild_id)
                row = AuditRow(
                    guild_id=guild_id, actor_id=actor_id, action=action, target=target, detail=detail, at=self._clock()
                )
                session.add(row)
                await session.flush()
                return row.as_value(AuditEntry)
        except Unavailable as error:
            _log.error("audit_line_lost", guild_id=guild_id, actor_id=actor_id, action=action, reason=error.message)
            return None

    async def read(
        self,
        guild_id: int,
        *,
        limit: int = 25,
        offset: int = 0,
        actor_id: int | None = None,
        query: AuditQuery | None = None,
    ) -> tuple[list[AuditEntry], int]:
        """Return a page of a server's lines (of one actor), newest first, and how many there are on all pages."""
        wanted = [AuditRow.guild_id == guild_id, *_conditions(query or AuditQuery())]
        if actor_id is not None:
            wanted.append(AuditRow.actor_id == actor_id)
        # Earlier pages are skipped in the index; only the rows of this page are read.
        page = select(AuditRow.id).where(*wanted).order_by(AuditRow.id.desc()).limit(limit).offset(offset)
        async with self._sessions.read() as session:
            total = await session.scalar(select(func.count()).select_from(AuditRow).where(*wanted))
            rows = await session.scalars(select(AuditRow).where(AuditRow.id.in_(page)).order_by(AuditRow.id.desc()))
            return [row.as_value(AuditEntry) for row in rows], total or 0

    async def of_member(self, guild_id: int, member_id: int) -> list[AuditEntry]:
        """Return everything that a member did here, oldest first."""
        theirs = select(AuditRow).where(AuditRow.guild_id == guild_id, AuditRow.actor_id == member_id)
        return await self._sessions.values(AuditEntry, theirs.order_by(AuditRow.id))

    async def prune(self, guild_id: int, before: datetime) -> int:
        """Delete the lines written before `before`. Return their number."""
        old = (AuditRow.guild_id == guild_id, AuditRow.at < before)
        async with self._sessions.write(deletes=True) as session:
            gone = await session.scalar(select(func.count()).select_from(AuditRow).where(*old))
            await session.execute(delete(AuditRow).where(*old))
            return gone or 0


def _conditions(query: AuditQuery) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if query.member_id is not None:
        wanted.append(or_(AuditRow.actor_id == query.member_id, AuditRow.target == str(query.member_id)))
    if query.actions:
        wanted.append(or_(*(AuditRow.action.startswith(beginning, autoescape=True) for beginning in query.actions)))
    if query.target is not None:
        wanted.append(func.lower(AuditRow.target) == func.lower(query.target))
    return wanted
