"""A simulated Discord around the real bot: real cogs, real studio, real SQLite; only the speech worker is a stand-in.

`env` is the running simulation. `member` and `other` are ordinary members of `guild`, `moderator` has Manage Server.
Errors that Barkeep expects do not fail a test; anything else that the bot raised does, unless a test read `env.errors`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import discord
import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from cogs.ui.errors import as_barkeep, token_is_gone
from storage.database import Storage
from studio.studio import Studio
from studio.values import Courier
from tests.fakes import FakeExecutor, sound_bytes

NEVER = 3600.0
"""Progress edits after the first come an hour later: a test that wants them moves the clock."""


Waiting = tuple[simcord.InteractionResult, Callable[[], None]]
"""A command that waits for its answer, and the function that lets its job finish."""


class PatientEnv(simcord.Env):
    """simcord's environment. Its own gives a start 5 s, whatever `settle_timeout` says; a busy machine takes longer."""

    async def _settle_internal(self, **named: Any) -> None:
        if named.get("timeout") is not None:
            named["timeout"] = max(named["timeout"], self.settle_timeout)
        await super()._settle_internal(**named)


class World:
    """One data folder and one Discord, and the bots that come and go between them."""

    def __init__(self, data_dir: Path, *, read_messages: bool = False) -> None:
        self.data_dir = data_dir
        self.read_messages = read_messages
        self.executor = FakeExecutor(wait=self.wait)
        self.bot = self._new_bot()
        self.env = PatientEnv(self.bot, shard_count=1, settle_timeout=20.0)

    async def start(self) -> None:
        """Bring the bot to READY."""
        await self.env.start()

    async def restart(self) -> Barkeep:
        """Stop the bot as a deploy would, and start another one on the same data."""
        await self.bot.close()
        self.executor = FakeExecutor(wait=self.wait)
        self.bot = self._new_bot()
        await self.env.restart_bot(self.bot)
        return self.bot

    def later(self, seconds: float) -> None:
        """Move the clock without running what was due meanwhile: `env.advance_time` would do days of upkeep."""
        self.env.backend.advance_clock(seconds)

    async def stop(self) -> None:
        """End the simulation, then close what the bot opened."""
        await self.env.shutdown()
        await self.bot.close()

    def pings(self) -> list[object]:
        """Requests that would notify somebody: every text that the bot sends must say that it does not."""
        bodies = [entry.json for entry in self.env.http_requests if isinstance(entry.json, dict)]
        sent = [body["data"] if isinstance(body.get("data"), dict) else body for body in bodies]
        texts = [body for body in sent if body.get("content") or body.get("embeds")]
        return [body for body in texts if (body.get("allowed_mentions") or {}).get("parse") != []]

    def unexpected(self) -> list[BaseException]:
        """What the bot raised and no test looked at, without the errors that Barkeep expects."""
        unseen = self.env.errors_since(self.env._errors_acknowledged)
        return [error for error in unseen if as_barkeep(error) is None and not token_is_gone(error)]

    def _new_bot(self) -> Barkeep:
        return Barkeep(self._open_studio, shard_count=1, edit_seconds=NEVER, read_messages=self.read_messages)

    async def _open_studio(self, courier: Courier) -> Studio:
        url = f"sqlite+aiosqlite:///{self.data_dir / 'test.sqlite3'}"
        storage = await Storage.open(url, self.data_dir, clock=self.env.now)
        return Studio(storage, self.executor, courier, clock=self.env.now, sleep=self.sleep)

    def wait(self, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        return self.env.external_wait(awaitable, reason="work that others do")

    def sleep(self, seconds: float) -> Awaitable[Any]:
        return self.wait(asyncio.sleep(seconds))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Everything below comes from here."""
    world = World(tmp_path / "data")
    await world.start()
    yield world
    await world.stop()
    assert world.pings() == []
    if unexpected := world.unexpected():
        raise BaseExceptionGroup("the bot raised", unexpected)


@pytest.fixture
async def env(world: World) -> simcord.Env:
    """The running simulation."""
    return world.env


@pytest.fixture
async def bot(world: World) -> Barkeep:
    """The bot that was started first."""
    return world.bot


@pytest.fixture
async def studio(world: World) -> Studio:
    """The real studio behind the bot that was started first."""
    return world.bot.studio


@pytest.fixture
async def executor(world: World) -> FakeExecutor:
    """The stand-in for the speech worker."""
    return world.executor


@pytest.fixture
async def restart(world: World) -> Callable[[], Awaitable[Barkeep]]:
    """Stops the bot and starts another one on the same data."""
    return world.restart


@pytest.fixture
async def guild(env: simcord.Env) -> GuildHandle:
    """A server."""
    return env.create_guild("The Snug")


@pytest.fixture
async def channel(guild: GuildHandle) -> ChannelHandle:
    """Its channel."""
    return guild.create_text_channel("voices")


@pytest.fixture
async def quiet_channel(guild: GuildHandle, bot: Barkeep) -> ChannelHandle:
    """A channel in which the bot may not attach files."""
    assert bot.user is not None
    return guild.create_text_channel("quiet", overwrites={bot.user: discord.PermissionOverwrite(attach_files=False)})


@pytest.fixture
async def member(env: simcord.Env, guild: GuildHandle) -> MemberActor:
    """An ordinary member."""
    return guild.add_member(env.create_user("mira"))


@pytest.fixture
async def other(env: simcord.Env, guild: GuildHandle) -> MemberActor:
    """Another ordinary member."""
    return guild.add_member(env.create_user("otto"))


@pytest.fixture
async def moderator(env: simcord.Env, guild: GuildHandle) -> MemberActor:
    """A member with Manage Server."""
    role = guild.create_role("Moderators", permissions=discord.Permissions(manage_guild=True))
    return guild.add_member(env.create_user("mona"), roles=[role])


@pytest.fixture
def recording() -> tuple[str, bytes]:
    """An audio file as an attachment option."""
    return "mira.wav", sound_bytes("WAV")


Clone = Callable[..., Awaitable[simcord.InteractionResult]]


@pytest.fixture
async def clone(channel: ChannelHandle, member: MemberActor, recording: tuple[str, bytes]) -> Clone:
    """Clones a voice, consent included: `await clone("Ada", by=other)`; returns the last interaction."""

    async def clone(name: str, by: MemberActor = member, **options: Any) -> simcord.InteractionResult:
        shown = await by.slash(channel, "clone", name=name, audio=recording, **options)
        if shown.modal is not None:
            shown = await by.submit_modal(shown, {"consent": True})
        return shown

    return clone


@pytest.fixture
async def waiting(channel: ChannelHandle, member: MemberActor, executor: FakeExecutor) -> Waiting:
    """A line of speech that is at work, and the function that lets it finish."""
    release = executor.hold()
    return await member.slash(channel, "say", text="Hello."), release
