"""/jobs: one's own jobs and nobody else's, with working buttons."""

from collections.abc import Awaitable, Callable

import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cogs.client import Barkeep
from tests.cogs.conftest import Clone
from tests.cogs.library import followed, shown
from tests.cogs.replies import answer, labels
from tests.fakes import FakeExecutor


async def test_without_jobs_there_is_a_sentence(channel: ChannelHandle, member: MemberActor) -> None:
    listed = answer(await member.slash(channel, "jobs"))
    assert listed.ephemeral
    assert "/say" in (listed.embeds[0].description or "")


async def test_jobs_shows_places_and_only_ones_own(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, executor: FakeExecutor, env: simcord.Env
) -> None:
    release = executor.hold()
    await member.slash(channel, "say", text="One.")
    await member.slash(channel, "say", text="Two.")
    await other.slash(channel, "say", text="Three.")
    listed = answer(await member.slash(channel, "jobs"))
    lines = (listed.embeds[0].description or "").split("\n")
    assert len(lines) == 2
    assert any("Two." in line and "in the queue" in line for line in lines)
    assert any("One." in line and "running" in line for line in lines)
    assert labels(listed) == ["Cancel 1", "Cancel 2"]
    release()
    await env.settle()


async def test_cancelling_what_waits_and_what_runs(
    channel: ChannelHandle, member: MemberActor, executor: FakeExecutor, env: simcord.Env
) -> None:
    release = executor.hold()
    running = await member.slash(channel, "say", text="One.")
    queued = await member.slash(channel, "say", text="Two.")
    listed = answer(await member.slash(channel, "jobs"))
    listed = shown(await member.click(listed, label="Cancel 2"))
    assert labels(listed) == ["Cancel 1"]
    listed = shown(await member.click(listed, label="Cancel 1"))
    assert labels(listed) == []
    release()
    await env.settle()
    for line in (running, queued):
        assert answer(line).content == "🛑 The speech was cancelled."
        assert not answer(line).attachments
    assert labels(answer(await member.slash(channel, "jobs"))) == []


async def test_cancelling_twice_is_a_sentence(
    channel: ChannelHandle, member: MemberActor, executor: FakeExecutor, env: simcord.Env
) -> None:
    release = executor.hold()
    await member.slash(channel, "say", text="One.")
    listed = answer(await member.slash(channel, "jobs"))
    twin = answer(await member.slash(channel, "jobs"))
    await member.click(listed, label="Cancel 1")
    again = await member.click(twin, label="Cancel 1")
    assert (labels(shown(again)), followed(again).ephemeral) == ([], True)
    assert "ended already" in followed(again).content
    release()
    await env.settle()


async def test_a_cancelled_clone_frees_its_name(
    channel: ChannelHandle, clone: Clone, member: MemberActor, executor: FakeExecutor, env: simcord.Env
) -> None:
    release = executor.hold()
    await clone("Ada")
    listed = answer(await member.slash(channel, "jobs"))
    assert "Clone “Ada”" in (listed.embeds[0].description or "")
    await member.click(listed, label="Cancel 1")
    release()
    await env.settle()
    assert answer(await clone("Ada")).embeds[0].title == "🎤 Ada is ready"


async def test_the_buttons_work_after_a_restart(
    channel: ChannelHandle,
    member: MemberActor,
    executor: FakeExecutor,
    restart: Callable[[], Awaitable[Barkeep]],
) -> None:
    executor.hold()
    await member.slash(channel, "say", text="One.")
    listed = answer(await member.slash(channel, "jobs"))
    await restart()
    assert "ended already" in followed(await member.click(listed, label="Cancel 1")).content
