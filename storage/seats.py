"""The voice channels that the bot is in, so that it returns to them after a restart."""

from sqlalchemy import delete, select, update

from storage.limits import check_not_erased
from storage.models import SeatRow
from storage.records import Seat
from storage.sessions import Sessions, lock_guild
from storage.shards import Shards


class SeatRepository:
    """Seats, at most one for each server. Every method raises Unavailable as Sessions does."""

    def __init__(self, sessions: Sessions, shards: Shards) -> None:
        self._sessions = sessions
        self._shards = shards

    async def all(self) -> list[Seat]:
        """Every seat in the servers of this process."""
        own = select(SeatRow).where(self._shards.matching(SeatRow.guild_id.expression))
        return await self._sessions.values(Seat, own.order_by(SeatRow.guild_id))

    async def find(self, guild_id: int) -> Seat | None:
        """Return the seat in that server, or None."""
        async with self._sessions.read() as session:
            row = await session.get(SeatRow, guild_id)
            return None if row is None else row.as_value(Seat)

    async def take(self, guild_id: int, channel_id: int, since: int | None = None) -> Seat:
        """Store the bot's seat in a server; it replaces an earlier one. The channel that is read aloud is kept.

        Returns the seat. since: the latest erasure when it was begun. Raises Conflict if the server was deleted since.
        """
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            await check_not_erased(session, guild_id, since)
            row = await session.merge(SeatRow(guild_id=guild_id, channel_id=channel_id))
            await session.flush()
            return row.as_value(Seat)

    async def read(self, guild_id: int, channel_id: int | None) -> bool:
        """Store which channel is read aloud in the server's voice channel. False without a seat there."""
        seat = update(SeatRow).where(SeatRow.guild_id == guild_id).values(read_channel_id=channel_id)
        async with self._sessions.write() as session:
            return await session.scalar(seat.returning(SeatRow.guild_id)) is not None

    async def leave(self, guild_id: int) -> None:
        """Delete the seat in that server."""
        async with self._sessions.write() as session:
            await session.execute(delete(SeatRow).where(SeatRow.guild_id == guild_id))
