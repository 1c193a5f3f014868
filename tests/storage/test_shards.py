"""Which servers a process serves: the same by number and in SQL."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from storage.database import Storage
from storage.models import GuildRow
from storage.sessions import Sessions, lock_guild
from storage.shards import ALL, Shards
from tests.storage.build import PLENTY, Clock, new_job

FIRST, SECOND = 10 << 22, (11 << 22) + 5
"""Servers of shard 0 and shard 1, of two."""


@given(st.integers(1, 50), st.integers(0, 2**63 - 1))
def test_each_server_belongs_to_exactly_one_shard(count: int, guild_id: int) -> None:
    owners = [number for number in range(count) if Shards((number,), count).own(guild_id)]
    assert owners == [(guild_id >> 22) % count]
    assert Shards(tuple(range(count)), count).own(guild_id)
    assert ALL.own(guild_id)


@pytest.mark.parametrize("shards", [Shards((0,), 2), Shards((1, 2), 3), Shards((0, 6), 7), ALL])
async def test_the_database_finds_the_same_servers(address: str, shards: Shards) -> None:
    guild_ids = [1, FIRST, SECOND, 2**62 + 3, *(number << 22 for number in range(20))]
    sessions = Sessions(address, busy_timeout=5)
    async with sessions.write() as session:
        for each in set(guild_ids):
            await lock_guild(session, each)
    async with sessions.read() as session:
        found = await session.scalars(select(GuildRow.guild_id).where(shards.matching(GuildRow.guild_id.expression)))
    assert set(found) == {each for each in guild_ids if shards.own(each)}
    await sessions.close()


@pytest.fixture
async def halves(address: str, tmp_path: Path, clock: Clock) -> AsyncIterator[tuple[Storage, Storage]]:
    """Two storages, each with half of the servers."""
    data = tmp_path / "data"
    opened = [await Storage.open(address, data, clock=clock, shards=Shards((number,), 2)) for number in (0, 1)]
    yield opened[0], opened[1]
    for storage in opened:
        await storage.close()


async def test_a_process_finds_only_its_own_work(halves: tuple[Storage, Storage], clock: Clock) -> None:
    zero, one = halves
    for storage, guild in ((zero, FIRST), (one, SECOND)):
        for state in ("queued", "running", "failed"):
            await storage.acceptance.accept_speech(new_job(f"{state}-{guild}", guild=guild), PLENTY)
        await storage.jobs.claim(f"running-{guild}", "a process", timedelta(seconds=1))
        await storage.jobs.fail(f"failed-{guild}", "Unavailable", "No.", owner=None)
        await storage.seats.take(guild, 7)
    clock.advance(seconds=2)
    for storage, guild in ((zero, FIRST), (one, SECOND)):
        assert [job.id for job in await storage.jobs.queued()] == [f"queued-{guild}"]
        assert [job.id for job in await storage.jobs.running()] == [f"running-{guild}"]
        assert [job.id for job in await storage.jobs.expired(clock())] == [f"running-{guild}"]
        assert await storage.jobs.unanswered() == [f"failed-{guild}"]
        assert [seat.guild_id for seat in await storage.seats.all()] == [guild]
