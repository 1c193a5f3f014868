"""Recordings in messages: which attachment is meant, and its bytes. Whether it is audio is decided by the worker."""

import mimetypes
from collections.abc import Sequence

import aiohttp
import discord

from errors import InvalidInput, Unavailable

_MEDIA_TYPES = ("audio/", "video/")
_MEDIA_NAMES = (
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".m4b", ".aac", ".caf", ".mka", ".webm", ".mp4", ".mov",
    ".mkv", ".wma", ".3ga", ".3gp", ".aif", ".aiff", ".amr", ".spx",
)  # fmt: skip
_OTHER_TYPES = ("image/", "text/", "font/", "application/pdf", "application/json", "application/zip")


def recording_in(attachments: Sequence[discord.Attachment]) -> discord.Attachment:
    """The attachment that is meant: a voice message, else what looks like sound, else what may be sound by its content.

    Raises InvalidInput if there is none. Whether it is sound is found out when it is read, as with /clone.
    """
    likely = [attachment for attachment in attachments if _looks_like_sound(attachment)]
    possible = likely or [attachment for attachment in attachments if not _is_something_else(attachment)]
    if not possible:
        raise InvalidInput("That message has no recording. Choose one with an audio file or a voice message.")
    return max(possible, key=lambda attachment: attachment.is_voice_message())


async def require_still_there(message: discord.Message) -> None:
    """Raises InvalidInput if the message was deleted meanwhile: then its author does not want it to be used.

    Where the bot may not read the channel it cannot know. Raises Unavailable if Discord cannot be reached.
    """
    try:
        await message.fetch()
    except discord.NotFound as fault:
        raise InvalidInput(
            "That message was deleted meanwhile, so its author is not asked and nothing is kept."
        ) from fault
    except discord.Forbidden:
        pass
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as fault:
        raise Unavailable("Discord cannot be reached at the moment. Please try again in a minute.") from fault


async def read_recording(attachment: discord.Attachment) -> bytes:
    """The bytes, read at once because Discord's addresses expire. Raises InvalidInput or Unavailable."""
    try:
        return await attachment.read()
    except (discord.NotFound, discord.Forbidden) as fault:
        raise InvalidInput("That file is gone. Please upload it again.") from fault
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError) as fault:
        raise Unavailable("Discord did not hand me the file. Please try again in a minute.") from fault


def _looks_like_sound(attachment: discord.Attachment) -> bool:
    """By what the uploader's client said: only to choose among several."""
    kind = attachment.content_type or ""
    return kind.startswith(_MEDIA_TYPES) or attachment.filename.lower().endswith(_MEDIA_NAMES)


def _is_something_else(attachment: discord.Attachment) -> bool:
    """A picture or a text, by its type, or by its name where the client gave no type."""
    kind = attachment.content_type or mimetypes.guess_type(attachment.filename)[0] or ""
    return kind.startswith(_OTHER_TYPES)
