"""The state of the voice channel for the page: its people, the line that is spoken, and the waiting lines."""

from typing import Any

from cogs.client import Barkeep
from simulator.simulated_server import SimulatedServer
from studio.channel.lines import Line
from studio.channel.service import Scene


def panel(bot: Barkeep, server: SimulatedServer) -> dict[str, Any]:
    """Return the state of the server's voice channel as JSON."""
    guild = server.env.backend.get_guild(server.guild.id)
    here = [user_id for user_id, state in guild.voice_states.items() if state.channel_id == server.lounge.id]
    users = [server.env.backend.get_user(user_id) for user_id in here]
    scene = bot.studio.channels.scene(server.guild.id)
    return {
        "channel": server.lounge.name,
        "people": [{"name": user.global_name or user.name, "bot": user.bot} for user in users],
        **_lines(server, scene),
    }


def _lines(server: SimulatedServer, scene: Scene | None) -> dict[str, Any]:
    if scene is None or scene.now is None:
        return {"now": None, "waiting": [], "speaking": False}
    return {
        "now": _line(server, scene.now),
        "waiting": [_line(server, line) for line in scene.waiting],
        "speaking": scene.now.begun,
    }


def _line(server: SimulatedServer, line: Line) -> dict[str, Any]:
    user = None if line.member_id is None else server.env.backend.get_user(line.member_id)
    return {"voice": line.voice, "text": line.text[:200], "by": None if user is None else user.global_name or user.name}
