"""Recordings in messages: which attachment is meant, and its bytes. Whether it is audio is decided by the worker."""

from collections.abc import Sequence

import aiohttp
import discord

from errors import InvalidInput, Unavailable

_MEDIA_TYPES = ("audio/", "video/")
_MEDIA_NAMES = (
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".webm", ".mp4", ".mov", ".mkv", ".wma",
)  # fmt: skip


def recording_in(attachments: Sequence[discord.Attachment]) -> discord.Attachment:
    """The attachment that looks like sound, a voice message first. Raises InvalidInput if none does."""
    likely = [attachment for attachment in attachments if _looks_like_sound(attachment)]
    if not likely:
        raise InvalidInput("That message has no recording. Choose one with an audio file or a voice message.")
    return max(likely, key=lambda attachment: attachment.is_voice_message())


async def read_recording(attachment: discord.Attachment) -> bytes:
    """The bytes, read at once because Discord's addresses expire. Raises InvalidInput or Unavailable."""
    try:
        return await attachment.read()
    except (discord.NotFound, discord.Forbidden) as fault:
        raise InvalidInput("That file is gone. Please upload it again.") from fault
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError) as fault:
        raise Unavailable("Discord did not hand me the file. Please try again in a minute.") from fault


def _looks_like_sound(attachment: discord.Attachment) -> bool:
    """By what the uploader's client said: only to choose among several, or to refuse a picture early."""
    kind = attachment.content_type or ""
    return kind.startswith(_MEDIA_TYPES) or attachment.filename.lower().endswith(_MEDIA_NAMES)
