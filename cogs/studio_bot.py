"""The bot class that commands, buttons and forms use."""

from discord.ext import commands

from cogs.server_names import ServerNames
from studio.studio import Studio
from studio.values import Courier


class StudioBot(commands.AutoShardedBot):
    """A Discord client with a studio. `courier` sends progress and answers to members."""

    studio: Studio
    courier: Courier
    server_names: ServerNames
