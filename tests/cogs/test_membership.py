"""Roles and rights as Discord says them now, not as a cache remembers them."""

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from cogs.membership import actor_there, has_left
from errors import Unavailable
from storage.records import Visibility
from storage.shards import Shards
from studio.studio import Studio
from tests.cogs.library import actor_in, add_voice
from tests.cogs.replies import answer, refusal

MEMBER = "/guilds/*/members/*"


async def test_a_role_counts_while_the_server_is_not_cached(
    env: simcord.Env, bot: Barkeep, studio: Studio, guild: GuildHandle, channel: ChannelHandle
) -> None:
    role = guild.create_role("Bards")
    bard = guild.add_member(env.create_user("bard"), roles=[role])
    await studio.storage.guilds.change(guild.id, speak_role_ids=frozenset({role.id}))
    known = bot._connection._guilds.pop(guild.id)
    try:
        shown = await bard.slash(channel, "say", text="Hello.")
    finally:
        bot._connection._guilds[guild.id] = known
    assert answer(shown).attachments


async def test_everybody_s_role_counts_too(
    studio: Studio, guild: GuildHandle, channel: ChannelHandle, member: MemberActor
) -> None:
    await studio.storage.guilds.change(guild.id, speak_role_ids=frozenset({guild.id}))
    assert answer(await member.slash(channel, "say", text="Hello.")).attachments


async def test_a_member_is_known_with_todays_roles_and_rights(
    env: simcord.Env, bot: Barkeep, guild: GuildHandle, channel: ChannelHandle, moderator: MemberActor
) -> None:
    role = guild.create_role("Bards")
    bard = guild.add_member(env.create_user("bard"), roles=[role])
    actor = await actor_there(bot, guild.id, channel.id, bard.id)
    assert actor is not None
    assert (actor.guild_id, actor.channel_id, actor.member_id) == (guild.id, channel.id, bard.id)
    assert actor.role_ids == {role.id, guild.id}
    assert actor.existing_ids is not None
    assert {role.id, channel.id} <= actor.existing_ids
    assert actor.voice_channel_id is None
    assert not actor.is_moderator
    ruler = await actor_there(bot, guild.id, channel.id, moderator.id)
    assert ruler is not None
    assert ruler.is_moderator


async def test_a_member_is_known_with_their_voice_channel(
    bot: Barkeep, guild: GuildHandle, channel: ChannelHandle, member: MemberActor
) -> None:
    lounge = guild.create_voice_channel("lounge")
    await member.join_voice(lounge)
    actor = await actor_there(bot, guild.id, channel.id, member.id)
    assert actor is not None
    assert actor.voice_channel_id == lounge.id


async def test_what_exists_is_unknown_while_the_server_is_not_cached(
    env: simcord.Env, bot: Barkeep, studio: Studio, guild: GuildHandle, channel: ChannelHandle
) -> None:
    """A chosen channel is then not taken for a deleted one."""
    await studio.storage.guilds.change(guild.id, channel_ids=frozenset({1}))
    member = guild.add_member(env.create_user("bard"))
    known = bot._connection._guilds.pop(guild.id)
    try:
        shown = await member.slash(channel, "say", text="Hello.")
    finally:
        bot._connection._guilds[guild.id] = known
    assert "Try one of the channels" in refusal(shown)
    assert "were deleted" in refusal(await member.slash(channel, "say", text="Hello."))


async def test_who_left_is_known_and_may_come_back(
    bot: Barkeep, studio: Studio, guild: GuildHandle, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    record = await add_voice(studio, channel, other, "Otto", visibility=Visibility.EVERYONE)
    assert answer(await member.slash(channel, "say", text="Hello.", voice="Otto")).attachments
    guild.remove_member(other.user)
    assert await has_left(bot, guild.id, other.id)
    assert await actor_there(bot, guild.id, channel.id, other.id) is None
    assert "is not on this server" in refusal(await member.slash(channel, "say", text="Hello.", voice="Otto"))
    await studio.library.delete(actor_in(channel, member, is_moderator=True), f"v:{record.id}")


@pytest.mark.parametrize("status", [500, 403])
async def test_where_discord_does_not_say_nobody_has_left_and_a_deed_waits(
    env: simcord.Env, bot: Barkeep, guild: GuildHandle, channel: ChannelHandle, other: MemberActor, status: int
) -> None:
    env.inject_error("GET", MEMBER, status=status, times=None)
    assert await has_left(bot, guild.id, other.id) is None
    with pytest.raises(Unavailable, match="try again"):
        await actor_there(bot, guild.id, channel.id, other.id)
    assert await has_left(bot, 1, other.id) is None
    with pytest.raises(Unavailable):
        await actor_there(bot, 1, channel.id, other.id)


async def test_a_member_of_another_process_s_server_is_asked_for_at_discord(
    env: simcord.Env,
    bot: Barkeep,
    studio: Studio,
    guild: GuildHandle,
    channel: ChannelHandle,
    moderator: MemberActor,
    other: MemberActor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer to a direct message, which only the process of shard 0 gets."""
    theirs = Shards((1 - (guild.id >> 22) % 2,), 2)
    monkeypatch.setattr(studio.storage, "shards", theirs)
    monkeypatch.delitem(bot._connection._guilds, guild.id)
    ruler = await actor_there(bot, guild.id, channel.id, moderator.id)
    assert ruler is not None
    assert (ruler.guild_id, ruler.is_moderator) == (guild.id, True)
    assert ruler.existing_ids is None, "a channel that is not known is not taken for a deleted one"
    assert await has_left(bot, guild.id, other.id) is False
    guild.remove_member(other.user)
    assert await has_left(bot, guild.id, other.id)
    assert await actor_there(bot, guild.id, channel.id, other.id) is None
    env.inject_error("GET", "/guilds/*", status=500, times=None)
    with pytest.raises(Unavailable, match="try again"):
        await actor_there(bot, guild.id, channel.id, moderator.id)
