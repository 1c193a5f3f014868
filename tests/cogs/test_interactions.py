"""Who asks: rights of this moment, servers only, moderators again on this side."""

from typing import Any
from unittest.mock import create_autospec

import discord
import pytest
from discord import app_commands
from discord.ext import commands
from discord.state import ConnectionState

from cogs.interactions import (
    TOKEN_LIFE,
    actor_of,
    existing_in,
    moderators,
    origin_of,
    require_attachments,
    require_moderator,
    upload_limit,
)
from errors import NotAllowed
from storage.records import GuildSettings, MemberRecord
from studio.rights import may_speak

MEMBER_ID = 7


def interaction(**changes: Any) -> Any:
    """An interaction of a member with two roles in a server, unless changed."""
    made = create_autospec(discord.Interaction, instance=True)
    made.id = 1
    made.token = "a.b"  # noqa: S105  # no secret: the token of a made-up interaction
    made.guild_id = 10
    made.channel_id = 20
    made.channel = create_autospec(discord.TextChannel, instance=True)
    made.created_at = discord.utils.snowflake_time(1 << 40)
    made.user = create_autospec(discord.Member, instance=True)
    made.user.id = MEMBER_ID
    made.user._roles = [11, 12]
    made.user.guild = create_autospec(discord.Guild, instance=True)
    made.user.guild.id = 10
    made.permissions = discord.Permissions.none()
    made.app_permissions = discord.Permissions.all()
    made.filesize_limit = 100
    made.guild = create_autospec(discord.Guild, instance=True)
    made.guild.filesize_limit = 50
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_member_is_known_with_roles_and_rights() -> None:
    actor = actor_of(interaction())
    assert (actor.guild_id, actor.channel_id, actor.member_id) == (10, 20, MEMBER_ID)
    assert actor.role_ids == {10, 11, 12}
    assert not actor.is_moderator


def test_of_a_server_that_only_an_interaction_told_of_it_is_unknown_what_exists() -> None:
    """Discord sends its id, its features and its language, and no role: not even that of everybody."""
    told: Any = {"id": "10", "features": [], "locale": "en-GB"}
    state = create_autospec(ConnectionState, instance=True)
    state.member_cache_flags = discord.MemberCacheFlags.none()
    guild = discord.Guild(data=told, state=state)
    assert not guild.unavailable
    assert existing_in(guild) is None
    everybody: Any = {"id": "10", "name": "@everyone"}
    guild._add_role(discord.Role(guild=guild, state=state, data=everybody))
    assert existing_in(guild) == frozenset({10})


def test_rules_for_a_channel_count_in_its_threads() -> None:
    thread = create_autospec(discord.Thread, instance=True)
    thread.parent_id = 30
    settings, member = GuildSettings(10, channel_ids=frozenset({30})), MemberRecord(10, MEMBER_ID)
    may_speak(actor_of(interaction(channel=thread)), settings, member)
    with pytest.raises(NotAllowed, match="channel"):
        may_speak(actor_of(interaction()), settings, member)


@pytest.mark.parametrize("right", ["manage_guild", "administrator"])
def test_manage_server_makes_a_moderator(right: str) -> None:
    assert actor_of(interaction(permissions=discord.Permissions(**{right: True}))).is_moderator


@pytest.mark.parametrize("right", ["manage_messages", "ban_members", "kick_members"])
def test_other_rights_do_not(right: str) -> None:
    assert not actor_of(interaction(permissions=discord.Permissions(**{right: True}))).is_moderator


def test_outside_of_servers_there_is_no_actor() -> None:
    outside = create_autospec(discord.User, instance=True)
    for asked in (interaction(guild_id=None), interaction(user=outside), interaction(channel_id=None)):
        with pytest.raises(NotAllowed, match="server"):
            actor_of(asked)


def test_the_origin_is_good_for_a_minute_less_than_discord_says() -> None:
    asked = interaction()
    assert origin_of(asked).expires_at - asked.created_at == TOKEN_LIFE
    assert TOKEN_LIFE.total_seconds() == 14 * 60


def test_the_smaller_upload_limit_counts() -> None:
    assert upload_limit(interaction()) == 50
    assert upload_limit(interaction(filesize_limit=30)) == 30
    assert upload_limit(interaction(guild=None)) == 100


def test_leave_to_attach_is_needed() -> None:
    require_attachments(interaction())
    with pytest.raises(NotAllowed, match="attach"):
        require_attachments(interaction(app_permissions=discord.Permissions(attach_files=False)))


async def test_moderators_pass() -> None:
    assert await require_moderator(interaction(permissions=discord.Permissions(manage_guild=True)))
    with pytest.raises(NotAllowed, match="Manage Server"):
        await require_moderator(interaction())


async def test_the_decorator_covers_commands_groups_and_cogs() -> None:
    @moderators()
    @app_commands.command(name="one")
    async def one(_: discord.Interaction) -> None:
        """A command."""

    group = moderators()(app_commands.Group(name="group", description="A group"))

    @moderators()
    class Cog(commands.GroupCog, name="cog"):
        """A cog."""

    targets: tuple[Any, ...] = (one, group)
    for target in targets:
        assert target.guild_only
        assert target.default_permissions == discord.Permissions(manage_guild=True)
    with pytest.raises(NotAllowed):
        await one._check_can_run(interaction())
    with pytest.raises(NotAllowed):
        await group.interaction_check(interaction())
    cog: Any = Cog()
    assert cog.app_command is not None
    assert cog.app_command.default_permissions == discord.Permissions(manage_guild=True)
    with pytest.raises(NotAllowed):
        await cog.interaction_check(interaction())
    assert await cog.interaction_check(interaction(permissions=discord.Permissions(manage_guild=True)))
