"""Where the bot sits: one seat for each server, and what is read aloud there."""

import asyncio

from storage.database import Storage
from storage.records import Seat
from tests.storage.build import CHANNEL, GUILD, OTHER_GUILD


async def test_a_seat_is_kept_for_one_server(storage: Storage) -> None:
    assert await storage.seats.take(GUILD, CHANNEL) == Seat(GUILD, CHANNEL)
    await storage.seats.take(OTHER_GUILD, 9)
    await storage.seats.leave(GUILD)
    assert await storage.seats.all() == [Seat(OTHER_GUILD, 9)]
    assert await storage.seats.find(OTHER_GUILD) == Seat(OTHER_GUILD, 9)
    assert await storage.seats.find(GUILD) is None


async def test_what_is_read_aloud_stays_as_long_as_the_bot_sits(storage: Storage) -> None:
    assert not await storage.seats.read(GUILD, 5)
    await storage.seats.take(GUILD, CHANNEL)
    assert await storage.seats.read(GUILD, 5)
    assert await storage.seats.all() == [Seat(GUILD, CHANNEL, 5)]
    assert await storage.seats.take(GUILD, 9) == Seat(GUILD, 9, 5)
    assert await storage.seats.read(GUILD, None)
    assert await storage.seats.take(GUILD, 9) == Seat(GUILD, 9)
    await storage.seats.read(GUILD, 5)
    await storage.seats.leave(GUILD)
    assert await storage.seats.take(GUILD, CHANNEL) == Seat(GUILD, CHANNEL)


async def test_leaving_and_reading_where_the_bot_does_not_sit_changes_nothing(storage: Storage) -> None:
    await storage.seats.take(GUILD, CHANNEL)
    await storage.seats.leave(OTHER_GUILD)
    assert not await storage.seats.read(OTHER_GUILD, 5)
    assert await storage.seats.all() == [Seat(GUILD, CHANNEL)]


async def test_a_server_that_is_deleted_has_no_seat(storage: Storage) -> None:
    await storage.seats.take(GUILD, CHANNEL)
    await storage.guilds.delete(GUILD)
    assert await storage.seats.find(GUILD) is None


async def test_seats_taken_at_once_leave_one(storage: Storage) -> None:
    await asyncio.gather(*(storage.seats.take(GUILD, channel_id) for channel_id in (7, 8, 9)))
    (seat,) = await storage.seats.all()
    assert seat.channel_id in (7, 8, 9)
