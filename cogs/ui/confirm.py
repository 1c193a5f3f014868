"""Confirmation messages: a question about what will be lost, a red button, and Cancel.

The button's id names the action and its target, so that it works after a restart; questions older than ANSWER_WITHIN
are refused. The cog implements the action, and the studio checks the rights again.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

import discord

from cogs.studio_bot import StudioBot
from cogs.ui.base import guarded, persistent_view
from cogs.ui.ids import FromId
from cogs.ui.replies import replace_question
from errors import Conflict, NotFound

ANSWER_WITHIN = timedelta(minutes=15)
"""After this time the message may no longer describe what would be lost."""

Action = Callable[[discord.Interaction[StudioBot], str], Awaitable[str]]
"""Runs the action on a target, for the member who pressed. Returns a sentence about what was done."""


@runtime_checkable
class ActionProvider(Protocol):
    """A cog with actions that need confirmation."""

    actions: Mapping[str, Action]


async def ask(
    interaction: discord.Interaction[StudioBot], question: discord.Embed, label: str, action: str, target: str = ""
) -> None:
    """Ask the question privately, as the answer to the interaction or, if it was deferred, as a follow-up."""
    view = persistent_view(ConfirmButton(action, target, label), CancelButton())
    if interaction.response.is_done():
        await interaction.followup.send(embed=question, view=view, ephemeral=True)
    else:
        await interaction.response.send_message(embed=question, view=view, ephemeral=True)


class ConfirmButton(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"do:(?P<action>[a-z-]{1,20}):(?P<target>[\w:=/.-]{0,70})",
):
    """The button that runs the action."""

    def __init__(self, action: str, target: str, label: str = "Yes") -> None:
        super().__init__(
            discord.ui.Button(label=label, custom_id=f"do:{action}:{target}", style=discord.ButtonStyle.danger)
        )
        self.action, self.target = action, target

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Run the action and replace the message by its result."""
        message = interaction.message
        if message is None or interaction.created_at - message.created_at > ANSWER_WITHIN:
            raise Conflict("That question is too old. Please use the command again.")
        await interaction.response.defer()
        sentence = await self._action(interaction)(interaction, self.target)
        await replace_question(interaction, sentence)

    def _action(self, interaction: discord.Interaction[StudioBot]) -> Action:
        for cog in interaction.client.cogs.values():
            if isinstance(cog, ActionProvider) and self.action in cog.actions:
                return cog.actions[self.action]
        raise NotFound("This button no longer works. Please use the command again.")


class CancelButton(FromId, discord.ui.DynamicItem[discord.ui.Button[Any]], template="leave-it"):
    """The button that closes the question and changes nothing."""

    def __init__(self) -> None:
        super().__init__(discord.ui.Button(label="Cancel", custom_id="leave-it"))

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Replace the question by the sentence that nothing was changed."""
        await interaction.response.edit_message(content="Nothing was changed.", embed=None, view=None)


CONFIRM_ITEMS = (ConfirmButton, CancelButton)
"""The dynamic items to register with the bot."""
