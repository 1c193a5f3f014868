"""What was deleted a short while ago, so that nothing that was begun before is stored after it.

Who reads something that is stored later, such as an upload, first asks for the `latest` erasure. The transaction that
stores it checks that no newer one concerns it.
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
        """Note that what belongs to a member is deleted. Call it before anything is deleted."""
        async with self._sessions.write(deletes=True) as session:
            await lock_guild(session, guild_id)
            session.add(ErasureRow(guild_id=guild_id, member_id=member_id, at=self._clock()))

    async def prune(self) -> None:
        """Delete what is more than an hour old: nothing that is stored was begun before."""
        async with self._sessions.write(deletes=True) as session:
            await session.execute(delete(ErasureRow).where(ErasureRow.at <= self._clock() - HOUR))


async def check_not_erased(session: AsyncSession, guild_id: int, since: int | None, *member_ids: int | None) -> None:
    """Raise Conflict if the server, or one of these members there, was erased after the erasure `since`.

    None: nothing is checked. Call it while holding the server's lock.
    """
    if since is None:
        return
    concerned = ErasureRow.member_id.is_(None) | ErasureRow.member_id.in_(member_ids)
    newer = select(ErasureRow.id).where(ErasureRow.guild_id == guild_id, ErasureRow.id > since, concerned)
    if await session.scalar(newer.limit(1)) is not None:
        raise Conflict("What this concerns was deleted in the meantime, so nothing was stored. Please start again.")
