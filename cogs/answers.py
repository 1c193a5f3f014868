"""Builds the answer to a finished job as a Discord message that can be sent more than once.

Also the buttons below generated speech and below a waiting message, which work after a restart.
"""

import asyncio
import contextlib
import io
from dataclasses import dataclass
from typing import Any

import discord

from cogs.interactions import actor_of, origin_of, require_attachments, upload_limit
from cogs.ui import ids
from cogs.ui.base import guarded
from cogs.ui.ids import FromId
from cogs.ui.picture import add_waveform
from cogs.ui.render import file_stem, render_card, render_error, render_speech
from cogs.ui.voice_buttons import buttons_of
from storage.records import JobKind, JobState
from studio.values import Outcome

Interaction = discord.Interaction[Any]
Button = discord.ui.Button[discord.ui.View]


@dataclass(frozen=True, slots=True)
class Answer:
    """Text, at most one embed, and files as (name, bytes), since each attempt to send needs fresh file objects.

    `private`: send it privately, even if the command was public.
    """

    content: str
    embed: discord.Embed | None = None
    attachments: tuple[tuple[str, bytes], ...] = ()
    buttons: tuple[discord.ui.Item[Any], ...] = ()
    private: bool = False

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
        return Answer(render_error(job), private=True)
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
    return Answer("", embed, await add_waveform(embed, record), buttons_of(record))


class Repeat(FromId, discord.ui.DynamicItem[Button], template=f"repeat:{ids.text('job')}"):
    """Generates the same words again with a new seed; the answer goes to the same place."""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Another take", emoji="🔁", custom_id=f"repeat:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Submit a new job for the member who pressed."""
        actor = actor_of(interaction)
        require_attachments(interaction)
        hidden = interaction.message is not None and interaction.message.flags.ephemeral
        await interaction.response.defer(ephemeral=hidden, thinking=True)
        await interaction.client.studio.speech.repeat(
            actor, self.job_id, origin_of(interaction), max_bytes=upload_limit(interaction)
        )


class Discard(FromId, discord.ui.DynamicItem[Button], template=f"discard:{ids.text('job')}"):
    """Deletes an answer: the message, and the recording in the studio."""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Delete", emoji="🗑️", custom_id=f"discard:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Delete it, for its member and moderators."""
        await interaction.response.defer()
        await interaction.client.studio.speech.discard(actor_of(interaction), self.job_id)
        with contextlib.suppress(discord.NotFound):  # pressed twice, or deleted by hand
            await interaction.delete_original_response()


class CancelWaiting(FromId, discord.ui.DynamicItem[Button], template=f"stop:{ids.text('job')}"):
    """Cancels the job that its message waits for. (`CancelJob` is the button of the list of jobs.)"""

    def __init__(self, job: str) -> None:
        super().__init__(discord.ui.Button(label="Cancel", custom_id=f"stop:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Cancel the job, for its member and moderators. The job's answer replaces the message."""
        await interaction.response.defer()
        await interaction.client.studio.jobs.cancel(actor_of(interaction), self.job_id)
