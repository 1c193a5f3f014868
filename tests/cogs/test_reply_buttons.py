"""The buttons below a recording: again, and away; for the right people, and after a restart."""

from collections.abc import Awaitable, Callable

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cloning.worker.protocol import SpeakRequest
from cogs.client import Barkeep
from storage.records import Visibility
from studio.studio import Studio
from tests.cogs.conftest import Clone
from tests.cogs.library import followed
from tests.cogs.replies import answer, labels, refusal
from tests.fakes import FakeExecutor

Said = simcord.ResponseMessage


@pytest.fixture
async def said(channel: ChannelHandle, member: MemberActor, clone: Clone) -> Said:
    """A recording in the member's own voice."""
    await clone("Ada")
    return answer(await member.slash(channel, "say", text="Hello.", voice="Ada", seed=5))


async def test_repeat_says_the_same_words_with_a_new_seed(
    said: Said, member: MemberActor, executor: FakeExecutor
) -> None:
    again = answer(await member.click(said, label="Another take"))
    assert again.id != said.id
    assert again.attachments
    first, second = [request for request in executor.requests if isinstance(request, SpeakRequest)]
    assert (first.text, first.seed) == ("Hello.", 5)
    assert (second.text, second.seed) == ("Hello.", None)


async def test_repeat_is_for_those_who_may_use_the_voice(
    said: Said, other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    refused = await other.click(said, label="Another take")
    assert len(refused.followups) == 1
    assert refused.followups[0].ephemeral
    record = await studio.storage.voices.find(guild.id, "Ada")
    assert record is not None
    await studio.storage.voices.share(guild.id, record.id, Visibility.EVERYONE, frozenset(), frozenset())
    repeated = answer(await other.click(said, label="Another take"))
    assert repeated.attachments
    assert f"<@{other.id}>" in repeated.content


async def test_repeating_a_private_recording_stays_private(
    channel: ChannelHandle, member: MemberActor, clone: Clone
) -> None:
    await clone("Ada")
    secret = answer(await member.slash(channel, "say", text="Hush.", voice="Ada", private=True))
    assert answer(await member.click(secret, label="Another take")).ephemeral


async def test_a_message_that_waits_can_be_cancelled_by_its_member(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, clone: Clone, executor: FakeExecutor
) -> None:
    await clone("Ada")
    executor.hold()
    asked = await member.slash(channel, "say", text="Hello.", voice="Ada")
    waiting = answer(asked)
    assert labels(waiting) == ["Cancel"]
    assert "no such job" in followed(await other.click(waiting, label="Cancel")).content
    await member.click(waiting, label="Cancel")
    assert refusal(asked) == "🛑 The speech was cancelled."
    assert waiting.id not in [message.id for message in channel.history()]


async def test_delete_takes_the_message_away(said: Said, channel: ChannelHandle, member: MemberActor) -> None:
    await member.click(said, label="Delete")
    assert said.id not in [message.id for message in channel.history()]


async def test_delete_is_for_the_member_and_moderators(
    said: Said, channel: ChannelHandle, other: MemberActor, moderator: MemberActor
) -> None:
    [refused] = (await other.click(said, label="Delete")).followups
    assert refused.ephemeral
    assert "Only the member" in refused.content
    assert said.id in [message.id for message in channel.history()]
    await moderator.click(said, label="Delete")
    assert said.id not in [message.id for message in channel.history()]


async def test_the_buttons_work_after_a_restart(
    said: Said, channel: ChannelHandle, member: MemberActor, restart: Callable[[], Awaitable[Barkeep]]
) -> None:
    await restart()
    assert answer(await member.click(said, label="Another take")).attachments
    await member.click(said, label="Delete")
    assert said.id not in [message.id for message in channel.history()]


async def test_a_recording_of_a_deleted_voice_cannot_be_repeated(
    said: Said, member: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    record = await studio.storage.voices.find(guild.id, "Ada")
    assert record is not None
    await studio.storage.voices.delete(guild.id, record.id)
    refused = await member.click(said, label="Another take")
    assert refused.followups[0].ephemeral


async def test_deleting_what_is_gone_already_is_silent(env: simcord.Env, said: Said, member: MemberActor) -> None:
    env.inject_error("DELETE", "/webhooks/*/messages/@original", status=404, code=10008)
    pressed = await member.click(said, label="Delete")
    assert pressed.followups == []


async def test_a_error_of_discord_while_deleting_is_told(
    env: simcord.Env, said: Said, channel: ChannelHandle, member: MemberActor
) -> None:
    env.inject_error("DELETE", "/webhooks/*/messages/@original", status=500)
    pressed = await member.click(said, label="Delete")
    assert "Discord is having problems" in pressed.followups[0].content


async def test_an_unknown_error_in_a_press_becomes_an_apology(
    said: Said, member: MemberActor, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(studio.speech, "discard", broken)
    [told] = (await member.click(said, label="Delete")).followups
    assert told.ephemeral
    assert "Sorry" in told.content
    assert "secret detail" not in told.content
