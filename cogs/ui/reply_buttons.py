"""The buttons below generated speech: another take, delete, and stop. They work after a restart."""

import contextlib
from typing import Any

import discord

from cogs.interactions import actor_of, origin_of, require_attachments, upload_limit
from cogs.ui import ids
from cogs.ui.base import guarded
from cogs.ui.ids import FromId
from studio.values import Update

Interaction = discord.Interaction[Any]
Button = discord.ui.Button[discord.ui.View]


class Repeat(FromId, discord.ui.DynamicItem[Button], template=f"repeat:{ids.text('job')}"):
    """Generates the same words again with a new seed; the answer goes to the same place."""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Another take", emoji="🔁", custom_id=f"repeat:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Submit a new job for the member who pressed."""
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
    """Cancels the job that a message waits for."""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Cancel", custom_id=f"stop:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Cancel the job, for its member and moderators. The job's answer replaces the message."""
        await interaction.response.defer()
        await interaction.client.studio.jobs.cancel(actor_of(interaction), self.job_id)


class Discard(FromId, discord.ui.DynamicItem[Button], template=f"discard:{ids.text('job')}"):
    """Deletes an answer: the message, and the recording in the studio."""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Delete", emoji="🗑️", custom_id=f"discard:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Delete it, for its member and moderators."""
        await interaction.response.defer()
        await interaction.client.studio.speech.discard(actor_of(interaction), self.job_id)
        with contextlib.suppress(discord.NotFound):  # pressed twice, or deleted by hand
            await interaction.delete_original_response()
