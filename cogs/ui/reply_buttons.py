"""The buttons of a recording: another take, and away. What they do is in their ids, so they outlive a restart."""

import contextlib
from typing import Any

import discord

from cogs.checks import actor_of, origin_of, require_attachments, upload_limit
from cogs.ui import ids
from cogs.ui.base import guarded
from cogs.ui.ids import FromId
from studio.values import Update

Interaction = discord.Interaction[Any]
Button = discord.ui.Button[discord.ui.View]


class Repeat(FromId, discord.ui.DynamicItem[Button], template=f"repeat:{ids.text('job')}"):
    """Say the same words again with a new seed; the answer goes where the first one went."""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Another take", emoji="🔁", custom_id=f"repeat:{job}"))
        self.job_id = job

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


class Stop(FromId, discord.ui.DynamicItem[Button], template=f"stop:{ids.text('job')}"):
    """Cancel the job that a message waits for."""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Cancel", custom_id=f"stop:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """For whoever asked for it, and for moderators. The answer to the job takes the message's place."""
        await interaction.response.defer()
        await interaction.client.studio.jobs.cancel(actor_of(interaction), self.job_id)


class Discard(FromId, discord.ui.DynamicItem[Button], template=f"discard:{ids.text('job')}"):
    """Delete an answer: the message here, and the recording in the studio."""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Delete", emoji="🗑️", custom_id=f"discard:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """For whoever asked for it, and for moderators."""
        await interaction.response.defer()
        await interaction.client.studio.speech.discard(actor_of(interaction), self.job_id)
        with contextlib.suppress(discord.NotFound):  # pressed twice, or deleted by hand meanwhile
            await interaction.delete_original_response()
