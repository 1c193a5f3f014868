"""The client: commands synced when they changed, a server's data gone with the server, a clean end."""

import asyncio
import json
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, create_autospec

import discord
import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from errors import BarkeepError, Conflict, Unavailable
from storage.database import Storage
from studio.studio import Studio
from studio.values import Courier
from tests.cogs.conftest import Clone, PatientEnv, World
from tests.fakes import FakeExecutor


async def test_no_privileged_intent_is_asked_for(bot: Barkeep) -> None:
    assert bot.intents == discord.Intents(guilds=True, voice_states=True)


async def test_only_what_concerns_oneself_works_in_direct_messages(bot: Barkeep) -> None:
    payload = [command.to_dict(bot.tree) for command in bot.tree.get_commands()]
    server, direct = 0, 1
    assert all(set(command["contexts"]) <= {server, direct} for command in payload)
    assert {command["name"] for command in payload if direct in command["contexts"]} == {
        "privacy",
        "This is my spoken consent",
    }
    assert all(command["integration_types"] == [0] for command in payload)


async def test_every_command_and_option_is_described(bot: Barkeep) -> None:
    def check(node: dict[str, Any]) -> None:
        if node["type"] not in (2, 3) or "description" in node:
            assert 0 < len(node["description"]) <= 100
            assert "…" not in node["description"]
        for option in node.get("options", []):
            check(option)

    for command in bot.tree.get_commands(type=discord.AppCommandType.chat_input):
        check(command.to_dict(bot.tree))


async def test_all_commands_fit_what_discord_takes(bot: Barkeep) -> None:
    for command in bot.tree.get_commands():
        assert len(json.dumps(command.to_dict(bot.tree))) < 8000 * 4
    assert len(bot.tree.get_commands(type=discord.AppCommandType.message)) <= 5


async def syncs(data_dir: Path, *, claims_data: bool = True, remembers: bool = True) -> int:
    """How often one start of the bot tells Discord the commands."""

    async def open_studio(courier: Courier) -> Studio:
        storage = await Storage.open(f"sqlite+aiosqlite:///{data_dir / 'sync.sqlite3'}", data_dir)
        if not remembers:
            storage.installation.note_commands = create_autospec(  # type: ignore[method-assign]  # the disk is full
                storage.installation.note_commands, side_effect=Unavailable("The disk is full.")
            )
        return Studio(storage, FakeExecutor(wait=wait), courier, sleep=lambda seconds: wait(asyncio.sleep(seconds)))

    def wait(awaitable: Any) -> Any:
        return env.external_wait(awaitable, reason="work that others do")

    bot = Barkeep(open_studio, shard_count=1, claims_data=claims_data)
    env = PatientEnv(bot, shard_count=1, settle_timeout=20.0)
    await env.start()
    await env.shutdown()
    await bot.close()
    return sum(entry.method == "PUT" for entry in env.http_requests)


async def test_commands_are_synced_only_when_they_changed(tmp_path: Path) -> None:
    assert [await syncs(tmp_path) for _ in range(2)] == [1, 0]
    storage = await Storage.open(f"sqlite+aiosqlite:///{tmp_path / 'sync.sqlite3'}", tmp_path)
    await storage.installation.note_commands("of another version")
    await storage.close()
    assert [await syncs(tmp_path) for _ in range(2)] == [1, 0]


async def test_a_bot_that_does_not_claim_its_data_syncs_commands_at_every_start(tmp_path: Path) -> None:
    assert [await syncs(tmp_path, claims_data=False) for _ in range(2)] == [1, 1]


async def test_commands_that_cannot_be_remembered_are_synced_again(tmp_path: Path) -> None:
    assert [await syncs(tmp_path, remembers=False) for _ in range(2)] == [1, 1]


async def test_a_server_that_removes_the_bot_is_forgotten(
    env: simcord.Env, clone: Clone, guild: GuildHandle, studio: Studio
) -> None:
    await clone("Ada")
    env.backend.remove_guild(guild.id)
    await env.settle()
    assert (await studio.storage.voices.list(guild.id, None))[1] == 0


@pytest.mark.parametrize("invited_again", [False, True])
async def test_a_server_that_cannot_be_forgotten_now_is_forgotten_by_upkeep(
    env: simcord.Env,
    bot: Barkeep,
    clone: Clone,
    guild: GuildHandle,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    *,
    invited_again: bool,
) -> None:
    await clone("Ada")
    with monkeypatch.context() as broken:
        broken.setattr(studio.admin, "guild_removed", AsyncMock(side_effect=Unavailable("The database is busy.")))
        there = bot.get_guild(guild.id)
        assert there is not None
        env.backend.remove_guild(guild.id)
        await env.settle()
        if invited_again:
            broken.setattr(bot, "get_guild", lambda _: there)
            await env.advance_time(100.0)
    await env.advance_time(100.0)
    assert (await studio.storage.voices.list(guild.id, None))[1] == int(invited_again)


async def known_after_a_start(data_dir: Path, *, claims_data: bool) -> list[int]:
    """Start a bot that is in no server on data about server 77. The servers that it keeps data about then."""

    async def open_studio(courier: Courier) -> Studio:
        storage = await Storage.open(f"sqlite+aiosqlite:///{data_dir / 'sync.sqlite3'}", data_dir)
        await storage.audit.write(77, 1, "voice.clone", "Ada")
        return Studio(storage, FakeExecutor(wait=wait), courier, sleep=lambda seconds: wait(asyncio.sleep(seconds)))

    def wait(awaitable: Any) -> Any:
        return env.external_wait(awaitable, reason="work that others do")

    bot = Barkeep(open_studio, shard_count=1, claims_data=claims_data)
    env = PatientEnv(bot, shard_count=1, settle_timeout=20.0)
    try:
        await env.start()
        await env.settle()
        return await bot.studio.storage.guilds.all_ids()
    finally:
        await env.shutdown()
        await bot.close()


async def test_servers_that_removed_the_bot_while_it_was_away_are_forgotten(tmp_path: Path) -> None:
    assert await known_after_a_start(tmp_path / "data", claims_data=True) == [77]
    assert await known_after_a_start(tmp_path / "data", claims_data=True) == []


async def test_a_bot_that_does_not_claim_its_data_forgets_no_server(tmp_path: Path) -> None:
    for _ in range(2):
        assert await known_after_a_start(tmp_path / "data", claims_data=False) == [77]


async def test_another_application_is_refused_at_the_start_and_forgets_nothing(tmp_path: Path) -> None:
    storage = await Storage.open(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'sync.sqlite3'}", tmp_path / "data")
    assert not await storage.installation.claim(1234)
    await storage.audit.write(77, 1, "voice.clone", "Ada")
    await storage.close()
    for _ in range(2):
        with pytest.raises(Conflict, match=r"belongs to another Discord application \(1234\)"):
            await known_after_a_start(tmp_path / "data", claims_data=True)
    storage = await Storage.open(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'sync.sqlite3'}", tmp_path / "data")
    assert await storage.guilds.all_ids() == [77]
    await storage.close()


async def test_servers_that_the_bot_is_in_are_kept(env: simcord.Env, clone: Clone, world: World) -> None:
    await clone("Ada")
    world.bot._absence_counts = True
    await world.bot.on_ready()
    assert len(await world.bot.studio.storage.guilds.all_ids()) == 1


async def test_upkeep_goes_on_after_a_error(env: simcord.Env, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    async def upkeep() -> None:
        nonlocal calls
        calls += 1
        raise Unavailable("The disk is full.") if calls == 1 else RuntimeError("unexpected")

    monkeypatch.setattr(studio, "upkeep", upkeep)
    await env.advance_time(100.0)
    assert calls == 3


async def test_closing_twice_is_harmless(bot: Barkeep) -> None:
    await bot.close()
    await bot.close()


async def test_closing_before_login_is_harmless() -> None:
    async def open_studio(_: Courier) -> Studio:
        raise AssertionError("nothing is opened before login")

    await Barkeep(open_studio).close()


async def test_a_studio_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    async def open_studio(_: Courier) -> Studio:
        raise Unavailable("The database cannot be reached.")

    bot = Barkeep(open_studio, shard_count=1)
    env = PatientEnv(bot, shard_count=1)
    with pytest.raises(BarkeepError, match="database"):
        await env.start()
    await bot.close()


async def test_the_simulation_would_notice_a_ping(world: World, channel: ChannelHandle, member: MemberActor) -> None:
    await member.slash(channel, "help")
    assert world.pings() == []
    target = world.bot.get_partial_messageable(channel.id)
    with world.env._bot_scope():
        await target.send("@everyone", allowed_mentions=discord.AllowedMentions.all())
    assert len(world.pings()) == 1
    world.env.http_requests.clear()
