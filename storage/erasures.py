"""Erasures: records of recent deletions, so that a request that began before a deletion stores nothing after it.

Code that reads data to store later, such as an upload, first reads the `latest` erasure. The transaction that stores
the data checks that no newer erasure concerns them.
"""

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict
from storage.limits import HOUR
from storage.models import ErasureRow
from storage.sessions import Repository, lock_guild


class ErasureRepository(Repository):
    """Erasures. Every method raises Unavailable as Sessions does."""

    async def latest(self, guild_id: int) -> int:
        """Return the number of a server's newest erasure; 0 without one."""
        async with self._sessions.read() as session:
            newest = select(func.max(ErasureRow.id)).where(ErasureRow.guild_id == guild_id)
            return await session.scalar(newest) or 0

    async def note(self, guild_id: int, member_id: int) -> None:
        """Record that a member's data are being deleted. Call it before anything is deleted."""
        async with self._sessions.write(deletes=True) as session:
            await lock_guild(session, guild_id)
            session.add(ErasureRow(guild_id=guild_id, member_id=member_id, at=self._clock()))

    async def prune(self) -> None:
        """Delete erasures that are more than an hour old: no request takes so long before it is stored."""
        async with self._sessions.write(deletes=True) as session:
            await session.execute(delete(ErasureRow).where(ErasureRow.at <= self._clock() - HOUR))


async def check_not_erased(session: AsyncSession, guild_id: int, since: int | None, *member_ids: int | None) -> None:
    """Raise Conflict if the server, or one of these members there, was erased after the erasure `since`.

    With None, nothing is checked. Call it while holding the server's write lock.
    """
    if since is None:
        return
    concerned = ErasureRow.member_id.is_(None) | ErasureRow.member_id.in_(member_ids)
    newer = select(ErasureRow.id).where(ErasureRow.guild_id == guild_id, ErasureRow.id > since, concerned)
    if await session.scalar(newer.limit(1)) is not None:
        raise Conflict("What this concerns was deleted in the meantime, so nothing was stored. Please start again.")
