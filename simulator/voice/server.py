"""A voice server on 127.0.0.1: the websocket and the UDP port that discord.py uses, with end-to-end encryption.

It decrypts each packet and passes it on. Implements version 8 of Discord's voice gateway as far as it is documented;
the opcodes have Discord's names.
"""

import asyncio
import json
import secrets
import struct
import time
from contextlib import suppress
from enum import IntEnum
from typing import Any

import nacl.exceptions
import nacl.secret
from aiohttp import WSMsgType, web

from simulator.voice.group import PROTOCOL, Group
from simulator.voice.packets import SILENCE, Hear, Packet

HEARTBEAT = 1000
"""Milliseconds between two heartbeats of the bot."""
MODE = "aead_xchacha20_poly1305_rtpsize"
SSRC = 4711

_HEADER = struct.Struct(">BBHII")
_DISCOVERY = 74
"""Bytes of the packet by which a client asks for its own address."""
_NONCE = 4


class Op(IntEnum):
    """Opcodes of the voice gateway."""

    IDENTIFY = 0
    SELECT_PROTOCOL = 1
    READY = 2
    HEARTBEAT = 3
    SESSION_DESCRIPTION = 4
    SPEAKING = 5
    HEARTBEAT_ACK = 6
    RESUME = 7
    HELLO = 8
    RESUMED = 9
    EXECUTE_TRANSITION = 22
    TRANSITION_READY = 23
    EXTERNAL_SENDER = 25
    KEY_PACKAGE = 26
    PROPOSALS = 27
    COMMIT_WELCOME = 28
    ANNOUNCE_COMMIT = 29


class VoiceServer(asyncio.DatagramProtocol):
    """One channel's server. `hear` gets every packet. `deaf`: UDP is ignored, as behind a firewall."""

    def __init__(self, channel_id: int, hear: Hear) -> None:
        self.speaking = False
        self.deaf = False
        self.connections = 0
        """How often the bot has identified itself."""
        self._channel_id = channel_id
        self._hear = hear
        self._key = secrets.token_bytes(32)
        self._group = Group(channel_id)
        self._user_id = 0
        self._sequence = 0
        self._socket: web.WebSocketResponse | None = None
        self._box = nacl.secret.Aead(self._key)

    async def start(self) -> None:
        """Open both ports."""
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._udp_port = self._udp.get_extra_info("sockname")[1]
        application = web.Application()
        application.router.add_get("/", self._talk)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    @property
    def endpoint(self) -> str:
        """Host and port of the websocket."""
        host, port = self._runner.addresses[0][:2]
        return f"{host}:{port}"

    async def close(self) -> None:
        """Close both ports."""
        self._udp.close()
        await self._runner.cleanup()

    async def hang_up(self, code: int) -> None:
        """Close the bot's websocket, as Discord's server does with this code."""
        if self._socket is not None:
            await self._socket.close(code=code)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Handle a packet of sound, or a request for the bot's own address."""
        if self.deaf:
            return
        if len(data) == _DISCOVERY and data[1] == 1:
            answer = struct.pack(">HHI", 2, _DISCOVERY - 4, SSRC)
            self._udp.sendto(answer + address[0].encode().ljust(64, b"\0") + struct.pack(">H", address[1]), address)
            return
        _, _, sequence, timestamp, _ = _HEADER.unpack_from(data)
        self._hear(Packet(time.perf_counter(), sequence, timestamp, self._decrypted(data)))

    def _decrypted(self, data: bytes) -> bytes | None:
        head, body, nonce = data[: _HEADER.size], data[_HEADER.size : -_NONCE], data[-_NONCE:]
        with suppress(nacl.exceptions.CryptoError):
            packet = self._box.decrypt(body, head, nonce.ljust(24, b"\0"))
            if packet == SILENCE:  # DAVE does not encrypt silence.
                return packet
            with suppress(Exception):  # davey raises errors of any type
                return self._group.decrypt(self._user_id, packet)
        return None

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        self._socket = socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._send(Op.HELLO, {"v": 8, "heartbeat_interval": HEARTBEAT})
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                content = json.loads(message.data)
                await self._answer(content["op"], content["d"])
            elif message.type is WSMsgType.BINARY:
                await self._answer_binary(message.data[0], message.data[1:])
        return socket

    async def _answer(self, op: int, content: Any) -> None:
        if op == Op.IDENTIFY:
            self.connections += 1
            self._user_id = int(content["user_id"])
            self._group = Group(self._channel_id)
            await self._send(Op.READY, {"ssrc": SSRC, "ip": "127.0.0.1", "port": self._udp_port, "modes": [MODE]})
        elif op == Op.SELECT_PROTOCOL:
            await self._send(
                Op.SESSION_DESCRIPTION,
                {"mode": MODE, "secret_key": list(self._key), "dave_protocol_version": PROTOCOL},
            )
            await self._send_binary(Op.EXTERNAL_SENDER, self._group.sender)
        elif op == Op.RESUME:
            await self._send(Op.RESUMED, None)
        elif op == Op.HEARTBEAT:
            await self._send(Op.HEARTBEAT_ACK, content)
        elif op == Op.SPEAKING:
            self.speaking = bool(content["speaking"])
        elif op == Op.TRANSITION_READY:
            await self._send(Op.EXECUTE_TRANSITION, {"transition_id": content["transition_id"]})

    async def _answer_binary(self, op: int, content: bytes) -> None:
        if op == Op.KEY_PACKAGE:
            await self._send_binary(Op.PROPOSALS, self._group.invite())
        elif op == Op.COMMIT_WELCOME:
            transition = struct.pack(">H", 1)
            await self._send_binary(Op.ANNOUNCE_COMMIT, transition + self._group.accept(content))

    async def _send(self, op: Op, content: Any) -> None:
        if self._socket is not None:
            await self._socket.send_str(json.dumps({"op": op, "d": content}))

    async def _send_binary(self, op: Op, content: bytes) -> None:
        self._sequence += 1
        if self._socket is not None:
            await self._socket.send_bytes(struct.pack(">HB", self._sequence, op) + content)
