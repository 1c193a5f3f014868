"""Options of commands: languages, and the autocomplete of voices."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord
import structlog
from discord import app_commands

from cloning.text.splitting import LANGUAGES
from cogs.interactions import actor_of
from errors import BarkeepError
from storage.records import Visibility, VoiceRecord, voice_key
from studio import rights
from studio.values import Actor

log = structlog.get_logger(__name__)

MAX_CHOICES = 25
CHOICE_LENGTH = 100
TEXT_LENGTH = 4000

LANGUAGE_CHOICES = [app_commands.Choice(name=name, value=code) for code, name in LANGUAGES.items()]

Choice = app_commands.Choice[str]
Rule = Callable[[Actor, VoiceRecord], None]
"""Raises NotAllowed unless the actor may do something with a voice."""


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


async def managed_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the voices that the member may rename and describe. Never raises; errors give no choices."""
    return await choices_or_none(_changeable(interaction, current, rights.may_manage))


async def shareable_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the voices that the member may share or, as a moderator, make private again. Never raises."""

    def rule(actor: Actor, record: VoiceRecord) -> None:
        rights.may_share(actor, record, Visibility.OWNER)

    return await choices_or_none(_changeable(interaction, current, rule))


async def exportable_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the voices that the member may export. Never raises."""
    return await choices_or_none(_changeable(interaction, current, rights.may_take_away))


async def deletable_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the voices that the member may delete, including those with their voice. Never raises."""
    return await choices_or_none(_changeable(interaction, current, rights.may_delete))


async def _changeable(interaction: discord.Interaction[Any], typed: str, rule: Rule) -> list[Choice]:
    records = await interaction.client.studio.library.changeable(actor_of(interaction), typed, rule)
    return [app_commands.Choice(name=record.name[:CHOICE_LENGTH], value=voice_key(record.id)) for record in records]
