"""Failures are told to the member alone; progress goes when the answer comes."""

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from tests.cogs.conftest import Waiting, World
from tests.cogs.replies import answer, refusal
from tests.cogs.test_courier import BACK_OFF, FOLLOW_UP, TOKEN_LIFE
from tests.fakes import FakeExecutor

FAILED = "⚠️ The speech failed. The disk is full."


@pytest.mark.parametrize("private", [False, True])
async def test_a_failure_is_told_to_the_member_alone(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, executor: FakeExecutor, private: bool
) -> None:
    executor.fail_next("Unavailable", "The disk is full.")
    assert refusal(await member.slash(channel, "say", text="Two.", private=private)) == FAILED
    assert channel.history(viewer=other) == []


async def test_a_failure_is_told_directly_when_the_token_has_expired_and_its_news_go(
    world: World, waiting: Waiting, channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    _, release = waiting
    executor.fail_next("Unavailable", "The disk is full.")
    await member.slash(channel, "say", text="Two.")
    world.later(TOKEN_LIFE)
    release()
    await world.env.settle()
    (left,) = channel.history()
    assert left.content.startswith("🔊")
    told = member.user.dm_channel.last_message
    assert told is not None
    assert told.content == f"<@{member.id}> {FAILED}"


async def test_a_failure_whose_waiting_message_somebody_deleted(
    env: simcord.Env, waiting: Waiting, channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    shown, release = waiting
    executor.fail_next("Unavailable", "The disk is full.")
    second = await member.slash(channel, "say", text="Two.")
    env.backend.delete_message(channel.id, answer(second).id)
    release()
    await env.settle()
    assert refusal(second) == FAILED
    assert answer(shown).attachments


async def test_a_failure_that_discord_does_not_take_at_first_is_told_once(
    env: simcord.Env, waiting: Waiting, channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    _, release = waiting
    executor.fail_next("Unavailable", "The disk is full.")
    second = await member.slash(channel, "say", text="Two.")
    env.inject_error("POST", FOLLOW_UP, status=500, times=1)
    release()
    await env.settle()
    await env.advance_time(BACK_OFF)
    assert refusal(second) == FAILED


async def test_an_answer_in_the_channel_takes_the_place_of_its_news(
    world: World, waiting: Waiting, channel: ChannelHandle
) -> None:
    _, release = waiting
    world.later(TOKEN_LIFE)
    release()
    await world.env.settle()
    (message,) = channel.history()
    assert message.content.startswith("🔊")
