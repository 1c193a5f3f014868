from storage.database import Storage
from storage.records import Seat
from tests.storage.build import CHANNEL, GUILD, OTHER_GUILD


async def test_a_seat_is_kept_for_one_server(storage: Storage) -> None:
    assert await storage.seats.take(GUILD, CHANNEL) == Seat(GUILD, CHANNEL)
    await storage.seats.take(OTHER_GUILD, 9)
    await storage.seats.leave(GUILD)
    assert await storage.seats.all() == [Seat(OTHER_GUILD, 9)]


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
