"""What the page is told of the voice channel."""

from dataclasses import replace
from typing import Any
from unittest.mock import create_autospec

from cogs.client import Barkeep
from simulator.simulated_server import SimulatedServer
from simulator.voice.panel import panel
from studio.channel.lines import Line
from studio.channel.service import ChannelService, Scene
from studio.studio import Studio
from tests.studio.queue.test_fair_order import job


def bot_in(scene: Scene | None) -> Any:
    """A bot in whose channel this goes on."""
    bot = create_autospec(Barkeep, instance=True)
    bot.studio = create_autospec(Studio, instance=True)
    bot.studio.channels = create_autospec(ChannelService, instance=True)
    bot.studio.channels.scene.return_value = scene
    return bot


def asked_by(member_id: int, text: str) -> Line:
    return Line("key", "Ann", text, job=replace(job(1, 900, 7), member_id=member_id))


async def test_an_empty_channel(server: SimulatedServer) -> None:
    shown = panel(bot_in(None), server)
    assert shown == {"channel": "Lounge", "people": [], "now": None, "waiting": [], "speaking": False}


async def test_who_sits_there_and_what_is_said(server: SimulatedServer) -> None:
    await server.member.join_voice(server.lounge)
    server.env.backend.set_voice_state(server.guild.id, server.env.backend.bot_user.id, server.lounge.id)
    now, waiting = asked_by(server.member.id, "Hello."), Line("notice", "Barkeep", "x" * 500)
    bot = bot_in(Scene(server.lounge.id, now, (waiting,)))
    shown = panel(bot, server)
    assert shown["people"] == [{"name": "Ada", "bot": False}, {"name": "Barkeep", "bot": True}]
    assert shown["now"] == {"voice": "Ann", "text": "Hello.", "by": "Ada"}
    assert shown["waiting"] == [{"voice": "Barkeep", "text": "x" * 200, "by": None}]
    assert not shown["speaking"], "its sound is still being made"
    now.begun = True
    assert panel(bot, server)["speaking"]


async def test_who_sits_elsewhere_is_not_shown(server: SimulatedServer) -> None:
    await server.other.join_voice(server.guild.create_voice_channel("Cellar"))
    assert panel(bot_in(Scene(server.lounge.id, None, ())), server)["people"] == []
