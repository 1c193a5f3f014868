"""Reads files that members attach, and sends them files privately. The worker decides whether a file is audio."""

import io
import mimetypes
from collections.abc import Sequence
from typing import Any

import aiohttp
import discord

from cogs.interactions import upload_limit
from errors import InvalidInput, LimitReached, Unavailable

_MIB = 2**20
_MEDIA_TYPES = ("audio/", "video/")
_MEDIA_NAMES = (
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".m4b", ".aac", ".caf", ".mka", ".webm", ".mp4", ".mov",
    ".mkv", ".wma", ".3ga", ".3gp", ".aif", ".aiff", ".amr", ".spx",
)  # fmt: skip
_OTHER_TYPES = ("image/", "text/", "font/", "application/pdf", "application/json", "application/zip")


def recording_in(attachments: Sequence[discord.Attachment]) -> discord.Attachment:
    """Return a message's recording: a voice message, else an audio file by its type, else any file that may be audio.

    Raises InvalidInput if there is none. Only the worker checks the content, as with /clone.
    """
    likely = [attachment for attachment in attachments if _looks_like_sound(attachment)]
    possible = likely or [attachment for attachment in attachments if not _is_something_else(attachment)]
    if not possible:
        raise InvalidInput("That message has no recording. Choose one with an audio file or a voice message.")
    return max(possible, key=lambda attachment: attachment.is_voice_message())


async def require_still_there(message: discord.Message) -> None:
    """Raise InvalidInput if the message was deleted, because its author then does not want it to be used.

    Passes if the bot may not read the channel. Raises Unavailable if Discord cannot be reached.
    """
    try:
        await message.fetch()
    except discord.NotFound as error:
        raise InvalidInput("That message has been deleted, so I did not ask its author and stored nothing.") from error
    except discord.Forbidden:
        pass
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable("Discord cannot be reached right now. Please try again in a minute.") from error


async def read_recording(attachment: discord.Attachment) -> bytes:
    """Return the bytes. Call it soon, because Discord's URLs expire. Raises InvalidInput or Unavailable."""
    try:
        return await attachment.read()
    except (discord.NotFound, discord.Forbidden) as error:
        raise InvalidInput("That file no longer exists. Please upload it again.") from error
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable("I could not download the file from Discord. Please try again in a minute.") from error


async def send_privately(interaction: discord.Interaction[Any], note: str, name: str, data: bytes) -> None:
    """Send a file that only the member sees, as a follow-up. Raises LimitReached if it is too large."""
    limit = upload_limit(interaction)
    if len(data) > limit:
        raise LimitReached(
            f"That file has {len(data) / _MIB:.1f} MiB, but Discord allows {limit // _MIB} MiB here. "
            "Delete a voice or two and try again, or ask the bot's owner for the file."
        )
    await interaction.followup.send(note, file=discord.File(io.BytesIO(data), filename=name), ephemeral=True)


def _looks_like_sound(attachment: discord.Attachment) -> bool:
    """Return whether the uploader's client declared audio or video. Used only to choose among several files."""
    kind = attachment.content_type or ""
    return kind.startswith(_MEDIA_TYPES) or attachment.filename.lower().endswith(_MEDIA_NAMES)


def _is_something_else(attachment: discord.Attachment) -> bool:
    """Return whether it is a picture or a text, by its type or, without one, by its name."""
    kind = attachment.content_type or mimetypes.guess_type(attachment.filename)[0] or ""
    return kind.startswith(_OTHER_TYPES)
