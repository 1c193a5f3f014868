"""Looks up current members at Discord: their rights for delayed actions, and whether they have left."""

from dataclasses import replace

import discord

from cogs.interactions import actor_in
from cogs.studio_bot import StudioBot
from cogs.ui.errors import NETWORK_ERRORS
from errors import Unavailable
from studio.values import Actor

_UNKNOWN_MEMBER = 10007
_NOT_REACHED = "I could not check your permissions with Discord. Please try again in a minute."


async def actor_there(client: StudioBot, guild_id: int, channel_id: int, member_id: int) -> Actor | None:
    """Return the member with their current roles and rights; None for a member who has left the server.

    Raises Unavailable if Discord cannot be asked, or the server is not known yet.
    """
    try:
        guild = await _guild(client, guild_id)
        member = await guild.fetch_member(member_id)
        channel = guild.get_channel_or_thread(channel_id) or await _channel(guild, channel_id)
    except discord.HTTPException as error:
        if error.code == _UNKNOWN_MEMBER:
            return None
        raise Unavailable(_NOT_REACHED) from error
    except NETWORK_ERRORS as error:
        raise Unavailable(_NOT_REACHED) from error
    actor = actor_in(member, channel_id, channel, member.guild_permissions)
    if guild is not client.get_guild(guild_id):  # a server that was fetched has no channels
        return replace(actor, existing_ids=None)
    return actor


async def _guild(client: StudioBot, guild_id: int) -> discord.Guild:
    """Return a server. What another process serves is fetched: all direct messages come to the process of shard 0."""
    guild = client.get_guild(guild_id)
    if guild is None and not client.studio.storage.shards.own(guild_id):
        guild = await client.fetch_guild(guild_id, with_counts=False)
    if guild is None or guild.unavailable:
        raise Unavailable(_NOT_REACHED)
    return guild


async def _channel(guild: discord.Guild, channel_id: int) -> discord.abc.GuildChannel | discord.Thread | None:
    """Fetch a channel, since archived threads are not cached. None if it is deleted or closed to the bot."""
    try:
        return await guild.fetch_channel(channel_id)
    except (discord.NotFound, discord.Forbidden, discord.InvalidData):
        return None


async def has_left(client: StudioBot, guild_id: int, member_id: int) -> bool | None:
    """Return whether this member has left the server; None if Discord does not answer."""
    try:
        guild = await _guild(client, guild_id)
        await guild.fetch_member(member_id)
    except discord.HTTPException as error:
        return True if error.code == _UNKNOWN_MEMBER else None
    except (Unavailable, *NETWORK_ERRORS):
        return None
    return False
