"""What is offered while a member types the name of a voice that they want to change or delete."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord
import structlog
from discord import app_commands

from cogs.checks import actor_of
from cogs.options import CHOICE_LENGTH, MAX_CHOICES
from errors import BarkeepError
from storage.records import VoiceRecord
from studio import policy
from studio.values import Actor
from studio.voices import VoiceLibrary

log = structlog.get_logger(__name__)

_LOOKED_AT = 200
"""Voices that are looked at before those are left out that the member may not change."""


async def managed_choices(interaction: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
    """The voices that the member may rename, share and so on. Never raises: then there are no choices."""

    async def look(library: VoiceLibrary, actor: Actor) -> list[VoiceRecord]:
        return [
            record for record in await _usable(library, actor, current) if _passes(policy.may_manage, actor, record)
        ]

    return await _choices(interaction, look)


async def deletable_choices(interaction: discord.Interaction[Any], current: str) -> list[app_commands.Choice[str]]:
    """The voices that the member may delete: those in which they are heard, too. Never raises."""

    async def look(library: VoiceLibrary, actor: Actor) -> list[VoiceRecord]:
        usable = await _usable(library, actor, current)
        theirs = [record for record in await library.of_actor(actor) if current.casefold() in record.name.casefold()]
        found = {record.id: record for record in (*usable, *theirs)}
        return [record for record in found.values() if _passes(policy.may_delete, actor, record)]

    return await _choices(interaction, look)


async def _usable(library: VoiceLibrary, actor: Actor, typed: str) -> list[VoiceRecord]:
    voices = await library.search(actor, typed, limit=_LOOKED_AT)
    return [voice.record for voice in voices if voice.record is not None]


def _passes(check: Callable[[Actor, VoiceRecord], None], actor: Actor, record: VoiceRecord) -> bool:
    try:
        check(actor, record)
    except BarkeepError:
        return False
    return True


async def _choices(
    interaction: discord.Interaction[Any],
    look: Callable[[VoiceLibrary, Actor], Awaitable[list[VoiceRecord]]],
) -> list[app_commands.Choice[str]]:
    try:
        records = await look(interaction.client.studio.library, actor_of(interaction))
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
