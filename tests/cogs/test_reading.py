"""/read, and the messages that are read: heard only, and of nobody who does not want it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import discord
import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from studio.admin import RANGES
from studio.channel.lines import Piece
from studio.studio import Studio
from tests.cogs.conftest import World
from tests.cogs.library import text_of
from tests.cogs.replies import answer, refusal
from tests.cogs.test_say import options_of
from tests.fake_voice import FakeVoice
from tests.fakes import FakeExecutor


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A bot that sees what members write."""
    world = World(tmp_path / "data", read_messages=True)
    await world.start()
    yield world
    await world.stop()
    assert world.pings() == []
    if unexpected := world.unexpected():
        raise BaseExceptionGroup("the bot raised", unexpected)


@pytest.fixture
async def voice(world: World, studio: Studio) -> FakeVoice:
    """What is heard in voice channels."""
    voice = FakeVoice(world.wait)
    studio.channels.attend(voice, Piece(Path("notice.ogg")))
    return voice


@pytest.fixture
async def lounge(guild: GuildHandle, member: MemberActor, other: MemberActor, moderator: MemberActor) -> ChannelHandle:
    """A voice channel in which all sit."""
    lounge = guild.create_voice_channel("lounge")
    for one in (member, other, moderator):
        await one.join_voice(lounge)
    return lounge


def posted(env: simcord.Env) -> list[object]:
    """The messages that the bot sent to channels, answers to commands aside."""
    return [entry.json for entry in env.http_requests if entry.method == "POST" and entry.path.endswith("/messages")]


async def test_what_members_write_is_heard_and_nothing_is_posted(
    env: simcord.Env, lounge: ChannelHandle, member: MemberActor, other: MemberActor, voice: FakeVoice, studio: Studio
) -> None:
    started = answer(await member.slash(lounge, "read start"))
    assert f"<#{lounge.id}> is read aloud" in started.content
    await member.send(lounge, f"Hello <@{other.id}>, *look* https://a.b ||secret||")
    await other.send(lounge, "", attachments=[("a.png", b"1")])
    assert voice.said == ["Hello otto, look link spoiler", "attachment"]
    assert posted(env) == []
    assert await studio.storage.jobs.unanswered() == []


async def test_what_is_not_of_a_member_is_not_read(
    env: simcord.Env,
    guild: GuildHandle,
    lounge: ChannelHandle,
    channel: ChannelHandle,
    member: MemberActor,
    voice: FakeVoice,
    executor: FakeExecutor,
) -> None:
    await member.slash(lounge, "read start")
    robot = guild.add_member(env.create_user("robot", bot=True))
    await robot.send(lounge, "I am a bot.")
    await member.send(channel, "In another channel.")
    await member.forward(await member.send(channel, "Pass it on."), lounge)
    await member.slash(lounge, "say", text="Asked for.", private=True)
    assert voice.said == []
    assert [request.text for request in executor.requests] == ["Asked for."]  # type: ignore[union-attr]  # all speech


async def test_a_mention_of_the_bot_is_no_command(
    lounge: ChannelHandle, member: MemberActor, voice: FakeVoice, bot: Barkeep, caplog: pytest.LogCaptureFixture
) -> None:
    assert bot.user is not None
    await member.slash(lounge, "read start")
    await member.send(lounge, f"<@{bot.user.id}> help")
    assert [line.split()[-1] for line in voice.said] == ["help"]
    assert "CommandNotFound" not in caplog.text


async def test_a_member_who_opts_out_is_not_read(
    lounge: ChannelHandle, member: MemberActor, other: MemberActor, voice: FakeVoice
) -> None:
    await member.slash(lounge, "read start")
    chosen = await other.slash(lounge, "read me", read=False)
    assert chosen.ephemeral
    assert "is not read aloud any more" in answer(chosen).content
    await other.send(lounge, "Not this.")
    await member.send(lounge, "But this.")
    await other.slash(lounge, "read me", read=True)
    await other.send(lounge, "And this.")
    assert voice.said == ["But this.", "And this."]


async def test_moderators_decide_who_is_ignored(
    env: simcord.Env,
    guild: GuildHandle,
    lounge: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    moderator: MemberActor,
    voice: FakeVoice,
) -> None:
    role = guild.create_role("Quiet")
    quiet = guild.add_member(env.create_user("quentin"), roles=[role])
    await member.slash(lounge, "read start")
    assert "Manage Server" in refusal(await member.slash(lounge, "read ignore", who=other))
    await moderator.slash(lounge, "read ignore", who=other)
    await moderator.slash(lounge, "read ignore", who=role)
    await other.send(lounge, "Not this.")
    await quiet.send(lounge, "Nor this.")
    shown = text_of(answer(await member.slash(lounge, "read rules")))
    assert f"Roles that are not read: <@&{role.id}>" in shown
    assert f"Members who are not read: <@{other.id}>" in shown
    assert f"written in <#{lounge.id}>" in shown
    await moderator.slash(lounge, "read ignore", who=other, ignored=False)
    await other.send(lounge, "But this.")
    assert voice.said == ["But this."]


async def test_moderators_change_the_rules(
    lounge: ChannelHandle, member: MemberActor, moderator: MemberActor, voice: FakeVoice
) -> None:
    await member.slash(lounge, "read start")
    assert "moderators" in refusal(await member.slash(lounge, "read rules", names=True))
    changed = await moderator.slash(lounge, "read rules", names=True, length=20, per_minute=2)
    text = text_of(answer(changed))
    assert "Of a message: 20 characters" in text
    assert "Of each member: 2 messages a minute" in text
    for _ in range(3):
        await member.send(lounge, "one two three four five six")
    assert voice.said == ["mira said: one two three four and so on", "one two three four and so on"]


async def test_a_deleted_message_is_not_said(
    world: World,
    lounge: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    voice: FakeVoice,
    executor: FakeExecutor,
) -> None:
    await member.slash(lounge, "read start")
    release = executor.hold()
    await member.send(lounge, "One.")
    deleted = await other.send(lounge, "Two.")
    await other.delete(deleted)
    release()
    await world.env.settle()
    assert voice.said == ["One."]


async def test_a_used_up_limit_is_told_where_the_member_writes(
    env: simcord.Env, lounge: ChannelHandle, member: MemberActor, voice: FakeVoice, studio: Studio, guild: GuildHandle
) -> None:
    await member.slash(lounge, "read start")
    await studio.storage.guilds.change(guild.id, seconds_per_day_per_member=1)
    for text in ("One.", "Two.", "Three."):
        await member.send(lounge, text)
    assert voice.said == ["One."]
    (told,) = posted(env)
    assert "your messages are not read for now" in str(told)


async def test_a_network_that_fails_while_a_limit_is_told_is_no_error(
    bot: Barkeep,
    lounge: ChannelHandle,
    member: MemberActor,
    voice: FakeVoice,
    studio: Studio,
    guild: GuildHandle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise aiohttp.ClientConnectionError

    await member.slash(lounge, "read start")
    await studio.storage.guilds.change(guild.id, seconds_per_day_per_member=1)
    with monkeypatch.context() as patch:
        patch.setattr(discord.VoiceChannel, "send", away)
        for text in ("One.", "Two."):
            await member.send(lounge, text)
    assert voice.said == ["One."]


async def test_only_moderators_have_another_channel_read(
    guild: GuildHandle,
    bot: Barkeep,
    lounge: ChannelHandle,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    voice: FakeVoice,
) -> None:
    assert "Only moderators" in refusal(await member.slash(lounge, "read start", channel=channel))
    assert bot.user is not None
    hidden = guild.create_text_channel("hidden", overwrites={bot.user: discord.PermissionOverwrite(view_channel=False)})
    assert "cannot see" in refusal(await moderator.slash(lounge, "read start", channel=hidden))
    await moderator.slash(lounge, "read start", channel=channel)
    await member.send(channel, "In the bar.")
    stopped = await moderator.slash(lounge, "read stop")
    assert f"no longer read <#{channel.id}>" in answer(stopped).content
    await member.send(channel, "After it.")
    assert voice.said == ["In the bar."]


async def test_without_a_voice_channel_nothing_is_read(
    channel: ChannelHandle, member: MemberActor, voice: FakeVoice
) -> None:
    assert "Join a voice channel" in refusal(await member.slash(channel, "read start"))
    assert "not reading" in refusal(await member.slash(channel, "read stop"))


async def test_the_options_have_the_studios_ranges(bot: Barkeep) -> None:
    rules = options_of(bot, "read")["rules"]
    ranges = {option["name"]: (option["min_value"], option["max_value"]) for option in rules["options"][:2]}
    assert ranges == {"length": RANGES["read_length"], "per_minute": RANGES["read_per_minute"]}


class TestWithoutTheRight:
    """A bot that does not see what members write."""

    @pytest.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[World]:
        world = World(tmp_path / "data")
        await world.start()
        yield world
        await world.stop()

    async def test_nothing_can_be_read(
        self, lounge: ChannelHandle, member: MemberActor, voice: FakeVoice, bot: Barkeep
    ) -> None:
        assert not bot.intents.message_content
        assert "READ_MESSAGES=true" in refusal(await member.slash(lounge, "read start"))
        assert "READ_MESSAGES=true" in text_of(answer(await member.slash(lounge, "read rules")))
        await member.send(lounge, "Hello.")
        assert voice.said == []
