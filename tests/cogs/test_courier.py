"""Delivery of answers: by the interaction, the channel, a direct message or /jobs; once, whatever Discord does."""

from collections.abc import Awaitable, Callable

import aiohttp
import discord
import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cogs.client import Barkeep
from storage.records import JobState
from studio.queue.delivery import PAUSES
from studio.studio import Studio
from tests.cogs.conftest import Waiting, World
from tests.cogs.library import followed, shown
from tests.cogs.replies import answer, labels
from tests.fakes import FakeExecutor

ORIGINAL = "/webhooks/*/messages/@original"
FOLLOW_UP = "/webhooks/*/*"
CHANNEL = "/channels/*/messages"
OPEN_DM = "/users/@me/channels"
TOKEN_LIFE = 15 * 60.0
BACK_OFF = 90.0
"""Longer than the first three pauses between attempts, in seconds."""


@pytest.fixture
async def waiting_privately(channel: ChannelHandle, member: MemberActor, executor: FakeExecutor) -> Waiting:
    """The same, for one pair of ears."""
    release = executor.hold()
    return await member.slash(channel, "say", text="A secret.", private=True), release


@pytest.fixture
async def left_to_fetch(
    world: World, waiting_privately: Waiting, channel: ChannelHandle, member: MemberActor
) -> simcord.ResponseMessage:
    """The list of a member's jobs with an answer that could not be sent in any way."""
    _, release = waiting_privately
    world.later(TOKEN_LIFE)
    world.env.inject_error("POST", OPEN_DM, status=403, code=50007, times=None)
    release()
    await world.env.settle()
    listed = answer(await member.slash(channel, "jobs"))
    assert labels(listed) == ["Fetch 1"]
    return listed


async def state(studio: Studio, member: MemberActor) -> tuple[JobState, bool]:
    """How the member's newest job ended, and whether they have its answer."""
    job = (await studio.storage.jobs.of_member(member.guild.id, member.id))[0]
    return job.state, job.answered_at is not None


async def outlast(env: simcord.Env, release: Callable[[], None]) -> None:
    """Let the job finish, and wait for the last attempt of a round to answer it."""
    release()
    await env.settle()
    await env.advance_time(sum(PAUSES) + 30)


def sent_directly(member: MemberActor) -> discord.Message:
    """The last direct message to a member."""
    message = member.user.dm_channel.last_message
    assert message is not None
    return message


def sent(channel: ChannelHandle) -> list[discord.Message]:
    """What the bot wrote in a channel with a file."""
    return [message for message in channel.history() if message.attachments]


async def test_by_the_interaction_while_its_token_is_good(
    env: simcord.Env, waiting: Waiting, member: MemberActor, studio: Studio
) -> None:
    shown, release = waiting
    release()
    await env.settle()
    assert answer(shown).attachments
    assert await state(studio, member) == (JobState.DELIVERED, True)


async def test_by_the_channel_when_the_token_has_expired(
    world: World, waiting: Waiting, channel: ChannelHandle, member: MemberActor, studio: Studio
) -> None:
    _, release = waiting
    world.later(TOKEN_LIFE)
    release()
    await world.env.settle()
    (message,) = sent(channel)
    assert message.content.count(f"<@{member.id}>") == 1
    assert await state(studio, member) == (JobState.DELIVERED, True)


@pytest.mark.parametrize(("status", "code"), [(401, 50027), (404, 10015), (404, 10008), (403, 50013)])
async def test_by_the_channel_when_the_interaction_is_gone(
    env: simcord.Env, waiting: Waiting, channel: ChannelHandle, status: int, code: int
) -> None:
    _, release = waiting
    env.inject_error("PATCH", ORIGINAL, status=status, code=code, times=None)
    release()
    await env.settle()
    assert sent(channel)[-1].content.startswith("🔊")


@pytest.mark.parametrize(("status", "code"), [(403, 50013), (403, 50001), (404, 10003)])
async def test_directly_when_the_channel_is_closed(
    world: World, waiting: Waiting, channel: ChannelHandle, member: MemberActor, status: int, code: int
) -> None:
    _, release = waiting
    world.later(TOKEN_LIFE)
    world.env.inject_error("POST", f"/channels/{channel.id}/messages", status=status, code=code, times=None)
    release()
    await world.env.settle()
    message = sent_directly(member)
    assert message.attachments
    assert not message.components


async def test_a_private_answer_never_goes_to_the_channel(
    world: World, waiting_privately: Waiting, channel: ChannelHandle, member: MemberActor
) -> None:
    _, release = waiting_privately
    world.later(TOKEN_LIFE)
    release()
    await world.env.settle()
    assert sent(channel) == []
    assert "A secret." in sent_directly(member).content


async def test_what_nobody_could_be_given_is_fetched_by_jobs(
    left_to_fetch: simcord.ResponseMessage, channel: ChannelHandle, member: MemberActor, studio: Studio
) -> None:
    assert await state(studio, member) == (JobState.READY, False)
    pressed = await member.click(left_to_fetch, label="Fetch 1")
    assert labels(shown(pressed)) == []
    fetched = followed(pressed)
    assert fetched.ephemeral
    assert fetched.attachments
    assert (await state(studio, member))[1]
    assert labels(answer(await member.slash(channel, "jobs"))) == []


@pytest.mark.parametrize("status", [500, 429, 401, 403])
async def test_what_discord_did_not_take_can_be_fetched_again(
    left_to_fetch: simcord.ResponseMessage,
    env: simcord.Env,
    channel: ChannelHandle,
    member: MemberActor,
    studio: Studio,
    status: int,
) -> None:
    env.inject_error("POST", FOLLOW_UP, status=status)
    await member.click(left_to_fetch, label="Fetch 1")
    assert await state(studio, member) == (JobState.READY, False)
    again = answer(await member.slash(channel, "jobs"))
    assert followed(await member.click(again, label="Fetch 1")).attachments
    assert await state(studio, member) == (JobState.DELIVERED, True)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_passing_error_of_discord_is_waited_out(
    env: simcord.Env, waiting: Waiting, channel: ChannelHandle, member: MemberActor, studio: Studio, status: int
) -> None:
    shown, release = waiting
    env.inject_error("PATCH", ORIGINAL, status=status, times=2)
    release()
    await env.settle()
    assert await state(studio, member) == (JobState.READY, False)
    await env.advance_time(BACK_OFF)
    assert answer(shown).attachments
    assert [message.id for message in sent(channel)] == [answer(shown).id]
    assert await state(studio, member) == (JobState.DELIVERED, True)


@pytest.mark.parametrize("status", [500, 429])
async def test_a_lasting_500_gives_place_to_the_channel(
    env: simcord.Env, waiting: Waiting, channel: ChannelHandle, member: MemberActor, studio: Studio, status: int
) -> None:
    _, release = waiting
    env.inject_error("PATCH", ORIGINAL, status=status, times=None)
    await outlast(env, release)
    (message,) = sent(channel)
    assert message.content.startswith("🔊")
    assert f"asked by <@{member.id}>" in message.content
    assert await state(studio, member) == (JobState.DELIVERED, True)


async def test_a_lasting_500_of_the_channel_gives_place_to_a_direct_message(
    env: simcord.Env, waiting: Waiting, channel: ChannelHandle, member: MemberActor, studio: Studio
) -> None:
    _, release = waiting
    env.inject_error("PATCH", ORIGINAL, status=500, times=None)
    env.inject_error("POST", f"/channels/{channel.id}/messages", status=500, times=None)
    await outlast(env, release)
    assert sent(channel) == []
    assert sent_directly(member).attachments
    assert await state(studio, member) == (JobState.DELIVERED, True)


async def test_a_private_answer_stays_private_after_a_lasting_500(
    env: simcord.Env, waiting_privately: Waiting, channel: ChannelHandle, member: MemberActor
) -> None:
    _, release = waiting_privately
    env.inject_error("PATCH", ORIGINAL, status=500, times=None)
    await outlast(env, release)
    assert sent(channel) == []
    assert "A secret." in sent_directly(member).content


async def test_a_passing_error_in_the_channel_is_waited_out_with_the_same_nonce(
    world: World, waiting: Waiting, channel: ChannelHandle
) -> None:
    _, release = waiting
    world.later(TOKEN_LIFE)
    world.env.inject_error("POST", CHANNEL, status=500, times=1)
    release()
    await world.env.settle()
    await world.env.advance_time(BACK_OFF)
    posts = [entry for entry in world.env.http_requests if entry.method == "POST" and entry.path.endswith("/messages")]
    assert len(posts) == 2
    assert all(entry.json is not None for entry in posts)
    (nonce,) = {(entry.json or {})["nonce"] for entry in posts}
    assert 0 < len(nonce) <= 25
    assert all((entry.json or {})["enforce_nonce"] for entry in posts)
    assert len(sent(channel)) == 1


async def test_a_lost_connection_is_waited_out(
    env: simcord.Env, waiting: Waiting, bot: Barkeep, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, release = waiting
    errors: list[Exception] = [aiohttp.ClientConnectionError(), TimeoutError(), ConnectionResetError()]
    edit = discord.Webhook.edit_message

    async def flaky(self: discord.Webhook, *args: object, **options: object) -> object:
        if errors:
            raise errors.pop()
        return await edit(self, *args, **options)  # type: ignore[call-overload]  # passed on as it came

    monkeypatch.setattr(discord.Webhook, "edit_message", flaky)
    release()
    await env.settle()
    await env.advance_time(BACK_OFF)
    assert answer(shown).attachments


async def test_a_restart_before_the_answer_answers_once(
    env: simcord.Env,
    waiting: Waiting,
    channel: ChannelHandle,
    member: MemberActor,
    restart: Callable[[], Awaitable[Barkeep]],
) -> None:
    shown, release = waiting
    env.inject_error("PATCH", ORIGINAL, status=500, times=1)
    release()
    await env.settle()
    bot = await restart()
    assert answer(shown).attachments
    assert [message.id for message in sent(channel)] == [answer(shown).id]
    assert await state(bot.studio, member) == (JobState.DELIVERED, True)


async def test_news_that_discord_does_not_take_does_no_harm(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    release = executor.hold()
    env.inject_error("PATCH", ORIGINAL, status=500, times=1)
    shown = await member.slash(channel, "say", text="Hello.")
    assert answer(shown).content == ""
    release()
    await env.settle()
    assert answer(shown).attachments


@pytest.mark.parametrize("status", [500, 429])
async def test_nothing_is_queued_if_discord_does_not_take_the_acknowledgement(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor, executor: FakeExecutor, status: int
) -> None:
    env.inject_error("POST", "/interactions/*/callback", status=status)
    shown = await member.slash(channel, "say", text="Hello.")
    assert answer(shown).ephemeral
    assert "Discord is having problems" in answer(shown).content
    assert executor.requests == []


async def test_a_gone_interaction_at_the_acknowledgement_is_silent(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor, executor: FakeExecutor
) -> None:
    env.inject_error("POST", "/interactions/*/callback", status=401, code=50027, times=None)
    shown = await member.slash(channel, "say", text="Hello.")
    assert shown.response is None
    assert executor.requests == []
