"""/voices share: who may use a voice, at once or by menus that outlive a restart."""

from collections.abc import Awaitable, Callable

import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from storage.records import Visibility as Sharing
from studio.studio import Studio
from tests.cogs.library import add_voice, followed, shown, text_of

Restart = Callable[[], Awaitable[Barkeep]]


async def test_sharing_with_everyone_and_taking_it_back(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    await add_voice(studio, channel, member, "Ada")
    opened = shown(await member.slash(channel, "voices share", voice="Ada", audience="everyone"))
    assert opened.ephemeral
    assert opened.content == "Everyone on this server can now use **Ada**."
    assert "Ada" in text_of(shown(await other.slash(channel, "voices list")))
    closed = shown(await member.slash(channel, "voices share", voice="Ada", audience="owner"))
    assert closed.content == "Only its owner can now use **Ada**."
    assert "Ada" not in text_of(shown(await other.slash(channel, "voices list")))


async def test_sharing_with_chosen_members_and_roles(
    env: simcord.Env,
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    guild: GuildHandle,
    restart: Restart,
) -> None:
    singers = guild.create_role("Singers")
    singer = guild.add_member(env.create_user("sam"), roles=[singers])
    record = await add_voice(studio, channel, member, "Ada")
    panel = shown(await member.slash(channel, "voices share", voice="Ada", audience="chosen"))
    assert panel.ephemeral
    assert "Only the owner" in text_of(panel)
    panel = shown(await member.select(panel, [other], custom_id=f"share-members:{record.id}"))
    assert f"The owner, <@{other.id}>" in text_of(panel)
    bot = await restart()
    panel = shown(await member.select(panel, [singers], custom_id=f"share-roles:{record.id}"))
    assert f"The owner, <@&{singers.id}>, <@{other.id}>" in text_of(panel)
    assert f"'id': '{other.id}'" in str(panel.components).replace(f"{other.id},", f"'{other.id}',")
    shared = await bot.studio.storage.voices.get(record.guild_id, record.id)
    assert shared.visibility is Sharing.CHOSEN
    assert (set(shared.member_ids), set(shared.role_ids)) == ({other.id}, {singers.id})
    for allowed in (other, singer):
        assert "Ada" in text_of(shown(await allowed.slash(channel, "voices list")))
    panel = shown(await member.select(panel, [], custom_id=f"share-members:{record.id}"))
    assert "Ada" not in text_of(shown(await other.slash(channel, "voices list")))


async def test_choosing_nobody_at_all_changes_nothing(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    record = await add_voice(studio, channel, member, "Ada")
    panel = shown(await member.slash(channel, "voices share", voice="Ada", audience="chosen"))
    panel = shown(await member.select(panel, [other], custom_id=f"share-members:{record.id}"))
    refused = followed(await member.select(panel, [], custom_id=f"share-members:{record.id}"))
    assert refused.ephemeral
    assert "at least one" in refused.content
    shared = await studio.storage.voices.get(record.guild_id, record.id)
    assert shared.member_ids == {other.id}


async def test_the_menus_of_a_deleted_voice_do_nothing(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    record = await add_voice(studio, channel, member, "Ada")
    panel = shown(await member.slash(channel, "voices share", voice="Ada", audience="chosen"))
    await studio.storage.voices.delete(record.guild_id, record.id)
    refused = followed(await member.select(panel, [other], custom_id=f"share-members:{record.id}"))
    assert "voice" in refused.content
