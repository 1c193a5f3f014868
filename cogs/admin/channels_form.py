"""The form about voice channels in /admin settings."""

from collections.abc import Awaitable
from typing import Any, Protocol

import discord

from cogs.admin.render_admin import OUTPUTS
from cogs.ui.base import SafeModal
from errors import InvalidInput
from storage.records import ChannelOutput, GuildSettings

CHANNEL_FIELDS = ("channel_output", "channel_idle_minutes", "channel_notice")
"""The fields of GuildSettings that the form asks for."""
_MINUTES = "Minutes alone or without a word, then I leave"
_DIGITS = 4


class Keep(Protocol):
    """Keeps settings, and answers the form."""

    def __call__(self, interaction: discord.Interaction[Any], **changes: Any) -> Awaitable[None]:
        """Raises what the studio raises."""


class ChannelsModal(SafeModal):
    """Takes all that moderators decide about voice channels, and keeps it together, or none of it."""

    def __init__(self, settings: GuildSettings, keep: Keep) -> None:
        super().__init__(title="Voice channels")
        self._keep = keep
        self._output = discord.ui.Select[Any](
            custom_id="channel_output",
            options=[
                discord.SelectOption(
                    label=words.capitalize(), value=output.value, default=output is settings.channel_output
                )
                for output, words in OUTPUTS.items()
            ],
        )
        self._minutes = discord.ui.TextInput[Any](
            custom_id="channel_idle_minutes",
            default=str(settings.channel_idle_minutes),
            min_length=1,
            max_length=_DIGITS,
        )
        self._notice = discord.ui.Checkbox[Any](custom_id="channel_notice", default=settings.channel_notice)
        self.add_item(discord.ui.Label(text="Lines that are asked for in my voice channel", component=self._output))
        self.add_item(discord.ui.Label(text=_MINUTES, component=self._minutes))
        self.add_item(
            discord.ui.Label(
                text="Spoken notice",
                description="When I join, I say that my voices are generated.",
                component=self._notice,
            )
        )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Read the number first, so that a bad one changes nothing."""
        await self._keep(
            interaction,
            channel_idle_minutes=whole_number(self._minutes.value, _MINUTES),
            channel_output=ChannelOutput(self._output.values[0]),
            channel_notice=self._notice.value,
        )


def whole_number(typed: str, label: str) -> int:
    """Return what was typed as a number of 0 or more. Raises InvalidInput, naming the field."""
    cleaned = typed.strip()
    if not (cleaned.isascii() and cleaned.isdigit()):
        raise InvalidInput(f"{label}: please type a whole number, such as 10. Nothing was changed.")
    return int(cleaned)
