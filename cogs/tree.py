"""The command tree, which turns every error of a command into one sentence for the member."""

import hashlib
import json
from typing import Any

import discord
from discord import app_commands

from cogs.studio_bot import StudioBot
from cogs.ui.errors import answer_error


class BarkeepTree(app_commands.CommandTree[StudioBot]):
    """Answers errors."""

    async def on_error(
        self, interaction: discord.Interaction[StudioBot], error: app_commands.AppCommandError, /
    ) -> None:
        """Answer an expected error with its sentence, any other with an apology and a reference id."""
        await answer_error(interaction, error)


def digest_of(tree: app_commands.CommandTree[Any], application_id: int) -> str:
    """Return a hash of all commands as Discord would store them, for one application."""
    payload = [command.to_dict(tree) for command in tree.get_commands()]
    body = json.dumps([application_id, sorted(payload, key=lambda command: (command["type"], command["name"]))])
    return hashlib.sha256(body.encode()).hexdigest()
