"""A bot that answers by every way a bot has, and helpers to look at what it did."""

import asyncio
import threading
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from errors import InvalidInput
from simulator.simulated_server import SimulatedServer

Interaction = discord.Interaction[Any]


class Question(discord.ui.Modal, title="Is it yours?"):
    answer: discord.ui.TextInput["Question"] = discord.ui.TextInput(label="Well?", custom_id="answer")

    async def on_submit(self, interaction: Interaction, /) -> None:
        await interaction.response.send_message(f"You said {self.answer.value}")


class SmallBot(commands.AutoShardedBot):
    """Answers by every way a bot has: at once, later, from a thread, with a form, not at all, with a error."""

    def __init__(self) -> None:
        super().__init__("!", intents=discord.Intents(guilds=True), help_command=None)
        self.go_on = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def setup_hook(self) -> None:
        commands_here: list[Any] = [later, threaded, silent, broken, question]
        for command in commands_here:
            self.tree.add_command(command)
        await self.tree.sync()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await super().close()


def bot_of(interaction: Interaction) -> SmallBot:
    assert isinstance(interaction.client, SmallBot)
    return interaction.client


@app_commands.command(description="Answer when told to")
async def later(interaction: Interaction) -> None:
    await interaction.response.defer()
    bot = bot_of(interaction)

    async def finish() -> None:
        await bot.go_on.wait()
        await interaction.edit_original_response(content="Done")

    bot.tasks.append(asyncio.create_task(finish()))


@app_commands.command(description="Answer from a thread")
async def threaded(interaction: Interaction) -> None:
    await interaction.response.defer()
    loop = asyncio.get_running_loop()

    def work() -> None:
        # A thread of its own, with nothing of this task's context.
        edit = interaction.edit_original_response(content="From a thread")
        loop.call_soon_threadsafe(lambda: bot_of(interaction).tasks.append(loop.create_task(_drop(edit))))

    threading.Thread(target=work).start()


async def _drop(awaitable: Any) -> None:
    await awaitable


@app_commands.command(description="Never answer")
async def silent(interaction: Interaction) -> None:
    pass


@app_commands.command(description="Raise what is expected")
async def broken(interaction: Interaction) -> None:
    await interaction.response.send_message("No.", ephemeral=True)
    raise InvalidInput("That is no sound.")


@app_commands.context_menu(name="Ask")
async def question(interaction: Interaction, message: discord.Message) -> None:
    await interaction.response.send_modal(Question())


async def eventually(condition: Any, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (a test may look)
            await asyncio.sleep(0.01)


def last_text(server: SimulatedServer) -> str:
    message = server.channel.history(viewer=server.member)[-1]
    return message.content
