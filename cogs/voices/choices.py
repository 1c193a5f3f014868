"""Autocomplete for voices that a member may change, share, export or delete."""

from collections.abc import Callable
from typing import Any

import discord
from discord import app_commands

from cogs.interactions import actor_of
from cogs.options import CHOICE_LENGTH, Choice, choices_or_none
from storage.records import Visibility, VoiceRecord, voice_key
from studio import rights
from studio.values import Actor

Rule = Callable[[Actor, VoiceRecord], None]


async def managed_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the voices that the member may rename and describe. Never raises; errors give no choices."""
    return await _choices(interaction, current, rights.may_manage)


async def shareable_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the voices that the member may share or, as a moderator, make private again. Never raises."""

    def rule(actor: Actor, record: VoiceRecord) -> None:
        rights.may_share(actor, record, Visibility.OWNER)

    return await _choices(interaction, current, rule)


async def exportable_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the voices that the member may export. Never raises."""
    return await _choices(interaction, current, rights.may_take_away)


async def deletable_choices(interaction: discord.Interaction[Any], current: str) -> list[Choice]:
    """Return the voices that the member may delete, including those with their voice. Never raises."""
    return await _choices(interaction, current, rights.may_delete)


async def _choices(interaction: discord.Interaction[Any], typed: str, rule: Rule) -> list[Choice]:
    return await choices_or_none(_changeable(interaction, typed, rule))


async def _changeable(interaction: discord.Interaction[Any], typed: str, rule: Rule) -> list[Choice]:
    records = await interaction.client.studio.library.changeable(actor_of(interaction), typed, rule)
    return [app_commands.Choice(name=record.name[:CHOICE_LENGTH], value=voice_key(record.id)) for record in records]
