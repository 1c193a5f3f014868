"""The live environment with a small bot: real time, no waiting for long work, news on open pages, a clean end."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from errors import InvalidInput
from simulator.live import LiveEnv, live_page, show_modal
from simulator.world import World, build

Interaction = discord.Interaction[Any]


class Question(discord.ui.Modal, title="Is it yours?"):
    answer: discord.ui.TextInput["Question"] = discord.ui.TextInput(label="Well?", custom_id="answer")

    async def on_submit(self, interaction: Interaction, /) -> None:
        await interaction.response.send_message(f"You said {self.answer.value}")


class SmallBot(commands.AutoShardedBot):
    """Answers by every way a bot has: at once, later, from a thread, with a form, not at all, with a fault."""

    def __init__(self) -> None:
        super().__init__("!", intents=discord.Intents(guilds=True), help_command=None)
        self.go_on = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def setup_hook(self) -> None:
        for command in (later, threaded, silent, faulty):
            self.tree.add_command(command)
        self.tree.add_command(question)
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
async def faulty(interaction: Interaction) -> None:
    await interaction.response.send_message("No.", ephemeral=True)
    raise InvalidInput("That is no sound.")


@app_commands.context_menu(name="Ask")
async def question(interaction: Interaction, message: discord.Message) -> None:
    await interaction.response.send_modal(Question())


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = build(LiveEnv(SmallBot()))
    await world.env.start()
    yield world
    await world.env.shutdown()
    assert not world.env.errors


async def eventually(condition: Any, seconds: float = 3.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def last_text(world: World) -> str:
    message = world.channel.history(viewer=world.member)[-1]
    return message.content


async def test_an_action_waits_for_the_acknowledgement_and_not_for_the_work(world: World) -> None:
    started = time.monotonic()
    result = await world.member.slash(world.channel, "later")
    assert result.deferred
    assert time.monotonic() - started < 1.0
    assert isinstance(world.env.bot, SmallBot)
    world.env.bot.go_on.set()
    await eventually(lambda: last_text(world) == "Done")


async def test_two_people_act_at_once(world: World) -> None:
    results = await asyncio.gather(
        world.member.slash(world.channel, "later"), world.other.slash(world.channel, "later")
    )
    assert all(result.deferred for result in results)


async def test_work_from_another_thread_reaches_the_simulated_discord(world: World) -> None:
    await world.member.slash(world.channel, "threaded")
    await eventually(lambda: last_text(world) == "From a thread")


async def test_the_clock_is_real(world: World) -> None:
    message = await world.member.send(world.channel, "Now")
    assert abs(datetime.now(UTC) - message.created_at) < timedelta(seconds=5)
    started = time.monotonic()
    await asyncio.sleep(0.05)
    assert time.monotonic() - started >= 0.05


async def test_an_interaction_without_an_answer_is_given_up_after_discords_three_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.live.ACKNOWLEDGE", 0.2)
    result = await world.member.slash(world.channel, "silent")
    assert not result.acknowledged


async def test_an_expected_fault_is_no_error_of_the_bot(world: World) -> None:
    await world.member.slash(world.channel, "faulty")
    assert world.env.errors == []


async def test_nothing_piles_up(world: World) -> None:
    await world.member.send(world.channel, "Hello")
    assert world.env.backend.transcript == []
    assert world.env.backend.http_requests == []


async def test_background_work_appears_on_an_open_page(world: World) -> None:
    async with live_page(world.env, world.channel, list(world.people)) as preview:
        page = preview._open_page(str(world.member.id))
        await world.member.slash(world.channel, "later")
        assert isinstance(world.env.bot, SmallBot)
        await asyncio.sleep(0.3)
        revision = page.revision
        world.env.bot.go_on.set()
        await eventually(lambda: "Done" in str(page.snapshot["messages"]))
        assert page.revision == revision  # an action that somebody prepares meanwhile stays valid


async def test_a_form_opens_on_the_page_of_whoever_asked(world: World) -> None:
    async with live_page(world.env, world.channel, list(world.people)) as preview:
        mine, theirs = preview._open_page(str(world.member.id)), preview._open_page(str(world.other.id))
        message = await world.other.send(world.channel, "Ask me")
        result = await world.member.context_menu(world.channel, "Ask", message)
        show_modal(world.env, result)
        assert mine.snapshot["modal"] is not None
        assert theirs.snapshot["modal"] is None
        await world.member.submit_modal(result, {"answer": "yes"})
        await eventually(lambda: mine.snapshot["modal"] is None)
        assert last_text(world) == "You said yes"


async def test_the_ids_are_the_same_in_every_run() -> None:
    first, second = (build(LiveEnv(SmallBot())) for _ in range(2))
    assert first.guild.id == second.guild.id
    assert [person.id for person in first.people] == [person.id for person in second.people]


async def test_direct_messages_are_closed_because_the_page_cannot_show_them(world: World) -> None:
    user = await world.env.bot.fetch_user(world.other.id)
    with pytest.raises(discord.Forbidden):
        await user.send("Psst")


async def test_only_the_moderator_manages_the_server(world: World) -> None:
    rights = [
        discord.Permissions(world.env.backend.compute_permissions(world.guild.id, person.id)) for person in world.people
    ]
    assert [right.manage_guild for right in rights] == [False, False, True]
