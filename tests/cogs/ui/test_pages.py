"""Lists with pages: buttons, search, and what happens after a restart."""

import asyncio
from collections.abc import Awaitable, Callable

import discord
import pytest
import simcord
from hypothesis import given
from hypothesis import strategies as st
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cogs.client import Barkeep
from cogs.ui.pages import PAGE_ITEMS, QUERY_LENGTH, ListPage, page_view
from storage.records import NewVoice, VoiceModels
from studio.studio import Studio
from tests.cogs.library import ROOMY, add_voice, followed, labels_of, second_server, shown, text_of

Restart = Callable[[], Awaitable[Barkeep]]

WORDS = st.text(max_size=QUERY_LENGTH)


@pytest.fixture
async def library(studio: Studio, member: MemberActor) -> None:
    """23 voices of the member; with the three speakers three pages."""
    models = VoiceModels("tiny", "tiny-hubert", "tiny-quantizer")
    for number in range(23):
        new = NewVoice(member.guild.id, member.id, member.id, f"Voice {number:02}", "en")
        await studio.storage.voices.add(new, models, has_clip=False, member_limit=ROOMY, guild_limit=ROOMY)


def buttons(page: ListPage, query: str = "") -> dict[str, str]:
    """Label -> id of what can be pressed beneath a page."""
    found: dict[str, str] = {}
    for item in page_view(page, "voices", query).children:
        button = getattr(item, "item", item)
        if isinstance(button, discord.ui.Button) and not button.disabled:
            found[str(button.label)] = str(button.custom_id)
    return found


@pytest.mark.parametrize(
    ("number", "pages", "expected"),
    [
        (1, 1, set()),
        (1, 3, {"Next", "Search…"}),
        (2, 3, {"Previous", "Next", "Search…"}),
        (3, 3, {"Previous", "Search…"}),
    ],
)
async def test_buttons_lead_only_where_there_is_something(number: int, pages: int, expected: set[str]) -> None:
    assert set(buttons(ListPage(discord.Embed(), number, pages, searchable=True))) == expected


async def test_a_search_can_be_changed_and_left() -> None:
    assert set(buttons(ListPage(discord.Embed(), 1, 1, searchable=True), "zoe")) == {"Search…", "Show all"}


@given(WORDS, st.integers(1, 999_999))
def test_every_place_fits_an_id_and_is_found_again(query: str, number: int) -> None:
    async def ids() -> list[str]:
        return list(buttons(ListPage(discord.Embed(), number, number + 1, searchable=True), query).values())

    places = asyncio.run(ids())
    assert len(places) == len(set(places))
    for custom_id in places:
        assert len(custom_id) <= 100
        matches = [
            match for item in PAGE_ITEMS if (match := item.__discord_ui_compiled_template__.fullmatch(custom_id))
        ]
        (match,) = matches
        assert match["list_name"] == "voices"
        assert match.groupdict().get("query", query) == query


async def test_leafing_forth_and_back(library: None, channel: ChannelHandle, member: MemberActor) -> None:
    first = shown(await member.slash(channel, "voices list"))
    assert first.ephemeral
    assert "Voice 00" in text_of(first)
    assert "26 voices · page 1 of 3" in text_of(first)
    assert labels_of(first) == ["Next", "Search…"]
    second = shown(await member.click(first, label="Next"))
    assert second.id == first.id
    assert "Voice 10" in text_of(second)
    assert "Voice 00" not in text_of(second)
    last = shown(await member.click(second, label="Next"))
    assert "English speaker 6" in text_of(last)
    assert labels_of(last) == ["Previous", "Search…"]
    assert "Voice 10" in text_of(shown(await member.click(last, label="Previous")))


async def test_searching_and_showing_all(library: None, channel: ChannelHandle, member: MemberActor) -> None:
    first = shown(await member.slash(channel, "voices list"))
    form = await member.click(first, label="Search…")
    found = shown(await member.submit_modal(form, {"words": " voice 1 "}))
    assert "Voice 10" in text_of(found)
    assert "Voice 20" not in text_of(found)
    assert "search: voice 1" in text_of(found)
    again = await member.click(found, label="Search…")
    assert "'value': 'voice 1'" in str(again.modal)
    everything = shown(await member.click(found, label="Show all"))
    assert "26 voices · page 1 of 3" in text_of(everything)


async def test_an_empty_search_shows_all(library: None, channel: ChannelHandle, member: MemberActor) -> None:
    found = shown(await member.slash(channel, "voices list", search="Voice 07"))
    form = await member.click(found, label="Search…")
    assert "26 voices" in text_of(shown(await member.submit_modal(form, {})))


async def test_the_buttons_of_an_earlier_run_work(
    library: None, channel: ChannelHandle, member: MemberActor, restart: Restart
) -> None:
    first = shown(await member.slash(channel, "voices list", search="Voice"))
    await restart()
    second = shown(await member.click(first, label="Next"))
    assert "page 2 of 3" in text_of(second)
    assert "search: Voice" in text_of(second)
    assert "Voice 10" in text_of(second)


async def test_a_page_that_is_no_longer_there_gives_the_nearest(
    library: None, studio: Studio, channel: ChannelHandle, member: MemberActor
) -> None:
    first = shown(await member.slash(channel, "voices list", search="Voice"))
    second = shown(await member.click(first, label="Next"))
    for voice in await studio.storage.voices.of_person(member.guild.id, member.id):
        if voice.name > "Voice 04":
            await studio.storage.voices.delete(voice.guild_id, voice.id)
    last = shown(await member.click(second, label="Next"))
    assert "Voice 04" in text_of(last)
    assert "5 voices" in text_of(last)


async def test_a_list_that_is_not_offered_any_more_says_so(
    library: None, bot: Barkeep, channel: ChannelHandle, member: MemberActor
) -> None:
    first = shown(await member.slash(channel, "voices list"))
    await bot.remove_cog("Voices")
    refusal = followed(await member.click(first, label="Next"))
    assert refusal.ephemeral
    assert "no longer have this list" in refusal.content


@pytest.mark.parametrize(("status", "code"), [(500, 0), (429, 0), (401, 50027), (404, 10015), (400, 50035)])
async def test_discord_in_trouble_while_leafing(
    status: int, code: int, library: None, env: simcord.Env, channel: ChannelHandle, member: MemberActor
) -> None:
    first = shown(await member.slash(channel, "voices list"))
    env.inject_error("PATCH", "/webhooks/*/messages/@original", status=status, code=code, times=None)
    pressed = await member.click(first, label="Next")
    assert "page 1 of 3" in text_of(first)
    for refusal in pressed.followups:
        assert refusal.ephemeral
        assert "Sorry" in refusal.content or "Discord is having problems" in refusal.content


async def test_a_list_that_was_dismissed_while_leafing_is_no_unknown_error(
    library: None, env: simcord.Env, channel: ChannelHandle, member: MemberActor
) -> None:
    first = shown(await member.slash(channel, "voices list"))
    env.inject_error("PATCH", "/webhooks/*/messages/@original", status=404, code=10008)
    refusal = followed(await member.click(first, label="Next"))
    assert refusal.ephemeral
    assert "That message has been deleted" in refusal.content


async def test_every_page_shows_only_this_server(
    library: None, env: simcord.Env, studio: Studio, channel: ChannelHandle, member: MemberActor
) -> None:
    _, attic, ana = second_server(env)
    await add_voice(studio, attic, ana, "Attic voice")
    theirs = text_of(shown(await ana.slash(attic, "voices list")))
    assert "Attic voice" in theirs
    assert "Voice 0" not in theirs
    first = shown(await member.slash(channel, "voices list", search="attic"))
    assert "Attic voice" not in text_of(first)
