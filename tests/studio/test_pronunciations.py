"""A server's dictionary, and what it does to lines of speech."""

import json

import pytest

from cloning.text.durations import expected_seconds
from cloning.worker.protocol import SpeakRequest
from errors import InvalidInput, LimitReached, NotAllowed, NotFound
from storage.records import Pronunciation
from studio import pronunciations
from studio.queue.job_payload import words_of
from studio.values import SayOrder
from tests.studio.conftest import ANN, BOB, MAX_BYTES, MOD, STRANGER, StudioHarness, person

OTHER_MOD = person(4, guild_id=901, moderator=True)


async def add(harness: StudioHarness, word: str, say: str, *, match_case: bool = False) -> Pronunciation:
    entry, _ = await harness.studio.pronunciations.add(MOD, word, say, match_case=match_case)
    return entry


async def spoken(harness: StudioHarness, text: str) -> str:
    """What the worker gets to say."""
    accepted = await harness.studio.speech.submit(ANN, SayOrder(text), {"7": "Zoë"}, None, max_bytes=MAX_BYTES)
    await harness.ended(accepted.id)
    request = harness.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    return request.text


async def test_a_line_is_said_in_the_servers_way_and_shown_as_it_was_written(harness: StudioHarness) -> None:
    await add(harness, "GNU", "guh new")
    await add(harness, "🔥", "fire")
    await add(harness, "Zoë", "zo ee")
    accepted = await harness.studio.speech.submit(
        ANN, SayOrder("**Gnu** by <@7>, https://gnu.org ||gnu|| 🔥"), {"7": "Zoë"}, None, max_bytes=MAX_BYTES
    )
    job = await harness.ended(accepted.id)
    request = harness.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert request.text == "guh new by zo ee, link spoiler fire"
    assert words_of(job) == request.tags["title"] == "Gnu by Zoë, link spoiler"
    assert "gnu.org" not in json.dumps(job.order)


async def test_other_servers_say_words_as_they_are_written(harness: StudioHarness) -> None:
    await harness.studio.pronunciations.add(OTHER_MOD, "GNU", "guh new", match_case=False)
    assert await spoken(harness, "GNU") == "GNU"


async def test_nothing_but_a_known_emoji_can_be_said(harness: StudioHarness) -> None:
    await add(harness, "🔥", "fire")
    assert await spoken(harness, "🔥") == "fire"
    (job,) = await harness.storage.jobs.of_member(ANN.guild_id, ANN.member_id)
    assert words_of(job) == "fire"


async def test_another_take_says_words_as_the_dictionary_has_them_now(harness: StudioHarness) -> None:
    await add(harness, "SQL", "squirrel")
    await add(harness, "🔥", "fire")
    first = await harness.say("SQL 🔥")
    await harness.ended(first.id)
    await add(harness, "sql", "sequel")
    await add(harness, "squirrel", "chipmunk")
    again = await harness.studio.speech.repeat(ANN, first.id, None, max_bytes=MAX_BYTES)
    job = await harness.ended(again.id)
    request = harness.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert request.text == "sequel fire"
    assert words_of(job) == "SQL"
    await harness.studio.pronunciations.remove(MOD, "SQL")
    third = await harness.studio.speech.repeat(ANN, job.id, None, max_bytes=MAX_BYTES)
    assert third.order["text"] == "SQL fire"


async def test_another_take_of_a_line_from_before_a_word_was_added(harness: StudioHarness) -> None:
    first = await harness.say("SQL")
    await harness.ended(first.id)
    await add(harness, "sql", "sequel")
    again = await harness.studio.speech.repeat(ANN, first.id, None, max_bytes=MAX_BYTES)
    assert (again.order["text"], words_of(again)) == ("sequel", "SQL")


async def test_limits_count_what_is_spoken(harness: StudioHarness) -> None:
    long = "a very long way to say it, with many words"
    await add(harness, "x", long)
    said = " ".join([long] * 5)
    await harness.studio.admin.change(MOD, text_length=len(said) - 1)
    with pytest.raises(InvalidInput, match="as it is spoken"):
        await harness.say("x x x x x")
    await harness.studio.admin.change(MOD, text_length=len(said), seconds_per_day_per_member=10)
    assert expected_seconds("x x x x x", "en") < 10 < expected_seconds(said, "en")
    with pytest.raises(LimitReached, match="10 seconds"):
        await harness.say("x x x x x")


async def test_only_moderators_change_and_everybody_reads(harness: StudioHarness) -> None:
    await add(harness, "SQL", "sequel")
    desk = harness.studio.pronunciations
    data = await desk.export(ANN)
    for action in (desk.add(ANN, "a", "b", match_case=False), desk.remove(ANN, "SQL"), desk.import_(ANN, data)):
        with pytest.raises(NotAllowed):
            await action
    page = await desk.page(BOB, "", 1)
    assert [entry.word for entry in page.entries] == ["SQL"]
    assert (await desk.page(STRANGER, "", 1)).total == 0


async def test_changes_are_in_the_audit_log(harness: StudioHarness) -> None:
    await add(harness, "SQL", "sequel")
    await harness.studio.pronunciations.remove(MOD, "sql")
    with pytest.raises(NotFound, match="not in this server's dictionary"):
        await harness.studio.pronunciations.remove(MOD, "sql")
    await harness.studio.pronunciations.import_(MOD, b'{"pronunciations": [{"word": "a", "say": "b"}]}')
    lines, _ = await harness.storage.audit.read(MOD.guild_id)
    assert [(line.action, line.target, line.detail) for line in lines] == [
        ("pronunciation.import", "1", ""),
        ("pronunciation.remove", "SQL", ""),
        ("pronunciation.add", "SQL", "sequel"),
    ]


async def test_a_word_with_capitals_as_typed_is_an_entry_of_its_own(harness: StudioHarness) -> None:
    await add(harness, "US", "you ess", match_case=True)
    await add(harness, "us", "uz")
    assert await spoken(harness, "US and us") == "you ess and uz"
    assert (await harness.studio.pronunciations.remove(MOD, "US")).match_case
    assert await spoken(harness, "US and us") == "uz and uz"


async def test_the_list_is_leafed_through_and_searched(harness: StudioHarness) -> None:
    for number in range(12):
        await add(harness, f"Word{number:02}", "x")
    desk = harness.studio.pronunciations
    assert [(await desk.page(ANN, "", number)).number for number in (-1, 1, 2, 9)] == [1, 1, 2, 2]
    page = await desk.page(ANN, " wORD1", 1)
    assert [entry.word for entry in page.entries] == ["Word10", "Word11"]


async def test_a_dictionary_travels_to_another_server(harness: StudioHarness) -> None:
    await add(harness, "SQL", "sequel")
    await add(harness, "US", "you ess", match_case=True)
    desk = harness.studio.pronunciations
    await desk.add(OTHER_MOD, "sql", "ess cue ell", match_case=False)
    assert await desk.import_(OTHER_MOD, b"\xef\xbb\xbf" + await desk.export(ANN)) == (1, 1)
    assert await desk.search(OTHER_MOD, "") == await desk.search(MOD, "")
    with pytest.raises(NotFound, match="empty"):
        await desk.export(person(1, guild_id=902))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a dictionary"),
        (b"\xff\xfe", "not a dictionary"),
        (b"[" * 100_000, "not a dictionary"),
        (b"x" * (pronunciations.MAX_FILE_BYTES + 1), "512 KiB"),
        (b"[]", "not a dictionary"),
        (b'{"pronunciations": []}', "no words"),
        (b'{"pronunciations": [{"word": "a"}]}', "pronunciations 1 say"),
        (b'{"pronunciations": [{"word": 5, "say": "b"}]}', "pronunciations 1 word"),
        (b'{"pronunciations": [{"word": "a", "say": "b"}, {"word": "<@1>", "say": "b"}]}', "Word 2"),
        (b'{"pronunciations": [{"word": "a", "say": "\\ud800"}]}', "not a dictionary|nothing to say"),
        (json.dumps({"pronunciations": [{"word": "a", "say": "b"}] * 501}).encode(), "500"),
    ],
)
async def test_a_file_that_is_no_dictionary_changes_nothing(harness: StudioHarness, data: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as error:
        await harness.studio.pronunciations.import_(MOD, data)
    assert error.value.message.endswith(".")
    assert await harness.studio.pronunciations.search(MOD, "") == []


async def test_a_dictionary_is_full_at_some_point(harness: StudioHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pronunciations, "ENTRIES", 2)
    await add(harness, "a", "x")
    await add(harness, "b", "x")
    with pytest.raises(LimitReached, match="2 of at most 2"):
        await add(harness, "c", "x")
    await add(harness, "b", "y")


async def test_nothing_is_left_of_it_when_the_bot_is_removed(harness: StudioHarness) -> None:
    await add(harness, "Xyzzy", "plugh")
    await harness.studio.admin.guild_removed(MOD.guild_id)
    assert await harness.traces("Xyzzy", "plugh", "xyzzy") <= {"the database's free pages"}
