"""What is said about a voice channel."""

from dataclasses import replace

from cogs.channel.cog import render_scene
from studio.channel.lines import Line
from studio.channel.service import Scene
from tests.studio.queue.test_fair_order import job


def line(text: str, *, member_id: int | None = 7) -> Line:
    asked = None if member_id is None else replace(job(1, 900, member_id))
    return Line("key", "Ann", text, job=asked)


def test_nothing() -> None:
    assert render_scene(Scene(70, None, ())) == "Nothing is playing or waiting."


def test_what_is_said_and_what_follows() -> None:
    now, *waiting = (line(text) for text in ("One.", "Two.", "Three.", "Four."))
    assert render_scene(Scene(70, now, ())) == "🎙️ First: **Ann** “One.” · asked by <@7>"
    now.begun = True
    assert render_scene(Scene(70, now, tuple(waiting))).splitlines() == [
        "🔊 Now: **Ann** “One.” · asked by <@7>",
        "⏭️ Next: **Ann** “Two.” · asked by <@7>",
        "2 more after that.",
    ]


def test_what_no_member_asked_for_names_none() -> None:
    assert "asked by" not in render_scene(Scene(70, line("Hello.", member_id=None), ()))


def test_a_long_or_hostile_text_is_short_and_plain() -> None:
    shown = render_scene(Scene(70, line("**@everyone** <@1> " + "x" * 5000), ()))
    assert len(shown) < 300
    assert "**@everyone**" not in shown
