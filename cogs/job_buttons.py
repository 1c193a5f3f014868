"""The buttons of lists of jobs: cancel one, or fetch a result that could not be delivered. They outlive a restart."""

import re
from typing import Any, Self

import discord

from cogs.answers import answer_to
from cogs.checks import actor_of, require_attachments
from cogs.ui import guarded, persistent_view

Interaction = discord.Interaction[Any]
Button = discord.ui.Button[discord.ui.View]


class Cancel(discord.ui.DynamicItem[Button], template=r"cancel:(?P<job>[\w-]{1,64})"):
    """Cancel a job: one's own, or anybody's for moderators."""

    def __init__(self, job_id: str, label: str = "Cancel") -> None:
        super().__init__(discord.ui.Button(label=label, style=discord.ButtonStyle.danger, custom_id=f"cancel:{job_id}"))
        self.job_id = job_id

    @classmethod
    async def from_custom_id(cls, _: Interaction, _item: discord.ui.Item[Any], match: re.Match[str], /) -> Self:
        """The button of a message that may be older than this process."""
        return cls(match["job"])

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """The job's own message is edited by its delivery."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.client.studio.jobs.cancel(actor_of(interaction), self.job_id)
        await interaction.followup.send("🛑 It is cancelled.", ephemeral=True)


class Fetch(discord.ui.DynamicItem[Button], template=r"fetch:(?P<job>[\w-]{1,64})"):
    """Bring a result that nobody could be given before, to the presser's eyes and ears only."""

    def __init__(self, job_id: str, label: str = "Fetch") -> None:
        super().__init__(discord.ui.Button(label=label, style=discord.ButtonStyle.primary, custom_id=f"fetch:{job_id}"))
        self.job_id = job_id

    @classmethod
    async def from_custom_id(cls, _: Interaction, _item: discord.ui.Item[Any], match: re.Match[str], /) -> Self:
        """The button of a message that may be older than this process."""
        return cls(match["job"])

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """The answer as it would have been delivered."""
        actor = actor_of(interaction)
        require_attachments(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        desk = interaction.client.studio.jobs
        outcome = await desk.fetch(actor, self.job_id)
        answer = await answer_to(outcome)
        options: dict[str, Any] = {"view": persistent_view(*answer.buttons)} if answer.buttons else {}
        await interaction.followup.send(
            answer.content, embeds=answer.embeds(), files=answer.files(), ephemeral=True, **options
        )
        await desk.fetched(outcome)
