"""/check and the message menu "Was this made by Barkeep?": check a recording for the mark, with a private answer."""

import discord
from discord import app_commands

from cogs.files import read_recording, recording_in
from cogs.interactions import actor_of
from cogs.studio_bot import MenuCog, StudioBot
from cogs.ui.render import render_finding

Interaction = discord.Interaction[StudioBot]


class Check(MenuCog):
    """Looks for the mark in recordings."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        self.menus = (app_commands.ContextMenu(name="Was this made by Barkeep?", callback=self.check_this),)

    @app_commands.command(name="check", description="Look for the mark of generated speech in a recording")
    @app_commands.describe(audio="The recording. Only you see the answer, and I do not keep the recording")
    async def check(self, interaction: Interaction, audio: discord.Attachment) -> None:
        """Check an attachment."""
        await self._check(interaction, audio)

    async def check_this(self, interaction: Interaction, message: discord.Message) -> None:
        """Check the recording of a message, or of the message that it forwards."""
        forwarded = [file for snapshot in message.message_snapshots for file in snapshot.attachments]
        await self._check(interaction, recording_in([*message.attachments, *forwarded]))

    async def _check(self, interaction: Interaction, audio: discord.Attachment) -> None:
        actor, service = actor_of(interaction), self.bot.studio.checks
        service.admit(actor, audio.size)
        await interaction.response.defer(ephemeral=True, thinking=True)
        finding = await service.check(actor, audio.size, lambda: read_recording(audio))
        await interaction.followup.send(render_finding(finding, audio.filename), ephemeral=True)
