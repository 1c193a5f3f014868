"""/jobs: a member's own jobs, with buttons to cancel what waits and to fetch what could not be delivered."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs.checks import actor_of
from cogs.client import Barkeep
from cogs.job_buttons import Cancel, Fetch
from cogs.render import render_jobs
from cogs.ui import persistent_view
from storage.records import JobState

_SHOWN = 20
_BUTTONS = 25


class Jobs(commands.Cog):
    """One command."""

    def __init__(self, bot: Barkeep) -> None:
        self.bot = bot

    @app_commands.command(name="jobs", description="Your queued and running jobs: see, cancel, fetch")
    async def jobs(self, interaction: discord.Interaction[Barkeep]) -> None:
        """The list, to the member's eyes only."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        jobs = (await self.bot.studio.jobs.mine(actor))[:_SHOWN]
        buttons: list[discord.ui.Item[Any]] = []
        for number, (job, _) in enumerate(jobs, 1):
            if job.state in (JobState.QUEUED, JobState.RUNNING):
                buttons.append(Cancel(job.id, f"Cancel {number}"))
            elif job.state is not JobState.DELIVERED and job.answered_at is None:
                buttons.append(Fetch(job.id, f"Fetch {number}"))
        view = persistent_view(*buttons[:_BUTTONS])
        await interaction.followup.send(embed=render_jobs(jobs), view=view, ephemeral=True)


async def setup(bot: Barkeep) -> None:
    """Called by discord.py."""
    await bot.add_cog(Jobs(bot))
