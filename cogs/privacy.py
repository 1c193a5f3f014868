"""/privacy: shows, exports and deletes what is stored about a member. Private replies."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs.checks import actor_of, require_attachments
from cogs.files import send_privately
from cogs.studio_bot import StudioBot
from cogs.ui import confirm
from cogs.ui.base import guarded, persistent_view
from cogs.ui.ids import FromId
from cogs.voices.render_library import (
    render_forget_question,
    render_forgotten,
    render_privacy,
    render_revoke_question,
    render_revoked,
)
from studio.studio import Studio
from studio.values import Actor

Interaction = discord.Interaction[StudioBot]

_FORGET = "forget"
_REVOKE = "revoke"
_FILE = "my-voice-data.zip"


async def _forget(studio: Studio, actor: Actor, _target: str) -> str:
    return render_forgotten(await studio.privacy.forget(actor))


async def _revoke(studio: Studio, actor: Actor, _target: str) -> str:
    return render_revoked(await studio.privacy.revoke(actor))


class AskRevoke(FromId, discord.ui.DynamicItem[discord.ui.Button[Any]], template="revoke-consent"):
    """Withdraws consent to cloning, after a confirmation. Works after a restart."""

    def __init__(self) -> None:
        super().__init__(discord.ui.Button(label="Withdraw consent…", custom_id="revoke-consent"))

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Ask for confirmation, with the voices that would be deleted."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        summary = await interaction.client.studio.privacy.show(actor_of(interaction))
        await confirm.ask(interaction, render_revoke_question(summary), "Withdraw it", _REVOKE)


class Privacy(commands.GroupCog, group_name="privacy", group_description="What I store about you on this server"):
    """Members see, export and delete their data."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        self.deeds = {_FORGET: _forget, _REVOKE: _revoke}

    @app_commands.command(name="show", description="See what I store about you on this server")
    async def show(self, interaction: Interaction) -> None:
        """Show a summary."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        summary = await self.bot.studio.privacy.show(actor_of(interaction))
        buttons = [AskRevoke()] if summary.consent is not None or summary.heard_in else []
        view = persistent_view(*buttons)
        await interaction.followup.send(embed=render_privacy(summary), view=view, ephemeral=True)

    @app_commands.command(name="export", description="Get everything I store about you as one zip file")
    async def export(self, interaction: Interaction) -> None:
        """Send records as JSON, with recordings and prompts as files."""
        actor = actor_of(interaction)
        require_attachments(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        data = await self.bot.studio.privacy.export(actor)
        await send_privately(interaction, "Everything I store about you on this server.", _FILE, data)

    @app_commands.command(name="forget", description="Delete everything I store about you on this server")
    async def forget(self, interaction: Interaction) -> None:
        """Ask for confirmation, with what is deleted and what stays."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        summary = await self.bot.studio.privacy.show(actor_of(interaction))
        await confirm.ask(interaction, render_forget_question(summary), "Delete everything", _FORGET)


async def setup(bot: StudioBot) -> None:
    """Load the cog (called by discord.py)."""
    bot.add_dynamic_items(*confirm.CONFIRM_ITEMS, AskRevoke)
    await bot.add_cog(Privacy(bot))
