"""The live environment with a small bot: real time, no waiting for long work, news on open pages, a clean end."""

import asyncio
from datetime import UTC, datetime, timedelta

import discord
import pytest

from simulator.live import LiveEnv
from simulator.page import live_page, show_modal
from simulator.simulated_server import SimulatedServer, build
from tests.simulator.small_bot import SmallBot, eventually, last_text


async def published(server: SimulatedServer) -> None:
    """Wait until the open pages show every change so far."""
    await eventually(lambda: not server.env.changed.is_set())


async def test_an_action_waits_for_the_acknowledgement_and_not_for_the_work(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.live.ACKNOWLEDGE", 3600)
    result = await server.member.slash(server.channel, "later")
    assert result.deferred
    assert last_text(server) != "Done"
    assert isinstance(server.env.bot, SmallBot)
    server.env.bot.go_on.set()
    await eventually(lambda: last_text(server) == "Done")


async def test_two_people_act_at_once(server: SimulatedServer) -> None:
    results = await asyncio.gather(
        server.member.slash(server.channel, "later"), server.other.slash(server.channel, "later")
    )
    assert all(result.deferred for result in results)


async def test_work_from_another_thread_reaches_the_simulated_discord(server: SimulatedServer) -> None:
    await server.member.slash(server.channel, "threaded")
    await eventually(lambda: last_text(server) == "From a thread")


async def test_the_clock_is_real(server: SimulatedServer) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)  # an id counts whole milliseconds
    message = await server.member.send(server.channel, "Now")
    assert before <= message.created_at <= datetime.now(UTC)
    await asyncio.sleep(0.001)  # ends, though nobody moves a clock


async def test_an_interaction_without_an_answer_is_given_up_after_discords_three_seconds(
    server: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.live.ACKNOWLEDGE", 0.2)
    result = await server.member.slash(server.channel, "silent")
    assert not result.acknowledged


async def test_an_expected_error_is_no_error_of_the_bot(server: SimulatedServer) -> None:
    await server.member.slash(server.channel, "broken")
    assert server.env.errors == []


async def test_nothing_piles_up(server: SimulatedServer) -> None:
    await server.member.send(server.channel, "Hello")
    assert server.env.backend.transcript == []
    assert server.env.backend.http_requests == []


async def test_background_work_appears_on_an_open_page(server: SimulatedServer) -> None:
    async with live_page(server.env, server.channel, server.people) as preview:
        page = preview._open_page(str(server.member.id))
        await server.member.slash(server.channel, "later")
        assert isinstance(server.env.bot, SmallBot)
        await published(server)
        revision = page.revision
        server.env.bot.go_on.set()
        await eventually(lambda: "Done" in str(page.snapshot["messages"]))
        assert page.revision == revision  # an action that somebody prepares meanwhile stays valid


async def test_a_form_opens_on_the_page_of_whoever_asked(server: SimulatedServer) -> None:
    async with live_page(server.env, server.channel, server.people) as preview:
        mine, theirs = preview._open_page(str(server.member.id)), preview._open_page(str(server.other.id))
        message = await server.other.send(server.channel, "Ask me")
        result = await server.member.context_menu(server.channel, "Ask", message)
        show_modal(server.env, result)
        await eventually(lambda: mine.snapshot["modal"] is not None)
        assert theirs.snapshot["modal"] is None
        await server.member.submit_modal(result, {"answer": "yes"})
        await eventually(lambda: mine.snapshot["modal"] is None)
        assert last_text(server) == "You said yes"


async def test_a_page_turns_to_what_its_own_viewer_brought(server: SimulatedServer) -> None:
    first = await server.other.send(server.channel, "First")
    async with live_page(server.env, server.channel, server.people) as preview:
        page = preview._open_page(str(server.member.id))
        await server.other.send(server.channel, "Second")
        await published(server)
        assert page.target_id == first.id
        result = await server.member.slash(server.channel, "later")
        assert result.response is not None
        answer = result.response.id
        await eventually(lambda: page.target_id == answer)
        assert preview._open_page(str(server.other.id)).target_id == answer


async def test_the_ids_are_the_same_in_every_run() -> None:
    first, second = (build(LiveEnv(SmallBot())) for _ in range(2))
    assert first.guild.id == second.guild.id
    assert [person.id for person in first.people] == [person.id for person in second.people]


async def test_direct_messages_are_closed_because_the_page_cannot_show_them(server: SimulatedServer) -> None:
    user = await server.env.bot.fetch_user(server.other.id)
    with pytest.raises(discord.Forbidden):
        await user.send("Psst")


async def test_only_the_moderator_manages_the_server(server: SimulatedServer) -> None:
    rights = [
        discord.Permissions(server.env.backend.compute_permissions(server.guild.id, person.id))
        for person in server.people
    ]
    assert [right.manage_guild for right in rights] == [False, False, True]
