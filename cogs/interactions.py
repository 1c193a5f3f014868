"""Converts interactions to actors, finds the names of mentions, and checks moderator commands.

The studio decides about voices.
"""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar

import discord
from discord import app_commands
from discord.ext import commands

from cogs.ui.errors import NETWORK_ERRORS
from errors import NotAllowed
from storage.records import Origin
from studio.values import Actor

T = TypeVar("T", bound="app_commands.Command[Any, ..., Any] | app_commands.Group | type[commands.GroupCog]")

TOKEN_LIFE = timedelta(minutes=14)
"""How long an interaction's token is used: it is valid for 15 minutes, less one for clocks and slow networks."""

_MEMBER = re.compile(r"<@!?(\d{1,20})>")
_LOOKUPS = 5

_NO_SERVER = "This works only in a server, because voices belong to servers."


def actor_of(interaction: discord.Interaction[Any]) -> Actor:
    """Return the member behind an interaction with their current roles and rights.

    Raises NotAllowed outside of a server.
    """
    member = member_of(interaction)
    if interaction.guild_id is None or interaction.channel_id is None:
        raise NotAllowed(_NO_SERVER)
    return actor_in(member, interaction.channel_id, interaction.channel, interaction.permissions)


def actor_in(member: discord.Member, channel_id: int, channel: object, permissions: discord.Permissions) -> Actor:
    """Return a member who acts in a channel, with the roles and the voice channel that they have now.

    channel: what `channel_id` is, if it is known. permissions: the member's own, which say whether they moderate.
    """
    return Actor(
        guild_id=member.guild.id,
        member_id=member.id,
        channel_id=channel_id,
        role_ids=role_ids_of(member),
        is_moderator=permissions.manage_guild or permissions.administrator,
        parent_id=channel.parent_id if isinstance(channel, discord.Thread) else None,
        existing_ids=existing_in(member.guild),
        voice_channel_id=_voice_channel_of(member),
    )


def existing_in(guild: discord.Guild | None) -> frozenset[int] | None:
    """Return the ids of a server's roles and channels; None while the server is unknown or unavailable.

    Every server has the role @everyone. A server that is known only from an interaction has no roles.
    """
    if guild is None or guild.unavailable or guild.get_role(guild.id) is None:
        return None
    return frozenset(role.id for role in guild.roles) | frozenset(channel.id for channel in guild.channels)


def member_of(interaction: discord.Interaction[Any]) -> discord.Member:
    """Return the member behind an interaction. Raises NotAllowed outside of a server."""
    if not isinstance(interaction.user, discord.Member):
        raise NotAllowed(_NO_SERVER)
    return interaction.user


def _voice_channel_of(member: discord.Member) -> int | None:
    """Return the voice channel that a member sits in at this moment."""
    return None if member.voice is None or member.voice.channel is None else member.voice.channel.id


def role_ids_of(member: discord.Member) -> frozenset[int]:
    """Return the ids of a member's roles as Discord sent them, including the role that everybody has.

    `Member.roles` leaves out roles that are not cached: all of them for a server that is not loaded yet.
    """
    return frozenset(member._roles) | {member.guild.id}


def origin_of(interaction: discord.Interaction[Any]) -> Origin:
    """Return the interaction as the origin of a job, which can answer it later."""
    return Origin(interaction.id, interaction.token, interaction.created_at + TOKEN_LIFE)


async def names_in(
    text: str, speaker: discord.Member, known: Iterable[discord.abc.User | discord.Role] = ()
) -> dict[str, str]:
    """Return id -> display name for the members, roles and channels that `text` mentions.

    `known` are used first. Channels that the speaker cannot see stay unnamed, as in Discord itself. At most _LOOKUPS
    members are fetched from Discord; unknown members stay unnamed.
    """
    guild = speaker.guild
    names = {str(thing.id): _name_of(thing) for thing in known}
    names.update((str(role.id), role.name) for role in guild.roles if str(role.id) in text)
    for channel in (*guild.channels, *guild.threads):
        if str(channel.id) in text and _can_see(speaker, channel):
            names[str(channel.id)] = channel.name
    unknown = [found for found in dict.fromkeys(_MEMBER.findall(text)) if found not in names]
    for found in unknown[:_LOOKUPS]:
        member = await _member(guild, int(found))
        if member is not None:
            names[found] = member.display_name
    return names


def _name_of(thing: discord.abc.User | discord.Role) -> str:
    return thing.name if isinstance(thing, discord.Role) else thing.display_name


def _can_see(member: discord.Member, channel: discord.abc.GuildChannel | discord.Thread) -> bool:
    """Return whether the member sees a channel; False for private threads, whose members only Discord knows."""
    private = isinstance(channel, discord.Thread) and channel.is_private()
    return not private and channel.permissions_for(member).view_channel


async def _member(guild: discord.Guild, member_id: int) -> discord.Member | None:
    """Return the member from the cache or Discord; None if there is none or Discord does not answer."""
    try:
        return guild.get_member(member_id) or await guild.fetch_member(member_id)
    except (discord.HTTPException, *NETWORK_ERRORS):
        return None


class NotModerator(NotAllowed, app_commands.CheckFailure):
    """Refuses a member who is not a moderator. discord.py handles only CheckFailure errors of checks."""


async def require_moderator(interaction: discord.Interaction[Any]) -> bool:
    """Return True for members with Manage Server.

    Raise NotModerator for others, whatever Discord's own settings say.
    """
    if not actor_of(interaction).is_moderator:
        raise NotModerator("This is for moderators: it needs the permission Manage Server.")
    return True


def moderators() -> Callable[[T], T]:
    """Decorate a command, group or GroupCog: servers only, shown to members with Manage Server, and checked again."""

    def decorate(target: T) -> T:
        app_commands.guild_only()(target)
        app_commands.default_permissions(manage_guild=True)(target)
        if isinstance(target, app_commands.Command):
            target.add_check(require_moderator)
        else:
            check = require_moderator if isinstance(target, app_commands.Group) else _cog_check
            target.interaction_check = check  # type: ignore[assignment]  # the hook that discord.py calls
        return target

    return decorate


async def _cog_check(_cog: commands.GroupCog, interaction: discord.Interaction[Any]) -> bool:
    """Run require_moderator as a cog's check."""
    return await require_moderator(interaction)


def require_attachments(interaction: discord.Interaction[Any]) -> None:
    """Raise NotAllowed if the bot cannot attach files in this channel."""
    if not interaction.app_permissions.attach_files:
        raise NotAllowed(
            "I can't attach files in this channel. Please ask a moderator to allow it, or try another channel."
        )


def upload_limit(interaction: discord.Interaction[Any]) -> int:
    """Return the bytes that an answer may have: it must fit the channel too, in case the token expires."""
    limits = [interaction.filesize_limit]
    if interaction.guild is not None:
        limits.append(interaction.guild.filesize_limit)
    return min(limits)
