"""The state of the voice channel for the page: its people, the line that is spoken, and the waiting lines."""

from typing import Any

from cogs.client import Barkeep
from simulator.world import World
from studio.channel.lines import Line
from studio.channel.service import Scene


def panel(bot: Barkeep, world: World) -> dict[str, Any]:
    """Return the state of the world's voice channel as JSON."""
    guild = world.env.backend.get_guild(world.guild.id)
    here = [user_id for user_id, state in guild.voice_states.items() if state.channel_id == world.lounge.id]
    users = [world.env.backend.get_user(user_id) for user_id in here]
    scene = bot.studio.channels.scene(world.guild.id)
    return {
        "channel": world.lounge.name,
        "people": [{"name": user.global_name or user.name, "bot": user.bot} for user in users],
        **_lines(world, scene),
    }


def _lines(world: World, scene: Scene | None) -> dict[str, Any]:
    if scene is None or scene.now is None:
        return {"now": None, "waiting": [], "speaking": False}
    return {
        "now": _line(world, scene.now),
        "waiting": [_line(world, line) for line in scene.waiting],
        "speaking": scene.now.begun,
    }


def _line(world: World, line: Line) -> dict[str, Any]:
    user = None if line.member_id is None else world.env.backend.get_user(line.member_id)
    return {"voice": line.voice, "text": line.text[:200], "by": None if user is None else user.global_name or user.name}
