"""Names for what a text mentions: from the server only, a few look-ups at most, and errors of Discord do no harm."""

from typing import Any
from unittest.mock import create_autospec

import aiohttp
import discord
import pytest

from cogs.interactions import names_in
from tests.cogs.ui.test_errors import http_error


def guild(members: dict[int, str] | None = None) -> Any:
    """A server whose members are all unknown to the cache."""
    made = create_autospec(discord.Guild, instance=True)
    role = create_autospec(discord.Role, instance=True)
    role.id, role.name = 11, "Barflies"
    room = create_autospec(discord.TextChannel, instance=True)
    room.id, room.name = 12, "voices"
    hidden = create_autospec(discord.TextChannel, instance=True)
    hidden.id, hidden.name = 13, "plans"
    room.permissions_for.return_value = discord.Permissions(view_channel=True)
    hidden.permissions_for.return_value = discord.Permissions.none()
    private = create_autospec(discord.Thread, instance=True)
    private.id, private.name = 14, "a surprise for Mira"
    private.is_private.return_value = True
    private.permissions_for.return_value = discord.Permissions(view_channel=True)
    made.roles, made.channels, made.threads = [role], [room, hidden], [private]
    made.get_member.return_value = None

    async def fetch(member_id: int) -> Any:
        if member_id not in (members or {}):
            raise http_error(404, 10007)
        found = create_autospec(discord.Member, instance=True)
        found.display_name = (members or {})[member_id]
        return found

    made.fetch_member.side_effect = fetch
    return made


def speaker_in(server: Any) -> Any:
    """A member who speaks there."""
    made = create_autospec(discord.Member, instance=True)
    made.guild = server
    return made


async def test_members_roles_and_channels_are_named() -> None:
    names = await names_in("<@1> <@!2> <@&11> <#12>", speaker_in(guild({1: "Mira", 2: "Otto"})))
    assert names == {"1": "Mira", "2": "Otto", "11": "Barflies", "12": "voices"}


async def test_what_is_not_mentioned_is_not_looked_up() -> None:
    server = guild({1: "Mira"})
    assert await names_in("hello", speaker_in(server)) == {}
    server.fetch_member.assert_not_called()


async def test_unknown_members_stay_unnamed() -> None:
    assert await names_in("<@5>", speaker_in(guild())) == {}


@pytest.mark.parametrize("error", [http_error(500), aiohttp.ClientConnectionError(), TimeoutError(), OSError()])
async def test_members_stay_unnamed_while_discord_does_not_answer(error: Exception) -> None:
    server = guild()
    server.fetch_member.side_effect = error
    assert await names_in("<@5> <@&11>", speaker_in(server)) == {"11": "Barflies"}


async def test_a_text_full_of_mentions_costs_few_look_ups() -> None:
    server = guild()
    await names_in(" ".join(f"<@{number}>" for number in range(100)), speaker_in(server))
    assert server.fetch_member.call_count == 5


async def test_who_is_known_already_is_not_asked_for() -> None:
    known = create_autospec(discord.Member, instance=True)
    known.id, known.display_name = 1, "Mira"
    server = guild()
    assert await names_in("<@1>", speaker_in(server), [known]) == {"1": "Mira"}
    server.fetch_member.assert_not_called()


async def test_what_the_speaker_may_not_see_stays_unnamed() -> None:
    assert await names_in("<#12> <#13> <#14>", speaker_in(guild())) == {"12": "voices"}
