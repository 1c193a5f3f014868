"""Buttons of moderators' lists: cancel a job, unblock a member, remove a voice. They work after a restart.

The studio checks at each press that the member is a moderator.
"""

from collections.abc import Sequence
from typing import Any

import discord

from cogs.interactions import actor_of, require_moderator
from cogs.studio_bot import StudioBot
from cogs.ui import confirm, ids, pages
from cogs.ui.base import guarded
from cogs.ui.ids import FromId
from cogs.voices.render_library import render_delete_question
from studio.values import Voice

QUEUE_LIST = "queue"
BLOCKED_LIST = "blocked"
REMOVE_ACTION = "remove-voice"
_LABEL_LENGTH = 100


class CancelQueuedJob(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=f"queue-cancel:{ids.text('job')}:{ids.count('page')}",
):
    """Cancels a queued or running job and updates the list."""

    def __init__(self, job: str, page: int, label: str = "Cancel") -> None:
        super().__init__(
            discord.ui.Button(label=label, style=discord.ButtonStyle.danger, custom_id=f"queue-cancel:{job}:{page}")
        )
        self.job_id, self.page = job, page

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Cancel the job. The job's own answer tells the member."""
        await interaction.response.defer()
        await interaction.client.studio.admin.cancel(actor_of(interaction), self.job_id)
        await pages.show_page(interaction, QUEUE_LIST, number=self.page)


class Unblock(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=f"unblock:{ids.snowflake('member')}:{ids.count('page')}",
):
    """Unblocks a member and updates the list."""

    def __init__(self, member: int, page: int, label: str = "Unblock") -> None:
        super().__init__(discord.ui.Button(label=label, custom_id=f"unblock:{member}:{page}"))
        self.member_id, self.page = member, page

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Unblock the member."""
        await interaction.response.defer()
        await interaction.client.studio.admin.unblock(actor_of(interaction), self.member_id)
        await pages.show_page(interaction, BLOCKED_LIST, number=self.page)


class RemoveVoice(FromId, discord.ui.DynamicItem[discord.ui.Select[Any]], template="remove-voice"):
    """Removes a voice of the page, after a confirmation."""

    def __init__(self, voices: Sequence[Voice] = ()) -> None:
        options = [discord.SelectOption(label=voice.name[:_LABEL_LENGTH], value=voice.key) for voice in voices]
        super().__init__(
            discord.ui.Select(custom_id="remove-voice", placeholder="Remove a voice of this page…", options=options)
        )

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Ask for confirmation; moderators only."""
        await require_moderator(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        actor, key = actor_of(interaction), self.item.values[0]
        record = await interaction.client.studio.library.record(actor, key)
        await confirm.ask(interaction, render_delete_question(record), "Remove it", REMOVE_ACTION, key)


ADMIN_ITEMS = (CancelQueuedJob, Unblock, RemoveVoice)
"""The dynamic items to register with the bot."""
