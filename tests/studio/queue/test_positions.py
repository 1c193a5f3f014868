"""What those who wait are told."""

import asyncio

from studio.queue.positions import TOLD, WaitingLine
from studio.queue.progress_updates import News
from tests.fakes import FakeCourier
from tests.studio.queue.test_fair_order import job


async def told(courier: FakeCourier) -> list[tuple[str, int | None]]:
    """The places told since the last call."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    places = [(job_id, update.position) for job_id, update in courier.updates]
    courier.updates.clear()
    return places


async def test_only_changed_places_are_told() -> None:
    courier = FakeCourier()
    line = WaitingLine(News(lambda: courier))
    first, second, third = (job(number, 1, 1) for number in range(3))
    line.tell([second, third], [first], 1)
    assert await told(courier) == [(second.id, 1), (third.id, 2)]
    line.tell([second, third], [first], 1)
    assert await told(courier) == []
    line.served(second)
    line.tell([third], [second], 1)
    assert await told(courier) == [(third.id, 1)]


async def test_a_long_queue_is_told_near_its_front_only() -> None:
    courier = FakeCourier()
    line = WaitingLine(News(lambda: courier))
    line.tell([job(number, 1, 1) for number in range(TOLD + 10)], [], 0)
    assert len(await told(courier)) == TOLD


async def test_turns_are_kept_while_there_is_work_and_forgotten_after() -> None:
    line = WaitingLine(News(FakeCourier))
    line.served(job(0, 1, 1))
    line.tell([], [job(0, 1, 1)], 1)
    waiting = [job(1, 1, 1), job(2, 2, 2)]
    assert [each.guild_id for each in line.order(waiting, [])] == [2, 1]
    line.tell([], [], 1)
    assert [each.guild_id for each in line.order(waiting, [])] == [1, 2]
