"""Somebody else's recording: the author is asked, alone decides, once, also after a restart."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import aiohttp
import discord
import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from studio.clone_requests import ANSWER_WITHIN
from studio.studio import Studio
from tests.cogs.clone.test_cog import voices
from tests.cogs.conftest import Clone, World
from tests.cogs.replies import answer, refusal
from tests.fakes import FakeExecutor, sound_bytes

Ask = Callable[[], Awaitable[simcord.InteractionResult]]
CLOSED_DM = "/users/@me/channels"


@pytest.fixture
async def ask(channel: ChannelHandle, member: MemberActor, other: MemberActor) -> Ask:
    """`member` asks for the voice in a message of `other`; the result is what `member` sees."""

    async def ask() -> simcord.InteractionResult:
        message = await other.send(channel, "listen to me", attachments=[("otto.ogg", sound_bytes("OGG"))])
        form = await member.context_menu(channel, "Clone this voice", message)
        return await member.submit_modal(form, {"name": "Otto", "language": ["de"]})

    return ask


async def test_the_author_is_asked_directly_and_nothing_is_made_before(
    ask: Ask, other: MemberActor, studio: Studio, guild: GuildHandle, executor: FakeExecutor
) -> None:
    shown = await ask()
    assert shown.ephemeral
    assert f"<@{other.id}>" in answer(shown).content
    question = other.user.dm_channel.last_message
    assert question is not None
    assert "mira" in (question.embeds[0].description or "")
    assert executor.requests == []
    assert await voices(studio, guild) == []


async def test_a_yes_makes_the_voice_for_whoever_asked(
    ask: Ask,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    studio: Studio,
    guild: GuildHandle,
) -> None:
    await ask()
    question = other.user.dm_channel.last_message
    assert question is not None
    await other.user.click(question, label="Allow")
    card = channel.last_message
    assert card is not None
    assert card.content.startswith(f"<@{member.id}>")
    fields = {field.name: field.value for field in card.embeds[0].fields}
    assert (fields["Owner"], fields["Speaker"]) == (f"<@{member.id}>", f"<@{other.id}>")
    record = await studio.storage.voices.find(guild.id, "Otto")
    assert record is not None
    assert (record.owner_id, record.speaker_id, record.language) == (member.id, other.id, "de")
    answered = other.user.dm_channel.last_message
    assert answered is not None
    assert answered.content.startswith("✅")
    assert "/privacy forget" not in answered.content


async def test_a_yes_is_taken_back_in_the_direct_message_after_a_restart(
    ask: Ask, other: MemberActor, guild: GuildHandle, clone: Clone, restart: Callable[[], Awaitable[Barkeep]]
) -> None:
    await clone("Otto himself", by=other)
    await ask()
    question = other.user.dm_channel.last_message
    assert question is not None
    await other.user.click(question, label="Allow")
    bot = await restart()
    allowed = other.user.dm_channel.last_message
    assert allowed is not None
    await other.user.click(allowed, label="Take it back")
    told = other.user.dm_channel.last_message
    assert told is not None
    assert "took it back" in told.content
    assert not told.components
    assert await voices(bot.studio, guild) == ["Otto himself"]


async def test_an_author_who_left_the_server_takes_a_yes_back_after_years(
    ask: Ask, other: MemberActor, guild: GuildHandle, world: World
) -> None:
    await ask()
    question = other.user.dm_channel.last_message
    assert question is not None
    await other.user.click(question, label="Allow")
    guild.remove_member(other.user)
    bot = await world.restart()
    assert await voices(bot.studio, guild) == ["Otto"]
    world.later(timedelta(days=800).total_seconds())
    await bot.studio.upkeep()
    allowed = other.user.dm_channel.last_message
    assert allowed is not None
    await other.user.click(allowed, label="Take it back")
    told = other.user.dm_channel.last_message
    assert told is not None
    assert "took it back" in told.content
    assert await voices(bot.studio, guild) == []


@pytest.mark.parametrize("error", [aiohttp.ClientConnectionError(), TimeoutError(), OSError(), RuntimeError()])
async def test_whatever_keeps_the_question_from_its_author_keeps_no_recording(
    ask: Ask,
    env: simcord.Env,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    studio: Studio,
    other: MemberActor,
    error: Exception,
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(discord.User, "send", away)
        patch.setattr(discord.Member, "send", away)
        told = refusal(await ask())
    if not isinstance(error, RuntimeError):
        assert "nobody was asked" in told
    assert list((world.data_dir / "uploads").iterdir()) == []
    assert len(env.errors) <= 1
    await ask()
    assert other.user.dm_channel.last_message is not None


async def test_a_message_that_was_deleted_while_the_form_was_open_is_not_asked_about(
    channel: ChannelHandle, member: MemberActor, other: MemberActor, world: World
) -> None:
    message = await other.send(channel, "listen to me", attachments=[("otto.ogg", sound_bytes("OGG"))])
    form = await member.context_menu(channel, "Clone this voice", message)
    await other.delete(message)
    told = refusal(await member.submit_modal(form, {"name": "Otto", "language": ["de"]}))
    assert "has been deleted" in told
    assert other.user.dm_channel.last_message is None
    assert list((world.data_dir / "uploads").iterdir()) == []


async def test_a_no_is_told_and_leaves_nothing(
    ask: Ask, member: MemberActor, other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    await ask()
    question = other.user.dm_channel.last_message
    assert question is not None
    await other.user.click(question, label="Deny")
    told = member.user.dm_channel.last_message
    assert told is not None
    assert "does not allow a clone" in told.content
    assert await voices(studio, guild) == []
    answered = other.user.dm_channel.last_message
    assert answered is not None
    assert not answered.components


async def test_the_buttons_survive_a_restart(
    ask: Ask,
    env: simcord.Env,
    other: MemberActor,
    guild: GuildHandle,
    restart: Callable[[], Awaitable[Barkeep]],
) -> None:
    await ask()
    question = other.user.dm_channel.last_message
    assert question is not None
    bot = await restart()
    await other.user.click(question, label="Allow")
    assert await voices(bot.studio, guild) == ["Otto"]


async def test_with_closed_direct_messages_the_question_is_a_reply_that_pings_nobody(
    ask: Ask, env: simcord.Env, channel: ChannelHandle, other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    env.inject_error("POST", CLOSED_DM, status=403, code=50007)
    await ask()
    question = channel.last_message
    assert question is not None
    assert question.reference is not None
    await other.click(question, label="Allow")
    assert await voices(studio, guild) == ["Otto"]


async def test_only_the_author_may_answer(
    ask: Ask,
    env: simcord.Env,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    studio: Studio,
    guild: GuildHandle,
) -> None:
    env.inject_error("POST", CLOSED_DM, status=403, code=50007)
    await ask()
    question = channel.last_message
    assert question is not None
    for somebody in (member, moderator):
        for label in ("Allow", "Deny"):
            pressed = await somebody.click(question, label=label)
            assert all(told.ephemeral for told in pressed.followups)
            assert len(pressed.followups) == 1
    assert await voices(studio, guild) == []
    still = channel.last_message
    assert still is not None
    assert still.components


async def test_an_author_who_cannot_be_reached_is_a_refusal_that_keeps_nothing(
    ask: Ask, env: simcord.Env, world: World, studio: Studio, guild: GuildHandle, other: MemberActor
) -> None:
    env.inject_error("POST", CLOSED_DM, status=403, code=50007)
    env.inject_error("POST", "/channels/*/messages", status=403, code=50013)
    assert "could not reach" in refusal(await ask())
    assert await voices(studio, guild) == []
    assert list((world.data_dir / "uploads").iterdir()) == []
    await ask()
    assert other.user.dm_channel.last_message is not None


async def test_the_question_expires(
    ask: Ask, world: World, other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    await ask()
    question = other.user.dm_channel.last_message
    assert question is not None
    world.later((ANSWER_WITHIN + timedelta(minutes=1)).total_seconds())
    pressed = await other.user.click(question, label="Allow")
    assert len(pressed.followups) == 1
    assert await voices(studio, guild) == []


async def test_an_answer_counts_once(
    ask: Ask, env: simcord.Env, channel: ChannelHandle, other: MemberActor, studio: Studio, guild: GuildHandle
) -> None:
    await ask()
    question = other.user.dm_channel.last_message
    assert question is not None
    # The press reaches us, but Discord does not take the new text, so that the buttons stay.
    env.inject_error("PATCH", "/webhooks/*/messages/@original", status=404, code=10008)
    await other.user.click(question, label="Allow")
    await other.user.click(question, label="Deny")
    shown = other.user.dm_channel.last_message
    assert shown is not None
    assert shown.content.startswith("✅ You allowed it")
    assert await voices(studio, guild) == ["Otto"]


async def test_a_blocked_author_is_not_asked(
    ask: Ask, studio: Studio, guild: GuildHandle, other: MemberActor, moderator: MemberActor
) -> None:
    await studio.storage.members.block(guild.id, other.id, moderator.id, "")
    assert refusal(await ask())
    assert other.user.dm_channel.last_message is None
