"""The demo's commands: real messages with audio, real message menus, forms that open on the page."""

from simcord import InteractionResult

from simulator.demo_cog import SAMPLE
from simulator.page import live_page
from simulator.world import World
from tests.simulator.small_bot import eventually, last_text


async def test_somebody_posts_the_recording_that_ships(world: World) -> None:
    await world.member.slash(world.channel, "demo post", who=world.other)
    await eventually(lambda: last_text(world) == "Listen to this:")
    message = world.channel.history(viewer=world.member)[-1]
    assert message.author.id == world.other.id
    assert message.attachments[0].filename == SAMPLE.name
    assert await message.attachments[0].read() == SAMPLE.read_bytes()


async def test_you_post_a_recording_of_your_own(world: World) -> None:
    await world.member.slash(world.channel, "demo post", audio=("me.wav", b"RIFF"))
    await eventually(lambda: last_text(world) == "Listen to this:")
    message = world.channel.history(viewer=world.member)[-1]
    assert (message.author.id, message.attachments[0].filename) == (world.member.id, "me.wav")


async def test_a_message_menu_opens_its_form_on_your_page(world: World) -> None:
    message = await world.other.send(world.channel, "Hello")
    async with live_page(world.env, world.channel, world.people) as preview:
        page = preview._open_page(str(world.member.id))
        await world.member.slash(world.channel, "demo menu", entry="Ask", message=str(message.id))
        await eventually(lambda: page.snapshot["modal"] is not None)
        form = page.modal
        assert isinstance(form, InteractionResult)
        await world.member.submit_modal(form, {"answer": "yes"})
    await eventually(lambda: last_text(world) == "You said yes")


async def test_entries_and_messages_are_offered(world: World) -> None:
    await world.other.send(world.channel, "First", attachments=[("a.ogg", b"1")])
    latest = await world.member.send(world.channel, "x" * 200)
    entries = await world.member.autocomplete(world.channel, "demo menu", "entry", "as")
    messages = await world.member.autocomplete(world.channel, "demo menu", "message", "")
    assert [entry["value"] for entry in entries] == ["Ask"]
    assert next(message["value"] for message in messages) == str(latest.id)
    assert len(messages[0]["name"]) <= 100
    assert messages[1]["name"] == "Ben: First 🔊 a.ogg"
    assert await world.member.autocomplete(world.channel, "demo menu", "message", "nothing like it") == []


async def test_at_most_25_messages_are_offered(world: World) -> None:
    for number in range(26):
        world.env.backend.create_message(world.channel.id, world.other.id, f"Number {number}")
    offered = await world.member.autocomplete(world.channel, "demo menu", "message", "")
    assert len(offered) == 25


async def test_unknown_entries_and_messages_are_refused(world: World) -> None:
    refused = await world.member.slash(world.channel, "demo menu", entry="Ban", message="1")
    assert refused.response is None or "entry" in refused.response.content
    refused = await world.member.slash(world.channel, "demo menu", entry="Ask", message="1")
    assert refused.modal is None
