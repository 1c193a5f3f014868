"""Sends files such as exports privately, within the upload limit."""

import io
from typing import Any

import discord

from cogs.checks import upload_limit
from errors import LimitReached

_MIB = 2**20


async def send_privately(interaction: discord.Interaction[Any], note: str, name: str, data: bytes) -> None:
    """Follow an interaction up with a file that only the member sees. Raises LimitReached if it is too large."""
    limit = upload_limit(interaction)
    if len(data) > limit:
        raise LimitReached(
            f"That file has {len(data) / _MIB:.1f} MiB, but Discord allows {limit // _MIB} MiB here. "
            "Delete a voice or two and try again, or ask the owner of this bot for it."
        )
    await interaction.followup.send(note, file=discord.File(io.BytesIO(data), filename=name), ephemeral=True)
