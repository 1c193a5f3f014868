"""What stands between the studio and the platform's voice channels."""

from collections.abc import Callable
from typing import Protocol

from studio.channel.lines import Line


class Connection(Protocol):
    """The bot in one voice channel."""

    @property
    def channel_id(self) -> int:
        """Where it is at this moment: moderators may move it."""

    @property
    def ready(self) -> bool:
        """Whether sound that is sent now arrives. False for a while when the platform changes its server."""

    async def play(self, line: Line) -> None:
        """Say a line to its end, piece by piece as they come. Cancel it to stop the sound.

        When it returns or raises, nothing of the line is on its way any more. Raises NotAllowed if the bot may not be
        heard there, Unavailable if the connection broke and did not come back.
        """

    async def close(self) -> None:
        """Leave the channel. Never raises."""


class VoiceGateway(Protocol):
    """Opens connections, and knows who hears."""

    async def connect(self, guild_id: int, channel_id: int, gone: Callable[[], None]) -> Connection:
        """Enter a voice channel. `gone` is called if the connection ends and `close` did not end it.

        Raises NotFound (no such channel), NotAllowed (rights, a stage, a full channel) and Unavailable (libraries,
        network), each with a sentence for the member.
        """

    def audience(self, guild_id: int, channel_id: int) -> int:
        """How many people, bots aside, are in the channel."""
