"""Runs the bot in the simulated server, with one page for a person's browser."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import discord
from simcord import SetupError

from cogs.client import Barkeep
from cogs.clone.consent import question_view
from cogs.ui.render import render_question
from errors import Unavailable
from simulator.demo_cog import SAMPLE, DemoCog
from simulator.greeting import greet
from simulator.live import LiveEnv
from simulator.notice import model_notice
from simulator.page import live_page
from simulator.page_server import VoiceView
from simulator.simulated_server import SimulatedServer, build
from simulator.voice.lounge import Lounge
from simulator.voice.panel import panel
from simulator.voice.radio import Radio
from storage.consent_records import ConsentState

INTRODUCTION = "This is how I sound. Ask me with `/demo menu`, entry “Clone this voice”, on this message."


async def serve(bot: Barkeep, stop: asyncio.Event, *, port: int, model: str, say: Callable[[str], None]) -> None:
    """Serve the page, pass its address to `say`, and close everything once `stop` is set or the page is ended.

    `model` is the name of the speaking model, for a notice about its quality.
    Raises Unavailable if the port is taken, and every error that keeps the bot from starting.
    """
    env = LiveEnv(bot)
    server = build(env)
    await bot.add_cog(DemoCog(server))
    radio = Radio()
    lounge = Lounge(env, radio.hear)
    try:
        await env.start()
        notice = model_notice(model)
        await _furnish(bot, server, notice)
        voice = VoiceView(partial(panel, bot, server), radio.stream)
        async with live_page(env, server.channel, server.people, voice=voice, port=port) as page:
            say(f"No DISCORD_TOKEN is used: this is the simulator. Open {page.url}")
            if notice is not None:
                say(notice)
            say("Ctrl-C stops it.")
            await _first(stop.wait(), page.wait_closed())
            say("Closing.")
    except SetupError as error:
        raise Unavailable(
            f"The simulator cannot open its page on port {port}. Set SIMULATOR_PORT to another one."
        ) from error
    finally:
        await env.shutdown()
        await lounge.close()


async def _furnish(bot: Barkeep, server: SimulatedServer, notice: str | None) -> None:
    """Send the first messages: a greeting with a notice about the model, and a recording for the message menus."""
    await greet(bot, server, notice)
    recording = await asyncio.to_thread(SAMPLE.read_bytes)
    await server.other.send(server.channel, INTRODUCTION, attachments=[(SAMPLE.name, recording)])
    await _ask_again(bot, server)


async def _ask_again(bot: Barkeep, server: SimulatedServer) -> None:
    """Send the open consent requests again: the simulator keeps requests across restarts, but not messages."""
    channel = bot.get_partial_messageable(server.channel.id, guild_id=server.guild.id)
    for person in server.people:
        for request in await bot.studio.storage.consents.requests_of(server.guild.id, person.id):
            open_still = request.state is ConsentState.PENDING and request.expires_at > discord.utils.utcnow()
            if request.author_id == person.id and open_still:
                requester = await bot.fetch_user(request.requester_id)
                embed = render_question(request, channel.jump_url, requester.display_name, server.guild.name)
                await channel.send(f"<@{person.id}>", embed=embed, view=question_view(request))


async def _first(*awaitables: Awaitable[object]) -> None:
    """Wait until one of them is done, and cancel the others."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
