"""The buttons of a recording: another take, and away. What they do is in their ids, so they outlive a restart."""

import contextlib
import re
from typing import Any, Self

import discord

from cogs.checks import actor_of, origin_of, require_attachments, upload_limit
from cogs.ui.base import guarded
from studio.values import Update

Interaction = discord.Interaction[Any]
Button = discord.ui.Button[discord.ui.View]


class Repeat(discord.ui.DynamicItem[Button], template=r"repeat:(?P<job>[\w-]{1,64})"):
    """Say the same words again with a new seed; the answer goes where the first one went."""

    def __init__(self, job_id: str) -> None:
        super().__init__(discord.ui.Button(label="Another take", emoji="🔁", custom_id=f"repeat:{job_id}"))
        self.job_id = job_id

    @classmethod
    async def from_custom_id(cls, _: Interaction, _item: discord.ui.Item[Any], match: re.Match[str], /) -> Self:
        """The button of a message that may be older than this process."""
        return cls(match["job"])

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """A new job by whoever pressed."""
        actor = actor_of(interaction)
        require_attachments(interaction)
        hidden = interaction.message is not None and interaction.message.flags.ephemeral
        await interaction.response.defer(ephemeral=hidden, thinking=True)
        bot = interaction.client
        receipt = await bot.studio.speech.repeat(
            actor, self.job_id, origin_of(interaction), max_bytes=upload_limit(interaction)
        )
        bot.courier.update(receipt.job, Update(position=receipt.position))


class Stop(discord.ui.DynamicItem[Button], template=r"stop:(?P<job>[\w-]{1,64})"):
    """Cancel the job that a message waits for."""

    def __init__(self, job_id: str) -> None:
        super().__init__(discord.ui.Button(label="Cancel", custom_id=f"stop:{job_id}"))
        self.job_id = job_id

    @classmethod
    async def from_custom_id(cls, _: Interaction, _item: discord.ui.Item[Any], match: re.Match[str], /) -> Self:
        """The button of a message that may be older than this process."""
        return cls(match["job"])

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """For whoever asked for it, and for moderators. The answer to the job takes the message's place."""
        await interaction.response.defer()
        await interaction.client.studio.jobs.cancel(actor_of(interaction), self.job_id)


class Discard(discord.ui.DynamicItem[Button], template=r"discard:(?P<job>[\w-]{1,64})"):
    """Delete an answer: the message here, and the recording in the studio."""

    def __init__(self, job_id: str) -> None:
        super().__init__(discord.ui.Button(label="Delete", emoji="🗑️", custom_id=f"discard:{job_id}"))
        self.job_id = job_id

    @classmethod
    async def from_custom_id(cls, _: Interaction, _item: discord.ui.Item[Any], match: re.Match[str], /) -> Self:
        """The button of a message that may be older than this process."""
        return cls(match["job"])

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """For whoever asked for it, and for moderators."""
        await interaction.response.defer()
        await interaction.client.studio.speech.discard(actor_of(interaction), self.job_id)
        with contextlib.suppress(discord.NotFound):  # pressed twice, or deleted by hand meanwhile
            await interaction.delete_original_response()
