"""One of several bot processes, in the simulated Discord: shard 0 of two, or shard 1."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import discord
import pytest

from cogs.client import Barkeep
from errors import Conflict
from storage.database import Storage
from storage.shards import Shards
from studio.studio import Studio
from studio.values import Courier
from tests.cogs.conftest import PatientEnv
from tests.cogs.library import shown, text_of
from tests.fakes import FakeExecutor
from tests.storage.conftest import postgres_address, postgres_server  # noqa: F401 (fixtures)

pytestmark = pytest.mark.postgres
THERE = 7 << 22 | 1
"""A server of shard 1."""


class ShardBot:
    """A bot with one of two shards, and a Discord of its own."""

    def __init__(self, url: str, folder: Path, shard: int) -> None:
        self._url, self._folder, self._shards = url, folder, Shards((shard,), 2)
        self.bot = Barkeep(self._open, shard_count=2, shard_ids=(shard,), claims_data=True)
        self.env = PatientEnv(self.bot, settle_timeout=20.0)

    async def _open(self, courier: Courier) -> Studio:
        storage = await Storage.open(self._url, self._folder, clock=self.env.now, shards=self._shards)
        return Studio(storage, FakeExecutor(wait=self._wait), courier, clock=self.env.now, sleep=self._sleep)

    def _wait(self, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        return self.env.external_wait(awaitable, reason="work that others do")

    def _sleep(self, seconds: float) -> Awaitable[Any]:
        return self._wait(asyncio.sleep(seconds))


Start = Callable[[int], Awaitable[ShardBot]]


@pytest.fixture
async def start(postgres_address: str, tmp_path: Path) -> AsyncIterator[Start]:  # noqa: F811
    """Starts the process of a shard, after the one before has ended: simcord runs one Discord at a time."""
    started: list[ShardBot] = []

    async def end() -> None:
        for process in started:
            await process.env.shutdown()
            await process.bot.close()
        started.clear()

    async def start(shard: int) -> ShardBot:
        await end()
        started.append(ShardBot(postgres_address, tmp_path, shard))
        await started[0].env.start()
        return started[0]

    yield start
    await end()


@pytest.fixture
async def other(postgres_address: str, tmp_path: Path) -> AsyncIterator[Storage]:  # noqa: F811
    """The storage of the process with shard 1."""
    storage = await Storage.open(postgres_address, tmp_path, shards=Shards((1,), 2))
    yield storage
    await storage.close()


async def test_commands_are_synced_by_one_process(start: Start) -> None:
    synced = [sum(entry.method == "PUT" for entry in (await start(shard)).env.http_requests) for shard in (0, 1)]
    assert synced == [1, 0]


@pytest.mark.parametrize("shard", [0, 1])
async def test_a_process_serves_the_servers_of_its_shards(start: Start, shard: int) -> None:
    process = await start(shard)
    guild = process.env.create_guild("The Snug", shard_id=shard)
    channel = guild.create_text_channel("voices")
    member = guild.add_member(process.env.create_user("mira"))
    await member.slash(channel, "say", text="Good evening.", voice="s:v2/en_speaker_0")
    await process.env.settle()
    (message,) = channel.history()
    assert message.attachments
    assert list(process.bot.shards) == [shard]


async def test_the_data_of_another_processes_servers_are_not_taken_for_absent(start: Start, other: Storage) -> None:
    await start(0)
    await other.audit.write(THERE, 1, "voice.clone", "Ada")
    for shard, left in ((0, [THERE]), (1, [])):
        process = await start(shard)
        await process.env.settle()
        assert await other.guilds.all_ids() == left


async def test_direct_messages_are_about_the_servers_of_all_processes(start: Start, other: Storage) -> None:
    zero = await start(0)
    user = zero.env.create_user("mira")
    await other.members.set_default_voice(THERE, user.id, "s:v2/en_speaker_0")
    overview = await user.slash("privacy show")
    assert f"Server {THERE}" in text_of(shown(overview))  # Discord does not show it to the bot


async def test_the_names_of_another_processes_servers_are_fetched(
    start: Start, other: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero = await start(0)
    fetched = create_autospec(zero.bot.fetch_guild, return_value=create_autospec(discord.Guild, instance=True))
    fetched.return_value.name = "The Attic"
    monkeypatch.setattr(zero.bot, "fetch_guild", fetched)
    user = zero.env.create_user("mira")
    await other.members.set_default_voice(THERE, user.id, "s:v2/en_speaker_0")
    for _ in range(2):
        choices = await user.autocomplete("privacy show", "server", "att")
        assert [choice["name"] for choice in choices] == ["The Attic"]
    fetched.assert_awaited_once_with(THERE, with_counts=False)


async def test_a_bot_whose_shard_was_taken_closes_and_says_why(start: Start) -> None:
    process = await start(0)
    process.bot._close_because(Conflict("Another bot process already has shard 0."))
    assert process.bot._end is not None
    await process.bot._end
    assert process.bot.is_closed()
    assert process.bot.ended_by is not None
