"""The interface between the studio and the platform's voice channels."""

from collections.abc import Callable
from typing import Protocol

from studio.channel.lines import Line


class Connection(Protocol):
    """The bot in one voice channel."""

    @property
    def channel_id(self) -> int:
        """The channel that the bot is in now; moderators may move it."""

    @property
    def ready(self) -> bool:
        """Whether sound sent now arrives; False while the platform changes its voice server."""

    async def play(self, line: Line) -> None:
        """Play a line to its end, each piece when it is ready. Cancel the call to stop the sound.

        No sound of the line is sent after the call returns or raises. Raises NotAllowed if the bot may not speak in
        the channel, Unavailable if the connection broke and could not be restored.
        """

    async def close(self) -> None:
        """Leave the channel. Never raises."""


class VoiceGateway(Protocol):
    """Opens connections, and counts the listeners of a channel."""

    async def connect(self, guild_id: int, channel_id: int, gone: Callable[[], None]) -> Connection:
        """Enter a voice channel. `gone` is called if the connection ends and `close` did not end it.

        Raises NotFound (no such channel), NotAllowed (rights, a stage, a full channel) and Unavailable (libraries,
        network), each with a sentence for the member.
        """

    def shows(self, guild_id: int) -> bool:
        """Return whether the platform reports who is in the server's voice channels; False during an outage."""

    def audience(self, guild_id: int, channel_id: int) -> int:
        """Return the number of people in the channel, without bots."""
