"""/jobs: a member's own jobs, with buttons to cancel queued ones and fetch undelivered ones."""

import discord
from discord import app_commands
from discord.ext import commands

from cogs.jobs.buttons import show_jobs
from cogs.studio_bot import StudioBot


class Jobs(commands.Cog):
    """The /jobs command."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot

    @app_commands.command(name="jobs", description="Your queued and running jobs: see, cancel, fetch")
    async def jobs(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Show the list privately."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await show_jobs(interaction)


async def setup(bot: StudioBot) -> None:
    """Load the cog (called by discord.py)."""
    await bot.add_cog(Jobs(bot))
