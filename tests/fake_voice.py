"""A stand-in for voice channels: implements `studio.channel.gateway`, and takes notes of what is said."""

from collections.abc import Awaitable, Callable
from typing import Any

from studio.channel.lines import Line


class FakeConnection:
    """The bot in a channel. A line is said as soon as all of it was made."""

    def __init__(self, voice: "FakeVoice", channel_id: int) -> None:
        self.channel_id = channel_id
        self.ready = True
        self._voice = voice

    async def play(self, line: Line) -> None:
        taken = -1
        while not line.complete or taken < len(line.pieces):
            taken = len(line.pieces)
            await self._voice.wait(line.more(taken))
        self._voice.said.append(line.text)

    async def close(self) -> None:
        self._voice.left.append(self.channel_id)


class FakeVoice:
    """All channels. `people` is how many hear the bot; `said` are the lines that were said to their end."""

    def __init__(self, wait: Callable[[Awaitable[Any]], Awaitable[Any]] = lambda awaitable: awaitable) -> None:
        self.wait = wait
        self.people = 1
        self.said: list[str] = []
        self.left: list[int] = []

    async def connect(self, guild_id: int, channel_id: int, gone: Callable[[], None]) -> FakeConnection:
        return FakeConnection(self, channel_id)

    def audience(self, guild_id: int, channel_id: int) -> int:
        return self.people
