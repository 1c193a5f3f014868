"""Builds the answer to a finished job as a Discord message that can be sent more than once."""

import asyncio
import io
from dataclasses import dataclass
from typing import Any

import discord

from cogs.ui.picture import waveform_png
from cogs.ui.render import file_stem, render_card, render_error, render_speech
from cogs.ui.reply_buttons import Discard, Repeat
from cogs.ui.voice_buttons import buttons_of
from storage.records import JobKind, JobState
from studio.values import Outcome

PICTURE = "waveform.png"


@dataclass(frozen=True, slots=True)
class Answer:
    """Text, at most one embed, and files as (name, bytes), since each attempt to send needs fresh file objects.

    `alone`: send it privately, even if the command was public.
    """

    content: str
    embed: discord.Embed | None = None
    attachments: tuple[tuple[str, bytes], ...] = ()
    buttons: tuple[discord.ui.Item[Any], ...] = ()
    alone: bool = False

    def files(self) -> list[discord.File]:
        """Return new file objects."""
        return [discord.File(io.BytesIO(data), filename=name) for name, data in self.attachments]

    def embeds(self) -> list[discord.Embed]:
        """Return the embed as a list."""
        return [] if self.embed is None else [self.embed]


_GONE = Answer("⚠️ This recording is no longer stored. Please ask for it again with /say.")


async def answer_to(outcome: Outcome) -> Answer:
    """Return the answer to a job that is ready, failed or cancelled."""
    job = outcome.job
    if job.state in (JobState.FAILED, JobState.CANCELLED):
        return Answer(render_error(job), alone=True)
    if job.kind is JobKind.SPEECH:
        return await _speech(outcome)
    return await _card(outcome)


async def _speech(outcome: Outcome) -> Answer:
    words = render_speech(outcome.job, outcome.voice)
    buttons = Repeat(outcome.job.id), Discard(outcome.job.id)
    if outcome.heard:
        return Answer(words, buttons=buttons)
    if outcome.audio is None:
        return _GONE
    try:
        sound = await asyncio.to_thread(outcome.audio.read_bytes)
    except FileNotFoundError:  # it was deleted in the meantime
        return _GONE
    stem = file_stem(outcome.voice.name if outcome.voice is not None else "voice")
    return Answer(words, attachments=((f"{stem}.ogg", sound),), buttons=buttons)


async def _card(outcome: Outcome) -> Answer:
    record = outcome.voice.record if outcome.voice is not None else None
    if record is None:
        return Answer("🎤 The voice was made and has since been deleted.")
    embed = render_card(record)
    attachments: tuple[tuple[str, bytes], ...] = ()
    if record.report is not None:
        picture = await asyncio.to_thread(waveform_png, record.report["waveform"])
        embed.set_image(url=f"attachment://{PICTURE}")
        attachments = ((PICTURE, picture),)
    return Answer("", embed, attachments, buttons_of(record))
