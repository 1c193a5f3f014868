"""Who asks, from where, and whether a moderator's command may run. The decisions about voices are the studio's."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import discord
from discord import app_commands
from discord.ext import commands

from errors import NotAllowed
from studio.values import Actor, Origin

T = TypeVar("T", bound="app_commands.Command[Any, ..., Any] | app_commands.Group | type[commands.GroupCog]")

TOKEN_LIFE = timedelta(minutes=14)
"""An interaction's token is good for 15 minutes; the last one is left for clocks and slow networks."""

_NO_SERVER = "This works only in a server, because voices belong to servers."


def actor_of(interaction: discord.Interaction[Any]) -> Actor:
    """The member behind an interaction with their roles and rights at this moment.

    Raises NotAllowed outside of a server.
    """
    member = member_of(interaction)
    if interaction.guild_id is None or interaction.channel_id is None:
        raise NotAllowed(_NO_SERVER)
    return Actor(
        guild_id=interaction.guild_id,
        member_id=member.id,
        channel_id=interaction.channel_id,
        role_ids=role_ids_of(member),
        is_moderator=interaction.permissions.manage_guild or interaction.permissions.administrator,
        parent_id=interaction.channel.parent_id if isinstance(interaction.channel, discord.Thread) else None,
        existing_ids=existing_in(interaction.client.get_guild(interaction.guild_id)),
        voice_channel_id=voice_channel_of(member),
    )


def existing_in(guild: discord.Guild | None) -> frozenset[int] | None:
    """The ids of a server's roles and channels; None while the server is not known, or not reachable."""
    if guild is None or guild.unavailable:
        return None
    return frozenset(role.id for role in guild.roles) | frozenset(channel.id for channel in guild.channels)


def member_of(interaction: discord.Interaction[Any]) -> discord.Member:
    """The member behind an interaction. Raises NotAllowed outside of a server."""
    if not isinstance(interaction.user, discord.Member):
        raise NotAllowed(_NO_SERVER)
    return interaction.user


def voice_channel_of(member: discord.Member) -> int | None:
    """The voice channel that a member sits in at this moment."""
    return None if member.voice is None or member.voice.channel is None else member.voice.channel.id


def role_ids_of(member: discord.Member) -> frozenset[int]:
    """The ids of a member's roles as Discord sent them with the member, and that of the role that everybody has.

    `Member.roles` leaves out what is not in the cache: all of them for a server that is not known yet.
    """
    return frozenset(member._roles) | {member.guild.id}


def origin_of(interaction: discord.Interaction[Any]) -> Origin:
    """The interaction as something that a job can answer later."""
    return Origin(interaction.id, interaction.token, interaction.created_at + TOKEN_LIFE)


class NotModerator(NotAllowed, app_commands.CheckFailure):
    """A check's refusal. discord.py answers only its own kind of faults when a check raises, and drops any other."""


async def require_moderator(interaction: discord.Interaction[Any]) -> bool:
    """True for members with Manage Server; raises NotModerator for others, whatever Discord's own settings say."""
    if not actor_of(interaction).is_moderator:
        raise NotModerator("This is for moderators: it needs the permission Manage Server.")
    return True


def moderators() -> Callable[[T], T]:
    """For a command, a group or a GroupCog class: servers only, shown to members with Manage Server, checked again."""

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
    """require_moderator, as a method of a cog."""
    return await require_moderator(interaction)


def require_attachments(interaction: discord.Interaction[Any]) -> None:
    """Raises NotAllowed if the bot could not attach its answer in this channel."""
    if not interaction.app_permissions.attach_files:
        raise NotAllowed(
            "I may not attach files in this channel. Please ask a moderator to allow it, or try another one."
        )


def upload_limit(interaction: discord.Interaction[Any]) -> int:
    """Bytes that an answer may have: what fits this interaction fits the channel too, if the token expires."""
    limits = [interaction.filesize_limit]
    if interaction.guild is not None:
        limits.append(interaction.guild.filesize_limit)
    return min(limits)
