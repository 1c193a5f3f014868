"""What commands, buttons and forms need of the bot that they belong to."""

from discord.ext import commands

from studio.studio import Studio
from studio.values import Courier


class StudioBot(commands.AutoShardedBot):
    """A Discord client with a studio behind it. `courier` brings progress and answers to members."""

    studio: Studio
    courier: Courier
