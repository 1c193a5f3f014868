"""/jobs: a member's own jobs, with buttons to cancel queued ones and fetch undelivered ones.

The buttons work after a restart, and each press updates the list.
"""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs.answers import answer_to
from cogs.interactions import actor_of, require_attachments
from cogs.studio_bot import StudioBot
from cogs.ui import ids
from cogs.ui.base import guarded, persistent_view
from cogs.ui.ids import FromId
from cogs.ui.render import render_jobs
from storage.records import JobState

Interaction = discord.Interaction[Any]
Button = discord.ui.Button[discord.ui.View]

_SHOWN = 20


class Jobs(commands.Cog):
    """The /jobs command."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot

    @app_commands.command(name="jobs", description="Your queued and running jobs: see, cancel, fetch")
    async def jobs(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Show the list privately."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await show_jobs(interaction)


async def show_jobs(interaction: Interaction) -> None:
    """Show the member's current jobs in the deferred answer, or in the message of a pressed button."""
    jobs = (await interaction.client.studio.jobs.mine(actor_of(interaction)))[:_SHOWN]
    buttons: list[discord.ui.Item[Any]] = []
    for number, (job, _) in enumerate(jobs, 1):
        if job.state in (JobState.QUEUED, JobState.RUNNING):
            buttons.append(CancelJob(job.id, f"Cancel {number}"))
        elif job.state is not JobState.CANCELLED:  # a cancelled job has nothing to fetch
            buttons.append(Fetch(job.id, f"Fetch {number}"))
    await interaction.edit_original_response(embed=render_jobs(jobs), view=persistent_view(*buttons))


class CancelJob(FromId, discord.ui.DynamicItem[Button], template=f"cancel:{ids.text('job')}"):
    """Cancels a job: the member's own or, for moderators, anybody's."""

    def __init__(self, job: str, label: str = "Cancel") -> None:
        super().__init__(discord.ui.Button(label=label, style=discord.ButtonStyle.danger, custom_id=f"cancel:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Cancel the job. Its delivery edits the job's own message."""
        await interaction.response.defer()
        try:
            await interaction.client.studio.jobs.cancel(actor_of(interaction), self.job_id)
        finally:
            await show_jobs(interaction)


class Fetch(FromId, discord.ui.DynamicItem[Button], template=f"fetch:{ids.text('job')}"):
    """Sends an undelivered result privately to its member."""

    def __init__(self, job: str, label: str = "Fetch") -> None:
        super().__init__(discord.ui.Button(label=label, style=discord.ButtonStyle.primary, custom_id=f"fetch:{job}"))
        self.job_id = job

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Send the answer as it would have been delivered."""
        actor = actor_of(interaction)
        require_attachments(interaction)
        await interaction.response.defer()
        service = interaction.client.studio.jobs
        outcome = await service.fetch(actor, self.job_id)
        answer = await answer_to(outcome)
        options: dict[str, Any] = {"view": persistent_view(*answer.buttons)} if answer.buttons else {}
        await interaction.followup.send(
            answer.content, embeds=answer.embeds(), files=answer.files(), ephemeral=True, **options
        )
        await service.fetched(outcome)
        await show_jobs(interaction)
