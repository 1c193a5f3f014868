"""Autocomplete for voices that a member may change, share, export or delete."""

from collections.abc import Callable
from typing import Any

import discord
import structlog
from discord import app_commands

from cogs.checks import actor_of
from cogs.options import CHOICE_LENGTH, MAX_CHOICES
from errors import BarkeepError
from storage.records import Visibility, VoiceRecord
from studio import policy
from studio.values import Actor

log = structlog.get_logger(__name__)

Rule = Callable[[Actor, VoiceRecord], None]


async def managed_choices(interaction: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
    """Return the voices that the member may rename and describe. Never raises; errors give no choices."""
    return await _choices(interaction, current, policy.may_manage)


async def shareable_choices(interaction: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
    """Return the voices that the member may share or, as a moderator, make private again. Never raises."""

    def rule(actor: Actor, record: VoiceRecord) -> None:
        policy.may_share(actor, record, Visibility.OWNER)

    return await _choices(interaction, current, rule)


async def exportable_choices(interaction: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
    """Return the voices that the member may export. Never raises."""
    return await _choices(interaction, current, policy.may_take_away)


async def deletable_choices(interaction: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
    """Return the voices that the member may delete, including those with their voice. Never raises."""
    return await _choices(interaction, current, policy.may_delete)


async def _choices(interaction: discord.Interaction[Any], typed: str, rule: Rule) -> list[app_commands.Choice[str]]:
    try:
        records = await interaction.client.studio.library.changeable(actor_of(interaction), typed, rule)
    except BarkeepError as fault:
        log.info("no_choices", reason=fault.message)
        return []
    except Exception:
        log.exception("no_choices")
        return []
    return [
        app_commands.Choice(name=record.name[:CHOICE_LENGTH], value=f"v:{record.id}")
        for record in records[:MAX_CHOICES]
    ]
