"""The demo's commands: real messages with audio, real message menus, forms that open on the page."""

from simcord import InteractionResult

from simulator.demo_cog import SAMPLE
from simulator.page import live_page
from simulator.simulated_server import SimulatedServer
from tests.simulator.small_bot import eventually, last_text


async def test_somebody_posts_the_recording_that_ships(server: SimulatedServer) -> None:
    await server.member.slash(server.channel, "demo post", who=server.other)
    await eventually(lambda: last_text(server) == "Listen to this:")
    message = server.channel.history(viewer=server.member)[-1]
    assert message.author.id == server.other.id
    assert message.attachments[0].filename == SAMPLE.name
    assert await message.attachments[0].read() == SAMPLE.read_bytes()


async def test_you_post_a_recording_of_your_own(server: SimulatedServer) -> None:
    await server.member.slash(server.channel, "demo post", audio=("me.wav", b"RIFF"))
    await eventually(lambda: last_text(server) == "Listen to this:")
    message = server.channel.history(viewer=server.member)[-1]
    assert (message.author.id, message.attachments[0].filename) == (server.member.id, "me.wav")


async def test_a_message_menu_opens_its_form_on_your_page(server: SimulatedServer) -> None:
    message = await server.other.send(server.channel, "Hello")
    async with live_page(server.env, server.channel, server.people) as preview:
        page = preview._open_page(str(server.member.id))
        await server.member.slash(server.channel, "demo menu", entry="Ask", message=str(message.id))
        await eventually(lambda: page.snapshot["modal"] is not None)
        form = page.modal
        assert isinstance(form, InteractionResult)
        await server.member.submit_modal(form, {"answer": "yes"})
    await eventually(lambda: last_text(server) == "You said yes")


async def test_entries_and_messages_are_offered(server: SimulatedServer) -> None:
    await server.other.send(server.channel, "First", attachments=[("a.ogg", b"1")])
    latest = await server.member.send(server.channel, "x" * 200)
    entries = await server.member.autocomplete(server.channel, "demo menu", "entry", "as")
    messages = await server.member.autocomplete(server.channel, "demo menu", "message", "")
    assert [entry["value"] for entry in entries] == ["Ask"]
    assert next(message["value"] for message in messages) == str(latest.id)
    assert len(messages[0]["name"]) <= 100
    assert messages[1]["name"] == "Ben: First 🔊 a.ogg"
    assert await server.member.autocomplete(server.channel, "demo menu", "message", "nothing like it") == []


async def test_at_most_25_messages_are_offered(server: SimulatedServer) -> None:
    for number in range(26):
        server.env.backend.create_message(server.channel.id, server.other.id, f"Number {number}")
    offered = await server.member.autocomplete(server.channel, "demo menu", "message", "")
    assert len(offered) == 25


async def test_unknown_entries_and_messages_are_refused(server: SimulatedServer) -> None:
    refused = await server.member.slash(server.channel, "demo menu", entry="Ban", message="1")
    assert refused.response is None or "entry" in refused.response.content
    refused = await server.member.slash(server.channel, "demo menu", entry="Ask", message="1")
    assert refused.modal is None
