"""The voice channels that the bot sits in, so that it comes back to them after a restart."""

from sqlalchemy import delete, select

from storage.models import SeatRow
from storage.records import Seat
from storage.sessions import Sessions, lock_guild


class SeatRepository:
    """Seats, at most one for each server. Every method raises Unavailable as Sessions does."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def all(self) -> list[Seat]:
        """Every seat."""
        async with self._sessions.read() as session:
            rows = await session.scalars(select(SeatRow).order_by(SeatRow.guild_id))
            return [Seat(row.guild_id, row.channel_id) for row in rows]

    async def take(self, seat: Seat) -> None:
        """The bot sits there now, and nowhere else in that server."""
        async with self._sessions.write() as session:
            await lock_guild(session, seat.guild_id)
            await session.merge(SeatRow(guild_id=seat.guild_id, channel_id=seat.channel_id))

    async def leave(self, guild_id: int) -> None:
        """The bot sits nowhere in that server any more."""
        async with self._sessions.write() as session:
            await session.execute(delete(SeatRow).where(SeatRow.guild_id == guild_id))
