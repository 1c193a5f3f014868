"""/help: written from the commands themselves, so that it is never out of date."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs.checks import actor_of
from cogs.client import Barkeep
from cogs.ui.render import COLOUR

_INTRO = (
    "I keep the voices of this server. Give me a few seconds of your speech with /clone, then let it speak with /say."
)
_DESCRIPTION_LIMIT = 4096

Command = app_commands.Command[Any, ..., Any]


class Help(commands.Cog):
    """One command."""

    def __init__(self, bot: Barkeep) -> None:
        self.bot = bot

    @app_commands.command(name="help", description="What I can do, in short")
    async def help(self, interaction: discord.Interaction[Barkeep]) -> None:
        """Only the commands that the member may see."""
        embed = render_help(self.bot.tree, is_moderator=actor_of(interaction).is_moderator)
        await interaction.response.send_message(embed=embed, ephemeral=True)


def render_help(tree: app_commands.CommandTree[Any], *, is_moderator: bool) -> discord.Embed:
    """All commands with their descriptions and options, then the message menus."""
    slash = sorted(tree.walk_commands(), key=lambda command: command.qualified_name)
    lines = [_INTRO, ""]
    lines += [
        _line(command)
        for command in slash
        if isinstance(command, app_commands.Command) and _shown(command, is_moderator)
    ]
    menus = sorted(menu.name for menu in tree.walk_commands(type=discord.AppCommandType.message))
    if menus:
        lines += ["", f"On a message, under Apps: {', '.join(f'**{name}**' for name in menus)}."]
    return discord.Embed(title="Barkeep", description="\n".join(lines)[:_DESCRIPTION_LIMIT], colour=COLOUR)


def _line(command: Command) -> str:
    options = "".join(f" {p.display_name}" if p.required else f" [{p.display_name}]" for p in command.parameters)
    return f"**/{command.qualified_name}**{options}: {command.description}"


def _shown(command: Command, is_moderator: bool) -> bool:
    """Whether Discord shows it to members, by the default permissions of the command or of its group."""
    root = command.root_parent or command
    return is_moderator or root.default_permissions is None


async def setup(bot: Barkeep) -> None:
    """Called by discord.py."""
    await bot.add_cog(Help(bot))
