"""Adds voice channels to a live environment: answers the bot's request to enter one, and receives its speech.

simcord answers neither the request on the gateway nor a second websocket, so this module adds both to its classes.
Names with a leading underscore are simcord's private ones, as in live.py.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import aiohttp
from simcord.backend import Backend
from simcord.gateway import FakeWebSocket
from simcord.http.client import FakeHTTPClient

from simulator.live import LiveEnv
from simulator.voice.packets import Hear

if TYPE_CHECKING:
    from simulator.voice.server import VoiceServer

ANSWER_SECONDS = 0.02
"""The delay of the gateway's answer in seconds: discord.py misses an answer that comes at once."""

_lounges: "WeakKeyDictionary[Backend, Lounge]" = WeakKeyDictionary()


class Lounge:
    """The voice servers of a simulated Discord. `hear(channel id)` returns the function that gets a channel's packets.

    `servers`: the voice servers that were opened, one for each channel; `move` puts a channel on a new one.
    """

    def __init__(self, env: LiveEnv, hear: Callable[[int], Hear]) -> None:
        self.servers: dict[int, VoiceServer] = {}
        self._env = env
        self._hear = hear
        self._retired: list[VoiceServer] = []
        self._session: aiohttp.ClientSession | None = None
        _lounges[env.backend] = self
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close every port."""
        for task in self._tasks:
            task.cancel()
        for server in (*self.servers.values(), *self._retired):
            await server.close()
        if self._session is not None:
            await self._session.close()

    async def move(self, guild_id: int, channel_id: int) -> None:
        """Move the channel to another voice server, as Discord does after a change of its region."""
        self._retired.append(self.servers.pop(channel_id))
        await self._tell_server(guild_id, channel_id)

    async def connect(self, url: str, compress: int) -> aiohttp.ClientWebSocketResponse:
        """Connect to a voice server. discord.py always asks for TLS; here nothing leaves the machine."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return await self._session.ws_connect(url.replace("wss://", "ws://", 1), compress=compress)

    def request(self, guild_id: int, channel_id: int | None, **flags: bool) -> None:
        """Answer the bot's request to enter a channel, or to leave (None)."""
        task = asyncio.create_task(self._answer(guild_id, channel_id, **flags))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, guild_id: int, channel_id: int | None, **flags: bool) -> None:
        await asyncio.sleep(ANSWER_SECONDS)
        self._env.backend.set_voice_state(guild_id, self._env.backend.bot_user.id, channel_id, **flags)
        if channel_id is not None:
            await self._tell_server(guild_id, channel_id)

    async def prepare(self, channel_id: int) -> None:
        """Open the channel's voice server, if that has not happened yet."""
        from simulator.voice.server import VoiceServer  # The page starts without the libraries that this needs.

        if channel_id not in self.servers:
            server = self.servers[channel_id] = VoiceServer(channel_id, self._hear(channel_id))
            await server.start()

    async def _tell_server(self, guild_id: int, channel_id: int) -> None:
        await self.prepare(channel_id)
        payload = {"token": "token", "guild_id": str(guild_id), "endpoint": self.servers[channel_id].endpoint}
        self._env.backend.emit("VOICE_SERVER_UPDATE", payload)


async def _voice_state(
    websocket: Any, guild_id: int, channel_id: int | None, self_mute: bool = False, self_deaf: bool = False
) -> None:
    """Handle opcode 4 of the main gateway."""
    _lounges[websocket._backend].request(guild_id, channel_id, self_mute=self_mute, self_deaf=self_deaf)


async def _ws_connect(http: Any, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
    return await _lounges[http.backend].connect(url, compress)


FakeWebSocket.voice_state = _voice_state  # type: ignore[attr-defined]  # simcord has no such method
FakeHTTPClient.ws_connect = _ws_connect  # type: ignore[assignment, method-assign]
