"""Moderators' commands and buttons are for moderators, and for their own server."""

from collections.abc import Awaitable, Callable

import discord
import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from storage.records import JobState
from studio.studio import Studio
from tests.cogs.library import actor_in, add_voice, names, say, second_server, shown, text_of
from tests.fakes import FakeExecutor
from tests.storage.build import stored_job

Restart = Callable[[], Awaitable[Barkeep]]


COMMANDS: list[tuple[str, dict[str, object]]] = [
    ("settings", {}),
    ("default", {}),
    ("voices", {}),
    ("block", {}),
    ("unblock", {}),
    ("queue", {}),
    ("audit", {}),
    ("stats", {}),
    ("purge", {"older_than_days": 0}),
]


async def test_members_do_not_see_the_commands(channel: ChannelHandle, member: MemberActor) -> None:
    assert not [name for name in member.available_commands(channel) if name.startswith("admin")]


async def test_every_command_is_checked_here_whatever_the_server_allows(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor, other: MemberActor, guild: GuildHandle
) -> None:
    command = env.backend.find_command("admin", guild.id, type=1)
    assert command is not None
    guild.set_command_permissions(int(command["id"]), {guild.default_role: True})
    listed = {name.removeprefix("admin ") for name in member.available_commands(channel) if name.startswith("admin")}
    assert listed == {name for name, _ in COMMANDS}
    for name, options in COMMANDS:
        given = {"member": other} if name == "block" else options
        refused = shown(await member.slash(channel, f"admin {name}", **given))
        assert refused.ephemeral
        assert "Manage Server" in refused.content, name


async def test_administrators_are_moderators(env: simcord.Env, channel: ChannelHandle, guild: GuildHandle) -> None:
    role = guild.create_role("Owners", permissions=discord.Permissions(administrator=True))
    owner = guild.add_member(env.create_user("olga"), roles=[role])
    assert "Settings" in text_of(shown(await owner.slash(channel, "admin settings")))


async def test_every_button_and_menu_is_checked_again(
    env: simcord.Env,
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    other: MemberActor,
    guild: GuildHandle,
    executor: FakeExecutor,
) -> None:
    role = guild.create_role("Temps", permissions=discord.Permissions(manage_guild=True))
    temp = guild.add_member(env.create_user("tia"), roles=[role])
    record = await add_voice(studio, channel, member, "Ada")
    executor.hold()
    job = await say(studio, channel, member, "Hello.")
    await temp.slash(channel, "admin block", member=other)
    panel = shown(await temp.slash(channel, "admin settings"))
    voices = shown(await temp.slash(channel, "admin voices"))
    queue = shown(await temp.slash(channel, "admin queue"))
    blocked = shown(await temp.slash(channel, "admin unblock"))
    purge = shown(await temp.slash(channel, "admin purge", member=member))
    remove = shown(await temp.select(voices, [f"v:{record.id}"]))
    env.backend.remove_member_role(guild.id, temp.id, role.id)
    await env.settle()
    presses = {
        "roles": temp.select(panel, [role], custom_id="settings:clone_role_ids"),
        "channels": temp.select(panel, [channel], custom_id="settings:channel_ids"),
        "form": temp.click(panel, label="Texts…"),
        "defaults": temp.click(panel, label="Back to defaults…"),
        "menu": temp.select(voices, [f"v:{record.id}"]),
        "removal": temp.click(remove, label="Remove it"),
        "cancel": temp.click(queue, label="Cancel 1"),
        "unblock": temp.click(blocked, label="Unblock 1"),
        "purge": temp.click(purge, label="Delete for good"),
    }
    for name, press in presses.items():
        result = await press
        refused = result.followups[0] if result.followups else shown(result)
        assert refused.ephemeral, name
        assert "moderator" in refused.content, name
        assert result.modal is None
    assert await names(studio, guild) == ["Ada"]
    assert (await stored_job(studio.storage, job.id)).state in (JobState.QUEUED, JobState.RUNNING)
    assert (await studio.storage.guilds.get(guild.id)).clone_role_ids == frozenset()
    assert (await studio.storage.members.get(guild.id, other.id)).blocked_at is not None


async def test_moderators_see_and_touch_their_own_server_only(
    env: simcord.Env,
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    guild: GuildHandle,
    executor: FakeExecutor,
) -> None:
    attic, attic_channel, ana = second_server(env)
    record = await add_voice(studio, channel, member, "Secret voice")
    await moderator.slash(channel, "admin block", member=member, reason="secret reason")
    await studio.storage.members.unblock(guild.id, member.id)
    executor.hold()
    job = await say(studio, channel, member, "Secret words.")
    await moderator.slash(channel, "admin block", member=guild.add_member(env.create_user("una")), reason="secret")
    for command in ("voices", "queue", "audit", "unblock", "stats", "settings"):
        text = text_of(shown(await ana.slash(attic_channel, f"admin {command}"))).lower()
        assert "secret" not in text, command
        assert str(member.id) not in text, command
        assert "voice.import" not in text
    assert "Nothing is queued" in text_of(shown(await ana.slash(attic_channel, "admin queue")))
    assert "Voices now: 0" in text_of(shown(await ana.slash(attic_channel, "admin stats")))
    ana_actor = actor_in(attic_channel, ana, is_moderator=True)
    for forbidden in (
        studio.admin.cancel(ana_actor, job.id),
        studio.admin.remove_voice(ana_actor, f"v:{record.id}"),
    ):
        with pytest.raises(Exception, match="here"):
            await forbidden
    question = shown(await ana.slash(attic_channel, "admin purge", member=ana))
    await ana.click(question, label="Delete for good")
    assert await names(studio, guild) == ["Secret voice"]
    assert (await studio.storage.guilds.get(attic.id)).guild_id == attic.id
