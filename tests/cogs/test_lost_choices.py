"""The only chosen role or channel was deleted: members are told what is so, and moderators once."""

from collections.abc import Awaitable, Callable

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle, UserHandle
from simcord.components import walk_components

from cogs.client import Barkeep
from cogs.lost_choices import tell_of_lost_choices
from studio.studio import Studio
from tests.cogs.library import shown, text_of
from tests.cogs.replies import answer, refusal

Restart = Callable[[], Awaitable[Barkeep]]


@pytest.fixture
async def owner(env: simcord.Env) -> UserHandle:
    """Who owns the server."""
    return env.create_user("olga")


@pytest.fixture
async def guild(env: simcord.Env, owner: UserHandle) -> GuildHandle:
    """A server whose owner is known."""
    return env.create_guild("The Snug", owner=owner)


def told(owner: UserHandle) -> list[str]:
    """What the owner was told directly."""
    return [message.content for message in owner.dm_channel.history()]


async def test_a_deleted_role_and_a_deleted_channel(
    env: simcord.Env,
    studio: Studio,
    guild: GuildHandle,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    owner: UserHandle,
    recording: tuple[str, bytes],
) -> None:
    bards, cloners = guild.create_role("Bards"), guild.create_role("Cloners")
    stage = guild.create_text_channel("stage")
    await studio.storage.guilds.change(
        guild.id, clone_role_ids=frozenset({cloners.id}), speak_role_ids=frozenset({bards.id, cloners.id})
    )
    env.backend.delete_role(guild.id, bards.id)
    await env.settle()
    assert told(owner) == []  # one of two: nobody is shut out
    env.backend.delete_role(guild.id, cloners.id)
    await env.settle()
    assert "may clone voices" in told(owner)[-1]
    assert "were deleted" in refusal(await member.slash(channel, "say", text="Hello."))
    form = await member.slash(channel, "clone", name="Mira", audio=recording)
    assert "were deleted" in refusal(await member.submit_modal(form, {"consent": True}))
    panel = shown(await moderator.slash(channel, "admin settings"))
    assert "Who may speak: ⚠️ 2 roles deleted" in text_of(panel)
    assert "choose again below" in text_of(panel)
    assert not any(menu.get("default_values") for menu in walk_components(panel.components))
    fresh = guild.create_role("Fresh")
    panel = shown(await moderator.select(panel, [fresh], custom_id="settings:speak_role_ids"))
    assert f"Who may speak: <@&{fresh.id}>" in text_of(panel)
    await studio.storage.guilds.change(guild.id, speak_role_ids=frozenset(), channel_ids=frozenset({stage.id}))
    env.backend.delete_channel(stage.id)
    await env.settle()
    assert "the channels for voices" in told(owner)[-1]
    assert "any channel right now" in refusal(await member.slash(channel, "say", text="Hello."))
    assert answer(await moderator.slash(channel, "say", text="Hello.")).attachments


async def test_moderators_are_told_once_also_of_what_happened_while_the_bot_was_away(
    env: simcord.Env, bot: Barkeep, studio: Studio, guild: GuildHandle, owner: UserHandle, restart: Restart
) -> None:
    role = guild.create_role("Bards")
    env.backend.delete_role(guild.id, role.id)
    await env.settle()
    await studio.storage.guilds.change(guild.id, speak_role_ids=frozenset({role.id}))
    await restart()
    await env.settle()
    assert len(told(owner)) == 1
    bot = await restart()
    await env.settle()
    assert len(told(owner)) == 1
    other = guild.create_role("Others")
    await bot.studio.storage.guilds.change(guild.id, speak_role_ids=frozenset({other.id}))
    env.backend.delete_role(guild.id, other.id)
    await env.settle()
    assert len(told(owner)) == 2


async def test_where_nobody_can_be_told_the_next_start_tries_again(
    env: simcord.Env, bot: Barkeep, studio: Studio, guild: GuildHandle, owner: UserHandle
) -> None:
    role = guild.create_role("Bards")
    await studio.storage.guilds.change(guild.id, speak_role_ids=frozenset({role.id}))
    env.inject_error("POST", "/channels/*/messages", status=403, times=1)
    env.backend.delete_role(guild.id, role.id)
    await env.settle()
    assert told(owner) == []
    await tell_of_lost_choices(bot, bot.get_guild(guild.id))
    assert len(told(owner)) == 1


async def test_the_channel_where_discord_informs_moderators_comes_first(
    env: simcord.Env, studio: Studio, guild: GuildHandle, owner: UserHandle
) -> None:
    staff, role = guild.create_text_channel("staff"), guild.create_role("Bards")
    env.backend.edit_guild(guild.id, {"public_updates_channel_id": staff.id})
    await studio.storage.guilds.change(guild.id, speak_role_ids=frozenset({role.id}))
    env.backend.delete_role(guild.id, role.id)
    await env.settle()
    assert staff.last_message is not None
    assert "may speak with voices" in staff.last_message.content
    assert told(owner) == []
