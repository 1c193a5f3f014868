"""Names of servers, also of those that another process of the bot serves."""

import time

import discord

from cogs.ui.errors import NETWORK_ERRORS
from storage.shards import Shards

_KEPT = 600.0
"""How many seconds a fetched name is used."""


class ServerNames:
    """Looks names up in memory and, for the servers of other processes, at Discord."""

    def __init__(self, client: discord.Client, shards: Shards) -> None:
        self._client = client
        self._shards = shards
        self._fetched: dict[int, tuple[float, str | None]] = {}

    async def of(self, guild_id: int) -> str:
        """Return a server's name, also where the member no longer sees it; its id while Discord does not show it."""
        if (guild := self._client.get_guild(guild_id)) is not None:
            return guild.name
        name = None
        if not self._shards.own(guild_id):
            name = await self._fetch(guild_id)
        return name or f"Server {guild_id}"

    async def _fetch(self, guild_id: int) -> str | None:
        known = self._fetched.get(guild_id)
        if known is not None and time.monotonic() - known[0] < _KEPT:
            return known[1]
        try:
            name = (await self._client.fetch_guild(guild_id, with_counts=False)).name
        except (discord.HTTPException, *NETWORK_ERRORS):
            name = None
        self._fetched[guild_id] = time.monotonic(), name
        return name
