"""/privacy: shows, exports and deletes what is stored about a member. Private replies.

It works on a server, for that server, and in direct messages, for all servers, also those that the member has left.
"""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs.files import send_privately
from cogs.interactions import actor_of, require_attachments
from cogs.options import CHOICE_LENGTH, Choice, choices_or_none
from cogs.privacy.render_privacy import (
    EVERYWHERE,
    HERE,
    render_forget_question,
    render_forgotten,
    render_overview,
    render_privacy,
    render_revoke_question,
    render_revoked,
)
from cogs.studio_bot import StudioBot
from cogs.ui import confirm, ids
from cogs.ui.base import guarded, persistent_view
from cogs.ui.ids import FromId
from cogs.ui.render import safe
from errors import NotFound
from storage.names import fold
from studio.privacy import added, combined
from studio.values import Actor, PrivacySummary

Interaction = discord.Interaction[StudioBot]
ServerOption = app_commands.Range[str, 1, CHOICE_LENGTH]

_FORGET = "forget"
_REVOKE = "revoke"
_FILE = "my-voice-data.zip"
_SERVER = "The server that you mean; if you leave it out, this one, or in direct messages all"


async def _actors(interaction: Interaction, server: str) -> list[Actor]:
    """Return the member on the servers that a command is about.

    `server`: an id; "" is the server of the interaction, or in direct messages every server with data about the member.
    On other servers than the interaction's the member's roles are unknown; members need none for their own data. Raises
    NotFound for a server without data about them.
    """
    here = interaction.guild_id
    if here is not None and server in ("", str(here)):
        return [actor_of(interaction)]
    known = await interaction.client.studio.privacy.servers(interaction.user.id)
    chosen = [guild_id for guild_id in known if server in ("", str(guild_id))]
    if server and not chosen:
        raise NotFound("I store nothing about you there. Choose a server from the list.")
    channel_id = interaction.channel_id or 0
    return [Actor(guild_id, interaction.user.id, channel_id, frozenset(), is_moderator=False) for guild_id in chosen]


async def _with_data(interaction: Interaction, server: str) -> list[Actor]:
    """Return the member as `_actors` does. Raises NotFound also in direct messages if nothing is stored about them."""
    actors = await _actors(interaction, server)
    if not actors:
        raise NotFound("I store nothing about you, on any server.")
    return actors


async def _where(interaction: Interaction, server: str) -> str:
    if server and server != str(interaction.guild_id):
        return f"on {safe(await interaction.client.server_names.of(int(server)))}"
    return HERE if interaction.guild_id is not None else EVERYWHERE


async def _summaries(interaction: Interaction, actors: list[Actor]) -> list[PrivacySummary]:
    return [await interaction.client.studio.privacy.show(actor) for actor in actors]


async def _forget(interaction: Interaction, server: str) -> str:
    actors = await _actors(interaction, server)
    return render_forgotten(added([await interaction.client.studio.privacy.forget(actor) for actor in actors]))


async def _revoke(interaction: Interaction, server: str) -> str:
    actors = await _actors(interaction, server)
    return render_revoked(added([await interaction.client.studio.privacy.revoke(actor) for actor in actors]))


async def server_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the servers with data about the member whose name contains the typed text. Errors give no choices."""
    return await choices_or_none(_servers(interaction, current))


async def _servers(interaction: discord.Interaction[Any], typed: str) -> list[Choice]:
    known = await interaction.client.studio.privacy.servers(interaction.user.id)
    named = sorted([(await interaction.client.server_names.of(guild_id), guild_id) for guild_id in known])
    return [
        app_commands.Choice(name=name[:CHOICE_LENGTH], value=str(guild_id))
        for name, guild_id in named
        if fold(typed) in fold(name)
    ]


class AskRevoke(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=f"revoke-consent:(?P<server>(?:{ids.SNOWFLAKE})?)",
):
    """Withdraws consent to cloning, after a confirmation. Works after a restart, and for a member who left."""

    def __init__(self, server: str = "") -> None:
        super().__init__(discord.ui.Button(label="Withdraw consent…", custom_id=f"revoke-consent:{server}"))
        self.server = server

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Ask for confirmation, with the voices that would be deleted."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        summary = combined(await _summaries(interaction, await _actors(interaction, self.server)))
        question = render_revoke_question(summary, await _where(interaction, self.server))
        await confirm.ask(interaction, question, "Withdraw it", _REVOKE, self.server)


@app_commands.allowed_contexts(guilds=True, dms=True)
class Privacy(commands.GroupCog, group_name="privacy", group_description="What I store about you"):
    """Members see, export and delete their data."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        self.actions = {_FORGET: _forget, _REVOKE: _revoke}

    @app_commands.command(name="show", description="See what I store about you")
    @app_commands.describe(server=_SERVER)
    @app_commands.autocomplete(server=server_choices)
    async def show(self, interaction: Interaction, server: ServerOption = "") -> None:
        """Show a summary of one server, or of all."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        actors = await _actors(interaction, server)
        summaries = await _summaries(interaction, actors)
        if interaction.guild_id is None and not server:
            places = [await self.bot.server_names.of(actor.guild_id) for actor in actors]
            embed = render_overview(list(zip(places, summaries, strict=True)))
        else:
            embed = render_privacy(summaries[0], await _where(interaction, server))
        consented = any(summary.consent is not None or summary.heard_in for summary in summaries)
        view = persistent_view(*([AskRevoke(server)] if consented else []))
        await interaction.followup.send(embed=embed, view=view, ephemeral=True)

    @app_commands.command(name="export", description="Get everything I store about you as one zip file")
    @app_commands.describe(server=_SERVER)
    @app_commands.autocomplete(server=server_choices)
    async def export(self, interaction: Interaction, server: ServerOption = "") -> None:
        """Send records as JSON, with recordings and prompts as files."""
        if interaction.guild_id is not None:  # in direct messages the bot may always attach
            require_attachments(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        actors = await _with_data(interaction, server)
        data = await self.bot.studio.privacy.export(actors)
        note = f"Everything I store about you {await _where(interaction, server)}."
        await send_privately(interaction, note, _FILE, data)

    @app_commands.command(name="forget", description="Delete everything I store about you")
    @app_commands.describe(server=_SERVER)
    @app_commands.autocomplete(server=server_choices)
    async def forget(self, interaction: Interaction, server: ServerOption = "") -> None:
        """Ask for confirmation, with what is deleted and what stays."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        actors = await _with_data(interaction, server)
        summary = combined(await _summaries(interaction, actors))
        question = render_forget_question(summary, await _where(interaction, server))
        await confirm.ask(interaction, question, "Delete everything", _FORGET, server)
