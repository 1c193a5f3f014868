"""The first message of the simulated server, whose buttons let a newcomer hear something within seconds.

Each button uses one of Barkeep's own commands as the person who pressed it. The page does the recording
(static/barkeep.js), because a bot cannot.
"""

import asyncio
from typing import Any

import discord

from cogs.client import Barkeep
from cogs.ui.errors import answer_error
from errors import Unavailable
from simulator.demo_cog import SAMPLE
from simulator.page import show_modal
from simulator.simulated_server import SimulatedServer
from studio.speakers import PREFIX

WELCOME = (
    "**Welcome to The Snug!** I am Barkeep. I clone voices and speak with them. What would you like to do first?\n"
    "🔊 **Hear a voice**: a built-in voice says a sentence.\n"
    "🎤 **Clone a sample**: make a voice from a recording that comes with Barkeep.\n"
    "🎙️ **Record my voice**: make a voice from ten seconds of your microphone. The recording stays on this machine.\n"
    "🎧 **Voice channel**: sit down in the lounge with me. Press *Listen* above the messages to hear it.\n"
    "Then `/say` speaks with any of them, and `/help` shows the rest. Switch to another member at the top."
)
SENTENCE = "Hello, and welcome to the bar."
SAMPLE_NAME = "Gilbert"

Interaction = discord.Interaction[Any]


class Greeting(discord.ui.View):
    """The buttons under WELCOME. The page's script recognises them by label and replaces the third one."""

    def __init__(self, bot: Barkeep, server: SimulatedServer) -> None:
        super().__init__(timeout=None)
        self._bot = bot
        self._server = server

    @discord.ui.button(label="Hear a voice", emoji="🔊", style=discord.ButtonStyle.primary)
    async def hear(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Use /say with the model's built-in voice."""
        await interaction.response.defer()
        person = self._server.actor(interaction.user.id)
        await person.slash(self._server.channel, "say", text=SENTENCE, voice=PREFIX)

    @discord.ui.button(label="Clone a sample", emoji="🎤")
    async def clone(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Use /clone with the bundled recording; its form opens on the page."""
        await interaction.response.defer()
        person = self._server.actor(interaction.user.id)
        sample = (SAMPLE.name, await asyncio.to_thread(SAMPLE.read_bytes))
        form = await person.slash(self._server.channel, "clone", name=await self._free_name(), audio=sample)
        show_modal(self._server.env, form)

    @discord.ui.button(label="Record my voice", emoji="🎙️")
    async def record(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Refuse to record. Reached only where the page's script does not run."""
        raise Unavailable("Only the page can record. Reload it, or attach a recording to /clone.")

    @discord.ui.button(label="Voice channel", emoji="🎧")
    async def sit(self, interaction: Interaction, _: discord.ui.Button[Any]) -> None:
        """Sit down in the voice channel, and use /join."""
        await interaction.response.defer()
        person = self._server.actor(interaction.user.id)
        await person.join_voice(self._server.lounge)
        await person.slash(self._server.channel, "join")

    async def on_error(self, interaction: Interaction, error: Exception, _: discord.ui.Item[Any], /) -> None:
        """Answer with one private sentence."""
        await answer_error(interaction, error)

    async def _free_name(self) -> str:
        """Return SAMPLE_NAME, with a number if a voice of that name exists."""
        voices, number, name = self._bot.studio.storage.voices, 1, SAMPLE_NAME
        while await voices.find(self._server.guild.id, name) is not None:
            number += 1
            name = f"{SAMPLE_NAME} {number}"
        return name


async def greet(bot: Barkeep, server: SimulatedServer, notice: str | None) -> None:
    """Send the greeting as the bot, with a notice about the model below it."""
    channel = bot.get_partial_messageable(server.channel.id, guild_id=server.guild.id)
    await channel.send(WELCOME if notice is None else f"{WELCOME}\n-# {notice}", view=Greeting(bot, server))
