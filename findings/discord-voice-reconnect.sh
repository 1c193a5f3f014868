#!/usr/bin/env bash
# discord.py 2.7.1: the voice websocket closes with 4006 (the session is no longer valid) two seconds after the bot
# entered a channel. The voice server is back at once.
# Expected: the client, whose backoff starts at 0 to 2 s, is connected again after some seconds.
# Actual: it is connected again 30 s after it first connected. The thread that reads UDP still waits in select() for the
# old socket, and closing the socket does not wake it. So the answer to the new connection's IP discovery is not read
# before the 30 s of that select() are over. With a new SocketReader for each socket, reconnecting takes as long as the
# backoff.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "discord.py[voice]==2.7.1" "audioop-lts==0.2.2; python_version >= '3.13'"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import json
import struct
import sys
import time
from types import SimpleNamespace

import aiohttp
import discord
from aiohttp import web
from discord.voice_state import SocketReader, VoiceConnectionState

GUILD, CHANNEL, BOT = 1, 2, 3


class VoiceServer(asyncio.DatagramProtocol):
    """Discord's voice gateway without end-to-end encryption: enough to enter a channel."""

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        application = web.Application()
        application.router.add_get("/", self.talk)
        self.runner = web.AppRunner(application)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.endpoint = "{}:{}".format(*self.runner.addresses[0])

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        if len(data) == 74:  # IP discovery
            host, port = address[0].encode().ljust(64, b"\0"), struct.pack(">H", address[1])
            answer = struct.pack(">HHI", 2, 70, 1) + host + port
            self.udp.sendto(answer, address)

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        self.socket = socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 8, "d": {"v": 8, "heartbeat_interval": 5000}})
        port = self.udp.get_extra_info("sockname")[1]
        mode = "aead_xchacha20_poly1305_rtpsize"
        answers = {
            0: (2, {"ssrc": 1, "ip": "127.0.0.1", "port": port, "modes": [mode]}),
            1: (4, {"mode": mode, "secret_key": list(range(32)), "dave_protocol_version": 0}),
            3: (6, {"t": 0}),
        }
        async for message in socket:
            op = json.loads(message.data)["op"]
            if op in answers:
                await socket.send_json({"op": answers[op][0], "d": answers[op][1]})
        return socket


async def connected(server: VoiceServer) -> tuple[discord.VoiceClient, discord.Client]:
    """A client in a voice channel; its main gateway is the one object below, which answers a request to enter."""
    client = discord.Client(intents=discord.Intents.none())
    await client._async_setup_hook()
    session = aiohttp.ClientSession()
    client.http.ws_connect = lambda url, *, compress=0: session.ws_connect(url.replace("wss://", "ws://"))
    state = client._connection
    user = {"id": BOT, "username": "bot", "discriminator": "0", "avatar": None}
    state.user = discord.ClientUser(state=state, data=user)
    guild = discord.Guild(state=state, data={"id": GUILD, "name": "server"})
    place = {"id": CHANNEL, "name": "lounge", "type": 2, "position": 0, "bitrate": 64000, "user_limit": 0}
    channel = discord.VoiceChannel(state=state, guild=guild, data=place)
    guild._add_channel(channel)
    guild._add_member(discord.Member._from_client_user(user=state.user, guild=guild, state=state))
    state._add_guild(guild)

    async def answer(channel_id: int | None) -> None:
        await asyncio.sleep(0.02)
        voice = state._get_voice_client(GUILD)
        if voice is None:
            return
        told = {"guild_id": GUILD, "channel_id": channel_id, "user_id": BOT, "session_id": "session"}
        await voice.on_voice_state_update(told)
        if channel_id is not None:
            await voice.on_voice_server_update({"guild_id": GUILD, "token": "token", "endpoint": server.endpoint})

    async def voice_state(
        guild_id: int, channel_id: int | None, self_mute: bool = False, self_deaf: bool = False
    ) -> None:
        tasks.add(asyncio.create_task(answer(channel_id)))

    tasks: set[asyncio.Task[None]] = set()
    client.ws = SimpleNamespace(voice_state=voice_state)
    voice = await channel.connect()
    client.close_session = session.close
    return voice, client


async def measure(code: int, most: float) -> float:
    """Seconds from the close of the websocket until the client is connected again, `most` if it is not by then."""
    server = VoiceServer()
    await server.start()
    voice, client = await connected(server)
    await asyncio.sleep(2)
    await server.socket.close(code=code)
    closed = time.monotonic()
    await asyncio.sleep(0.2)
    while time.monotonic() - closed < most and not (voice.is_connected() and not voice.ws.ws.closed):
        await asyncio.sleep(0.05)
    passed = time.monotonic() - closed
    await voice.disconnect(force=True)
    await client.close_session()
    server.udp.close()
    await server.runner.cleanup()
    return min(passed, most)


def with_new_reader(state: VoiceConnectionState) -> None:
    state._socket_reader.stop()
    state._socket_reader = SocketReader(state)
    state._socket_reader.start()
    create_socket(state)


create_socket = VoiceConnectionState._create_socket
stalled = asyncio.run(measure(4006, 45.0))
VoiceConnectionState._create_socket = with_new_reader
quick = asyncio.run(measure(4006, 45.0))
print(f"discord.py {discord.__version__}: closed with 4006 two seconds after connecting")
print(f"connected again after {stalled:.1f} s, and after {quick:.1f} s with a new SocketReader for the new socket")
if not (20 < stalled < 45 and quick < 10):
    sys.exit("discord.py has changed: this does not hold any more")
PYTHON
