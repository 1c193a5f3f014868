"""Tells a server's moderators once that all roles or channels chosen for a setting were deleted.

The message goes to the channel where Discord informs moderators, if there is one and the bot may write there; else to
the server's owner.
"""

import discord
import structlog

from cogs.admin.render_admin import render_lost_choices
from cogs.interactions import existing_in
from cogs.studio_bot import StudioBot
from cogs.ui.errors import NETWORK_ERRORS
from cogs.ui.replies import NOBODY
from errors import BarkeepError

log = structlog.get_logger(__name__)

_ERRORS = (discord.HTTPException, *NETWORK_ERRORS)


async def tell_of_lost_choices(client: StudioBot, guild: discord.Guild | None) -> None:
    """Tell moderators about deletions that are new to them. Expected errors are logged; the next start retries."""
    existing_ids = existing_in(guild)
    if guild is None or existing_ids is None:
        return
    try:
        names = await client.studio.admin.lost_choices(guild.id, existing_ids)
        if names and await _tell(client, guild, render_lost_choices(names, guild.name)):
            await client.studio.admin.told_of_lost(guild.id, names)
    except BarkeepError as error:
        log.warning("lost_choices_not_told", guild_id=guild.id, reason=error.message)


async def _tell(client: StudioBot, guild: discord.Guild, text: str) -> bool:
    """Send the message to the moderators' channel, else to the owner. Return whether it was sent."""
    try:
        if guild.public_updates_channel is not None:
            await guild.public_updates_channel.send(text, allowed_mentions=NOBODY)
            return True
    except _ERRORS as error:
        log.info("moderators_channel_closed", guild_id=guild.id, reason=type(error).__name__)
    try:
        if guild.owner_id is not None:
            owner = client.get_user(guild.owner_id) or await client.fetch_user(guild.owner_id)
            await owner.send(text, allowed_mentions=NOBODY)
            return True
    except _ERRORS as error:
        log.info("owner_not_reached", guild_id=guild.id, reason=type(error).__name__)
    return False
