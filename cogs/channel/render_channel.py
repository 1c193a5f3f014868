"""Renders the state of a voice channel: the current line and the next one. Pure functions."""

from cogs.ui.render import safe
from studio.channel.lines import Line
from studio.channel.service import Scene

_PHRASE = 60


def render_scene(scene: Scene) -> str:
    """Return the line that is heard or made now, and the next one."""
    if scene.now is None:
        return "Nothing is playing or waiting."
    lines = [f"{'🔊 Now' if scene.now.begun else '🎙️ First'}: {_line(scene.now)}"]
    if scene.waiting:
        lines.append(f"⏭️ Next: {_line(scene.waiting[0])}")
    if len(scene.waiting) > 1:
        lines.append(f"{len(scene.waiting) - 1} more after that.")
    return "\n".join(lines)


def _line(line: Line) -> str:
    asked = "" if line.member_id is None else f" · asked by <@{line.member_id}>"
    return f"**{safe(line.voice, 100)}** “{safe(line.text, _PHRASE)}”{asked}"
