"""The bot class that commands, buttons and forms use, and a cog with message menus."""

from discord import app_commands
from discord.ext import commands

from cogs.server_names import ServerNames
from studio.studio import Studio


class StudioBot(commands.AutoShardedBot):
    """A Discord client with a studio."""

    studio: Studio
    server_names: ServerNames


class MenuCog(commands.Cog):
    """A cog with context menus. discord.py does not tie these to their cog, so this class does."""

    bot: StudioBot
    menus: tuple[app_commands.ContextMenu, ...]

    async def cog_load(self) -> None:
        """Add the menus to the bot's commands."""
        for menu in self.menus:
            self.bot.tree.add_command(menu)

    async def cog_unload(self) -> None:
        """Remove the menus from the bot's commands."""
        for menu in self.menus:
            self.bot.tree.remove_command(menu.name, type=menu.type)
