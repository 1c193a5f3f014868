"""The live environment with a small bot: real time, no waiting for long work, news on open pages, a clean end."""

import asyncio
from datetime import UTC, datetime, timedelta

import discord
import pytest

from simulator.live import LiveEnv
from simulator.page import live_page, show_modal
from simulator.world import World, build
from tests.simulator.small_bot import SmallBot, eventually, last_text


async def published(world: World) -> None:
    """Wait until the open pages show every change so far."""
    await eventually(lambda: not world.env.changed.is_set())


async def test_an_action_waits_for_the_acknowledgement_and_not_for_the_work(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.live.ACKNOWLEDGE", 3600)
    result = await world.member.slash(world.channel, "later")
    assert result.deferred
    assert last_text(world) != "Done"
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
    before = datetime.now(UTC) - timedelta(milliseconds=1)  # an id counts whole milliseconds
    message = await world.member.send(world.channel, "Now")
    assert before <= message.created_at <= datetime.now(UTC)
    await asyncio.sleep(0.001)  # ends, though nobody moves a clock


async def test_an_interaction_without_an_answer_is_given_up_after_discords_three_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.live.ACKNOWLEDGE", 0.2)
    result = await world.member.slash(world.channel, "silent")
    assert not result.acknowledged


async def test_an_expected_error_is_no_error_of_the_bot(world: World) -> None:
    await world.member.slash(world.channel, "broken")
    assert world.env.errors == []


async def test_nothing_piles_up(world: World) -> None:
    await world.member.send(world.channel, "Hello")
    assert world.env.backend.transcript == []
    assert world.env.backend.http_requests == []


async def test_background_work_appears_on_an_open_page(world: World) -> None:
    async with live_page(world.env, world.channel, world.people) as preview:
        page = preview._open_page(str(world.member.id))
        await world.member.slash(world.channel, "later")
        assert isinstance(world.env.bot, SmallBot)
        await published(world)
        revision = page.revision
        world.env.bot.go_on.set()
        await eventually(lambda: "Done" in str(page.snapshot["messages"]))
        assert page.revision == revision  # an action that somebody prepares meanwhile stays valid


async def test_a_form_opens_on_the_page_of_whoever_asked(world: World) -> None:
    async with live_page(world.env, world.channel, world.people) as preview:
        mine, theirs = preview._open_page(str(world.member.id)), preview._open_page(str(world.other.id))
        message = await world.other.send(world.channel, "Ask me")
        result = await world.member.context_menu(world.channel, "Ask", message)
        show_modal(world.env, result)
        await eventually(lambda: mine.snapshot["modal"] is not None)
        assert theirs.snapshot["modal"] is None
        await world.member.submit_modal(result, {"answer": "yes"})
        await eventually(lambda: mine.snapshot["modal"] is None)
        assert last_text(world) == "You said yes"


async def test_a_page_turns_to_what_its_own_viewer_brought(world: World) -> None:
    first = await world.other.send(world.channel, "First")
    async with live_page(world.env, world.channel, world.people) as preview:
        page = preview._open_page(str(world.member.id))
        await world.other.send(world.channel, "Second")
        await published(world)
        assert page.target_id == first.id
        result = await world.member.slash(world.channel, "later")
        assert result.response is not None
        answer = result.response.id
        await eventually(lambda: page.target_id == answer)
        assert preview._open_page(str(world.other.id)).target_id == answer


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
