"""/pronounce, and what a word of the dictionary does to an answer."""

import json

import pytest
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cogs.client import Barkeep
from tests.cogs.library import labels_of, text_of
from tests.cogs.replies import answer, refusal
from tests.cogs.test_say import options_of, spoken
from tests.fakes import FakeExecutor


async def test_a_word_is_said_in_the_servers_way_and_shown_as_written(
    channel: ChannelHandle, member: MemberActor, moderator: MemberActor, executor: FakeExecutor
) -> None:
    added = await moderator.slash(channel, "pronounce add", word="SQL", say="sequel")
    assert added.ephemeral
    assert answer(added).content == "The word was added. **SQL**: sequel"
    shown = await member.slash(channel, "say", text="I like sql.")
    assert spoken(executor)[-1].text == "I like sequel."
    assert answer(shown).content.endswith(">>> I like sql.")
    await member.click(answer(shown), label="Another take")
    assert spoken(executor)[-1].text == "I like sequel."
    message = await member.send(channel, "More SQL, *please*.")
    await member.context_menu(channel, "Say this", message)
    assert spoken(executor)[-1].text == "More sequel, please."


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("add", {"word": "a", "say": "b"}),
        ("remove", {"word": "a"}),
        ("import", {"file": ("a.json", b"{}")}),
    ],
)
async def test_members_do_not_change_it(
    channel: ChannelHandle, member: MemberActor, command: str, options: dict[str, object]
) -> None:
    assert "Manage Server" in refusal(await member.slash(channel, f"pronounce {command}", **options))


async def test_everybody_reads_the_list(channel: ChannelHandle, member: MemberActor, moderator: MemberActor) -> None:
    assert "Nothing yet" in text_of(answer(await member.slash(channel, "pronounce list")))
    await moderator.slash(channel, "pronounce add", word="US", say="*you* ess", match_case=True)
    for number in range(11):
        await moderator.slash(channel, "pronounce add", word=f"word{number}", say="x")
    shown = await member.slash(channel, "pronounce list")
    assert shown.ephemeral
    text = text_of(answer(shown))
    assert "**US** (only with these capitals): you ess\n" in text
    assert "12 words · page 1 of 2" in text
    assert labels_of(answer(shown)) == ["Next", "Search…"]
    turned = await member.click(answer(shown), label="Next")
    assert "page 2 of 2" in text_of(answer(turned))
    assert "No word matches" in text_of(answer(await member.slash(channel, "pronounce list", search="zzz")))


async def test_a_word_is_changed_and_removed(channel: ChannelHandle, moderator: MemberActor) -> None:
    await moderator.slash(channel, "pronounce add", word="SQL", say="squirrel")
    changed = await moderator.slash(channel, "pronounce add", word="sql", say="sequel")
    assert answer(changed).content == "The word was changed. **sql**: sequel"
    (choice,) = await moderator.autocomplete(channel, "pronounce remove", "word", "Q")
    assert choice == {"name": "sql: sequel", "value": "sql"}
    removed = await moderator.slash(channel, "pronounce remove", word=choice["value"])
    assert answer(removed).content == "**sql** was removed."
    assert "not in this server's dictionary" in refusal(await moderator.slash(channel, "pronounce remove", word="sql"))


async def test_a_dictionary_is_taken_out_and_brought_in(
    channel: ChannelHandle, member: MemberActor, moderator: MemberActor
) -> None:
    assert "empty" in refusal(await member.slash(channel, "pronounce export"))
    await moderator.slash(channel, "pronounce add", word="SQL", say="sequel")
    exported = answer(await member.slash(channel, "pronounce export"))
    (file,) = exported.attachments
    data = await file.read()
    assert json.loads(data) == {"pronunciations": [{"word": "SQL", "say": "sequel", "match_case": False}]}
    await moderator.slash(channel, "pronounce remove", word="SQL")
    brought = await moderator.slash(channel, "pronounce import", file=(file.filename, data))
    assert answer(brought).content == "1 word added, 0 changed."
    refused = await moderator.slash(channel, "pronounce import", file=("a.json", b"[]"))
    assert "not a dictionary" in refusal(refused)


async def test_an_export_needs_a_channel_with_files(quiet_channel: ChannelHandle, member: MemberActor) -> None:
    assert "attach files" in refusal(await member.slash(quiet_channel, "pronounce export"))


async def test_the_form_takes_what_the_studio_takes(bot: Barkeep) -> None:
    add = next(option for name, option in options_of(bot, "pronounce").items() if name == "add")
    assert [option["max_length"] for option in add["options"][:2]] == [50, 100]
