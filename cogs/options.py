"""Options that several commands share: languages and voice autocomplete."""

from collections.abc import Awaitable
from typing import Any

import discord
import structlog
from discord import app_commands

from cloning.text.splitting import LANGUAGES
from cogs.interactions import actor_of
from errors import BarkeepError

log = structlog.get_logger(__name__)

MAX_CHOICES = 25
CHOICE_LENGTH = 100
TEXT_LENGTH = 4000

LANGUAGE_CHOICES = [app_commands.Choice(name=name, value=code) for code, name in LANGUAGES.items()]

Choice = app_commands.Choice[str]


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
