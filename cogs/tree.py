"""The command tree of Barkeep: every fault of a command ends here, and becomes one sentence for the member."""

import hashlib
import json
from typing import Any

import discord
from discord import app_commands

from cogs.studio_bot import StudioBot
from cogs.ui.errors import answer_fault


class BarkeepTree(app_commands.CommandTree[StudioBot]):
    """Answers faults."""

    async def on_error(
        self, interaction: discord.Interaction[StudioBot], error: app_commands.AppCommandError, /
    ) -> None:
        """One private sentence for an expected fault; an apology with a reference id for any other."""
        await answer_fault(interaction, error)


def digest_of(tree: app_commands.CommandTree[Any], application_id: int) -> str:
    """A hash of all commands as Discord would store them, for one application."""
    payload = [command.to_dict(tree) for command in tree.get_commands()]
    body = json.dumps([application_id, sorted(payload, key=lambda command: (command["type"], command["name"]))])
    return hashlib.sha256(body.encode()).hexdigest()
