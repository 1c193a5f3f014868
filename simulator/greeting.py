"""The first message of the simulated server: buttons that let a newcomer hear something within seconds.

Barkeep's own commands do the work: a button uses one as the person who pressed it. The page itself records
(static/barkeep.js), because a bot cannot.
"""

import asyncio
from typing import Any

import discord

from cogs.client import Barkeep
from cogs.ui.errors import answer_fault
from errors import Unavailable
from simulator.demo_cog import SAMPLE
from simulator.page import show_modal
from simulator.world import World
from studio.speakers import PREFIX

WELCOME = (
    "**Welcome to The Snug!** I am Barkeep: I keep voices, and speak with them. What would you like to do first?\n"
    "🔊 **Hear a voice**: one that comes with the model says a sentence.\n"
    "🎤 **Clone a sample**: a recording that ships with Barkeep becomes a voice.\n"
    "🎙️ **Record my voice**: ten seconds from your microphone become one. They stay on this machine.\n"
    "Then `/say` speaks with any of them, and `/help` shows the rest. At the top you can look as somebody else."
)
SENTENCE = "Hello, and welcome to the bar."
SAMPLE_NAME = "Gilbert"

Interaction = discord.Interaction[Any]


class Greeting(discord.ui.View):
    """The buttons under WELCOME. The page replaces what the third one does, and knows the labels."""

    def __init__(self, bot: Barkeep, world: World) -> None:
        super().__init__(timeout=None)
        self._bot = bot
        self._world = world

    @discord.ui.button(label="Hear a voice", emoji="🔊", style=discord.ButtonStyle.primary)
    async def hear(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """/say in the model's built-in voice."""
        await interaction.response.defer()
        person = self._world.actor(interaction.user.id)
        await person.slash(self._world.channel, "say", text=SENTENCE, voice=PREFIX)

    @discord.ui.button(label="Clone a sample", emoji="🎤")
    async def clone(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """/clone with the recording that ships; the form that it asks with opens on the page."""
        await interaction.response.defer()
        person = self._world.actor(interaction.user.id)
        sample = (SAMPLE.name, await asyncio.to_thread(SAMPLE.read_bytes))
        form = await person.slash(self._world.channel, "clone", name=await self._free_name(), audio=sample)
        show_modal(self._world.env, form)

    @discord.ui.button(label="Record my voice", emoji="🎙️")
    async def record(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Only reached where the page's script does not run."""
        raise Unavailable("Only the page can record. Reload it, or attach a recording to /clone.")

    async def on_error(self, interaction: Interaction, error: Exception, _: discord.ui.Item[Any], /) -> None:
        """One private sentence."""
        await answer_fault(interaction, error)

    async def _free_name(self) -> str:
        """SAMPLE_NAME, with a number if there is a voice of that name already."""
        voices, number, name = self._bot.studio.storage.voices, 1, SAMPLE_NAME
        while await voices.find(self._world.guild.id, name) is not None:
            number += 1
            name = f"{SAMPLE_NAME} {number}"
        return name


async def greet(bot: Barkeep, world: World) -> None:
    """Send the greeting as the bot."""
    channel = bot.get_partial_messageable(world.channel.id, guild_id=world.guild.id)
    await channel.send(WELCOME, view=Greeting(bot, world))
