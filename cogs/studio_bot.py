"""The bot class that commands, buttons and forms use, the look-up of server names, and a base of cogs with menus."""

import time

import discord
from discord import app_commands
from discord.ext import commands

from cogs.ui.errors import NETWORK_ERRORS
from storage.shards import Shards
from studio.studio import Studio

_CACHE_SECONDS = 600.0
"""How long a fetched name is cached."""


class ServerNames:
    """Looks up server names: in memory, or at Discord for servers that another process of the bot serves."""

    def __init__(self, client: discord.Client, shards: Shards) -> None:
        self._client = client
        self._shards = shards
        self._fetched: dict[int, tuple[float, str | None]] = {}

    async def of(self, guild_id: int) -> str:
        """Return a server's name, even if the member has left it; "Server" and its id if Discord does not return it."""
        if (guild := self._client.get_guild(guild_id)) is not None:
            return guild.name
        name = None
        if not self._shards.own(guild_id):
            name = await self._fetch(guild_id)
        return name or f"Server {guild_id}"

    async def _fetch(self, guild_id: int) -> str | None:
        known = self._fetched.get(guild_id)
        if known is not None and time.monotonic() - known[0] < _CACHE_SECONDS:
            return known[1]
        try:
            name = (await self._client.fetch_guild(guild_id, with_counts=False)).name
        except (discord.HTTPException, *NETWORK_ERRORS):
            name = None
        self._fetched[guild_id] = time.monotonic(), name
        return name


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
