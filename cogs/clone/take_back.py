"""The button that withdraws an author's yes. It works after a restart, and for an author who has left."""

from typing import Any

import discord

from cogs.ui import ids
from cogs.ui.base import guarded
from cogs.ui.ids import FromId
from cogs.ui.render import render_verdict
from cogs.ui.replies import replace_question

Interaction = discord.Interaction[Any]


class TakeBack(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=f"consent-back:{ids.text('request')}",
):
    """Withdraws one yes. Only the author can use it; the studio checks that."""

    def __init__(self, request: str) -> None:
        button = discord.ui.Button[discord.ui.View](
            label="Take it back", style=discord.ButtonStyle.danger, custom_id=f"consent-back:{request}"
        )
        super().__init__(button)
        self.request_id = request

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Delete the voice, then say so."""
        await interaction.response.defer()
        request = await interaction.client.studio.clone_requests.take_back(self.request_id, interaction.user.id)
        await replace_question(interaction, render_verdict(request))
