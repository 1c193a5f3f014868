"""A stand-in for voice channels: implements `studio.channel.gateway`, and takes notes of what is said."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from errors import BarkeepError
from studio.channel.lines import Line


class FakeConnection:
    """The bot in a channel. A line is said as soon as all of it was made. `gone` ends it as the platform does."""

    def __init__(self, voice: "FakeVoice", channel_id: int, gone: Callable[[], None]) -> None:
        self.channel_id = channel_id
        self.ready = True
        self.gone = gone
        self._voice = voice

    async def play(self, line: Line) -> None:
        taken = -1
        while not line.complete or taken < len(line.pieces):
            taken = len(line.pieces)
            await self._voice.wait(line.more(taken))
        self._voice.said.append(line.text)

    async def close(self) -> None:
        await self._voice.closing()
        self._voice.left.append(self.channel_id)


class FakeVoice:
    """All channels. `people` is how many hear the bot; `said` are the lines that were said to their end.

    `connections` are all that were opened, `refusal` is raised by the next ones; `closing` is awaited by `close`.
    `shown`: whether the platform tells who is there.
    """

    def __init__(self, wait: Callable[[Awaitable[Any]], Awaitable[Any]] = lambda awaitable: awaitable) -> None:
        self.wait = wait
        self.people = 1
        self.shown = True
        self.said: list[str] = []
        self.left: list[int] = []
        self.connections: list[FakeConnection] = []
        self.refusal: BarkeepError | None = None
        self.closing: Callable[[], Awaitable[Any]] = lambda: asyncio.sleep(0)

    async def connect(self, guild_id: int, channel_id: int, gone: Callable[[], None]) -> FakeConnection:
        if self.refusal is not None:
            raise self.refusal
        self.connections.append(FakeConnection(self, channel_id, gone))
        return self.connections[-1]

    def shows(self, guild_id: int) -> bool:
        return self.shown

    def audience(self, guild_id: int, channel_id: int) -> int:
        return self.people
