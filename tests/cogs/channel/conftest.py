"""The real bot in real time, with a voice server on this machine; only the speech worker is a stand-in.

`party.heard` is what a listener in the channel decrypted, packet by packet.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import discord
import numpy as np
import pytest
import soundfile
from discord.oggparse import OggStream
from simcord import ChannelHandle, InteractionResult
from simcord.actors import MemberActor

from cogs.channel.source import SILENCE
from cogs.client import Barkeep
from simulator.live import LiveEnv
from simulator.voice.lounge import Lounge
from simulator.voice.packets import Hear, Packet
from simulator.voice.server import VoiceServer
from storage.database import Storage
from studio.channel.rooms import Room
from studio.speakers import PREFIX
from studio.studio import Studio
from studio.values import Courier
from tests.fakes import FakeExecutor


async def until(condition: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """Wait until something is so."""
    for _ in range(round(seconds / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


def packets_of(sound: bytes) -> list[bytes]:
    """The packets of sound in an Ogg Opus file."""
    return list(OggStream(io.BytesIO(sound)).iter_packets())[2:]


def tone(number: int, seconds: float = 0.5) -> bytes:
    """An Ogg Opus file in which no two packets are alike, nor like those of another number."""
    noise = np.random.default_rng(number).normal(0.0, 0.1, round(24_000 * seconds))
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, 24_000, format="OGG", subtype="OPUS")
    return buffer.getvalue()


SIGN = "⚠️"
"""Stands in a public answer for a moment, before an error is told in private."""
VOICE = f"{PREFIX}v2/en_speaker_6"


class Party:
    """A server with two voice channels and two members; both sit in the first one, the lounge."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.executor = FakeExecutor()
        self.heard: list[Packet] = []
        self.bot = self._new_bot()
        self.env = LiveEnv(self.bot)
        self.guild = self.env.create_guild("The Snug")
        self.text = self.guild.create_text_channel("the-bar")
        self.channel = self.guild.create_voice_channel("lounge")
        self.cellar = self.guild.create_voice_channel("cellar")
        moderators = self.guild.create_role("Moderators", permissions=discord.Permissions(manage_guild=True))
        self.mod = self.guild.add_member(self.env.create_user("mod"), roles=[moderators])
        self.ann = self.guild.add_member(self.env.create_user("ann"))
        self.bob = self.guild.add_member(self.env.create_user("bob"))
        self.lounge = Lounge(self.env, self._hear)

    async def start(self) -> None:
        await self.env.start()
        await self.ann.join_voice(self.channel)
        await self.bob.join_voice(self.channel)

    async def restart(self) -> None:
        """Stop the bot as a deploy would, and start another one on the same data."""
        await self.bot.close()
        sounds, self.executor = self.executor.sounds, FakeExecutor()
        self.executor.sounds = sounds
        self.bot = self._new_bot()
        await self.env.restart_bot(self.bot)

    async def stop(self) -> None:
        await self.env.shutdown()
        await self.lounge.close()

    @property
    def server(self) -> VoiceServer:
        """The voice server of the lounge."""
        return self.lounge.servers[self.channel.id]

    @property
    def sound(self) -> list[bytes | None]:
        """What was heard so far, without silence. None is what the listener could not decrypt."""
        return [packet.opus for packet in self.heard if packet.opus != SILENCE]

    async def does(
        self, actor: MemberActor, command: str, channel: ChannelHandle | None = None, **options: object
    ) -> str:
        """Use a command; what the bot says at once."""
        result: InteractionResult = await actor.slash(channel or self.text, command, **options)

        def answers() -> list[str]:
            messages = [*result.followups, *([] if result.response is None else [result.response])]
            return [message.content for message in messages if message.content not in ("", SIGN)]

        await until(answers, f"an answer to /{command}")
        return answers()[0]

    async def says(self, actor: MemberActor, text: str) -> InteractionResult:
        """Ask for a line in the model's voice. It is accepted when this returns, so that lines keep their order."""
        jobs = self.bot.studio.storage.jobs
        before = await jobs.count_of_member(self.guild.id, actor.id)
        result = await actor.slash(self.text, "say", text=text, voice=VOICE)
        for _ in range(1000):
            if await jobs.count_of_member(self.guild.id, actor.id) > before:
                return result
            await asyncio.sleep(0.01)
        raise AssertionError("the line was not accepted")

    @property
    def room(self) -> Room:
        """Where the bot sits."""
        room = self.bot.studio.dispatcher.rooms.get(self.guild.id)
        assert room is not None
        return room

    async def choose(self, **settings: object) -> None:
        """What the server's moderators decide."""
        await self.bot.studio.storage.guilds.change(self.guild.id, **settings)

    def files_of(self, result: InteractionResult) -> list[str]:
        """The names of the files that an answer has so far."""
        return [] if result.response is None else [file.filename for file in result.response.attachments]

    async def sits(self) -> None:
        """The bot comes to the lounge, and the listener hears it from then on."""
        answer = await self.does(self.ann, "join")
        assert self.channel.mention in answer
        await until(lambda: self.room.connection.ready, "the encrypted connection")

    async def forgets_its_seat(self) -> None:
        """No process will come back to a channel."""
        for _ in range(200):
            if not await self.bot.studio.storage.seats.all():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the seat is still known")

    async def quiet(self) -> None:
        """Nothing is being said any more, and the last packet has arrived."""
        room = self.bot.studio.dispatcher.rooms.get(self.guild.id)
        await until(lambda: room is None or not room.lines, "silence", 30.0)
        await asyncio.sleep(0.1)

    def _hear(self, _channel_id: int) -> Hear:
        return self.heard.append

    def _new_bot(self) -> Barkeep:
        return Barkeep(self._open_studio, edit_seconds=0.2, read_messages=True)

    async def _open_studio(self, courier: Courier) -> Studio:
        url = f"sqlite+aiosqlite:///{self.folder / 'test.sqlite3'}"
        return Studio(await Storage.open(url, self.folder), self.executor, courier)


@pytest.fixture
async def party(tmp_path: Path) -> AsyncIterator[Party]:
    """Everything runs; the bot sits nowhere yet."""
    party = Party(tmp_path / "data")
    await party.start()
    yield party
    await party.stop()
    assert not party.env.errors
