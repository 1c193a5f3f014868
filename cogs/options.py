"""Options that several commands share: languages, voice autocomplete, and names of mentions."""

import re
from collections.abc import Awaitable, Iterable
from typing import Any

import discord
import structlog
from discord import app_commands

from cloning.text.splitting import LANGUAGES
from cogs.checks import actor_of
from errors import BarkeepError

log = structlog.get_logger(__name__)

MAX_CHOICES = 25
CHOICE_LENGTH = 100
NAME_LENGTH = 32
DESCRIPTION_LENGTH = 200
TEXT_LENGTH = 4000
MAX_TEMPERATURE = 1.5
MAX_SEED = 2**31 - 1

LANGUAGE_CHOICES = [app_commands.Choice(name=name, value=code) for code, name in LANGUAGES.items()]

Choice = app_commands.Choice[str]

_MEMBER = re.compile(r"<@!?(\d{1,20})>")
_LOOKUPS = 5


async def choices_or_none(found: Awaitable[list[Choice]]) -> list[Choice]:
    """Return the choices of an autocomplete, as many as Discord shows.

    None if they could not be found: Discord shows no error while somebody types. The log says why.
    """
    try:
        return (await found)[:MAX_CHOICES]
    except BarkeepError as error:
        log.info("no_choices", reason=error.message)
    except Exception:
        log.exception("no_choices")
    return []


async def voice_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the voices that the member may use, best match first. Never raises; errors give no choices."""
    return await choices_or_none(_voices(interaction, current))


async def _voices(interaction: discord.Interaction[Any], typed: str) -> list[Choice]:
    voices = await interaction.client.studio.library.search(actor_of(interaction), typed, limit=MAX_CHOICES)
    return [
        app_commands.Choice(name=voice.name[:CHOICE_LENGTH], value=voice.key)
        for voice in voices
        if len(voice.key) <= CHOICE_LENGTH
    ]


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
        if str(channel.id) in text and _sees(speaker, channel):
            names[str(channel.id)] = channel.name
    unknown = [found for found in dict.fromkeys(_MEMBER.findall(text)) if found not in names]
    for found in unknown[:_LOOKUPS]:
        member = await _member(guild, int(found))
        if member is not None:
            names[found] = member.display_name
    return names


def _name_of(thing: discord.abc.User | discord.Role) -> str:
    return thing.name if isinstance(thing, discord.Role) else thing.display_name


def _sees(member: discord.Member, channel: discord.abc.GuildChannel | discord.Thread) -> bool:
    """Return whether the member sees a channel; False for private threads, whose members only Discord knows."""
    private = isinstance(channel, discord.Thread) and channel.is_private()
    return not private and channel.permissions_for(member).view_channel


async def _member(guild: discord.Guild, member_id: int) -> discord.Member | None:
    """Return the member from the cache or Discord; None if there is none or Discord does not answer."""
    try:
        return guild.get_member(member_id) or await guild.fetch_member(member_id)
    except discord.HTTPException:
        return None
