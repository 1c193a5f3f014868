"""/privacy in direct messages: all servers, also those that the member has left."""

import io
import json
import zipfile
from collections.abc import Awaitable, Callable

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from studio.studio import Studio
from tests.cogs.library import add_voice, labels_of, names, second_server, shown, text_of

Restart = Callable[[], Awaitable[Barkeep]]


@pytest.fixture
async def attic(env: simcord.Env, studio: Studio, channel: ChannelHandle, member: MemberActor) -> GuildHandle:
    """Another server. `member` has the voice "Here" on the first and "There" on this one, which they left."""
    guild, attic_channel, _ = second_server(env)
    await add_voice(studio, channel, member, "Here")
    await add_voice(studio, attic_channel, guild.add_member(member.user), "There")
    guild.remove_member(member.user)
    return guild


async def test_all_servers_are_shown_by_name(attic: GuildHandle, member: MemberActor, other: MemberActor) -> None:
    overview = shown(await member.user.slash("privacy show"))
    assert overview.ephemeral
    for words in ("The Snug", "Here", "The Attic", "There"):
        assert words in text_of(overview)
    assert "Nothing" in text_of(shown(await other.user.slash("privacy show")))


async def test_one_server_is_chosen_from_a_list_of_ones_own(
    attic: GuildHandle, member: MemberActor, other: MemberActor
) -> None:
    assert [choice["name"] for choice in await member.user.autocomplete("privacy show", "server", "")] == [
        "The Attic",
        "The Snug",
    ]
    assert [choice["value"] for choice in await member.user.autocomplete("privacy show", "server", "ATT")] == [
        str(attic.id)
    ]
    assert await other.user.autocomplete("privacy show", "server", "") == []
    card = shown(await member.user.slash("privacy show", server=str(attic.id)))
    assert "on The Attic" in text_of(card)
    assert "There" in text_of(card)
    assert "Here" not in text_of(card)


async def test_another_servers_data_are_shown_on_a_server_if_they_are_ones_own(
    attic: GuildHandle, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    assert "There" in text_of(shown(await member.slash(channel, "privacy show", server=str(attic.id))))
    for server in (str(attic.id), "1", "nonsense"):
        assert "store nothing about you there" in text_of(
            shown(await other.slash(channel, "privacy show", server=server))
        )


async def test_the_export_has_a_folder_for_each_server(
    attic: GuildHandle, guild: GuildHandle, member: MemberActor, other: MemberActor
) -> None:
    out = shown(await member.user.slash("privacy export"))
    with zipfile.ZipFile(io.BytesIO(await out.attachments[0].read())) as archive:
        for server, voice in ((guild, "Here"), (attic, "There")):
            records = json.loads(archive.read(f"{server.id}/data.json"))
            assert [record["name"] for record in records["voices"]] == [voice]
        assert sum(name.endswith(".npz") for name in archive.namelist()) == 2
    assert "on any server" in shown(await other.user.slash("privacy export")).content


async def test_forgetting_is_for_all_servers_after_a_restart(
    attic: GuildHandle, guild: GuildHandle, member: MemberActor, restart: Restart
) -> None:
    question = shown(await member.user.slash("privacy forget"))
    assert "on all servers" in text_of(question)
    assert "Here, There" in text_of(question)
    bot = await restart()
    done = shown(await member.user.click(question, label="Delete everything"))
    assert done.content.startswith("Done: 2 voices and 0 jobs were deleted")
    for server in (guild, attic):
        assert await names(bot.studio, server) == []
        assert await bot.studio.storage.consents.get(server.id, member.id) is None


async def test_forgetting_one_server_leaves_the_other(
    studio: Studio, attic: GuildHandle, guild: GuildHandle, member: MemberActor
) -> None:
    question = shown(await member.user.slash("privacy forget", server=str(attic.id)))
    assert "on The Attic" in text_of(question)
    await member.user.click(question, label="Delete everything")
    assert (await names(studio, guild), await names(studio, attic)) == (["Here"], [])


async def test_consent_is_withdrawn_on_all_servers_or_on_one(
    studio: Studio, attic: GuildHandle, guild: GuildHandle, member: MemberActor
) -> None:
    card = shown(await member.user.slash("privacy show", server=str(attic.id)))
    question = shown(await member.user.click(card, label="Withdraw consent…"))
    assert "on The Attic" in text_of(question)
    await member.user.click(question, label="Withdraw it")
    assert (await names(studio, guild), await names(studio, attic)) == (["Here"], [])
    overview = shown(await member.user.slash("privacy show"))
    question = shown(await member.user.click(overview, label="Withdraw consent…"))
    assert "on all servers" in text_of(question)
    await member.user.click(question, label="Withdraw it")
    assert await names(studio, guild) == []
    assert labels_of(shown(await member.user.slash("privacy show"))) == []


async def test_other_commands_stay_on_servers(attic: GuildHandle, member: MemberActor) -> None:
    assert {name.split()[0] for name in member.user.available_commands()} == {"privacy"}
