"""The library: finding, showing and changing voices."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.worker.protocol import SpeakRequest
from errors import (
    BarkeepError,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
)
from storage.records import JobState, Visibility, VoiceState
from studio import rights
from studio.values import CloneOrder
from tests.fakes import SPEAKERS, prompt_bytes, sound_bytes
from tests.studio.conftest import ANN, BOB, MOD, STRANGER, StudioHarness, person, until


async def test_voices_are_found_by_key_and_exact_name(harness: StudioHarness) -> None:
    key = await harness.voice(name="Zoë Müller")
    for typed in (key, f" {key} ", "Zoë Müller", "zoë MÜLLER", "ｚoë müller"):
        assert (await harness.studio.library.resolve(ANN, typed)).key == key, typed
    with pytest.raises(NotFound, match="/voices list"):
        await harness.studio.library.resolve(ANN, "qqq")


async def test_a_near_name_is_only_offered_whatever_the_deed(harness: StudioHarness) -> None:
    await harness.voice(name="Mother")
    library, files = harness.studio.library, harness.studio.voice_files
    for typed in ("Brother", "Moth", "mother!", "other"):
        deeds: list[Coroutine[Any, Any, object]] = [
            harness.say(voice=typed),
            library.info(ANN, typed),
            library.default(ANN, typed),
            library.rename(ANN, typed, "New"),
            library.describe(ANN, typed, "x"),
            library.share(ANN, typed, Visibility.EVERYONE, (), ()),
            files.export(ANN, typed),
            library.delete(ANN, typed),
            files.clip(ANN, typed),
            harness.studio.admin.remove_voice(replace(ANN, is_moderator=True), typed),
        ]
        for action in deeds:
            with pytest.raises(NotFound, match="Did you mean Mother"):
                await action
    assert (await library.info(ANN, "Mother")).record is not None
    assert len([request for request in harness.executor.requests if isinstance(request, SpeakRequest)]) == 0


async def test_a_private_voice_cannot_be_told_from_none(harness: StudioHarness) -> None:
    key = await harness.voice()
    library, files = harness.studio.library, harness.studio.voice_files
    for there, none in ((key, "v:999999"), ("Ann", "Bea")):
        for action in (library.resolve, library.info, library.deletable, files.export, files.clip):
            with pytest.raises(NotFound) as of_private:
                await action(BOB, there)
            with pytest.raises(NotFound) as of_none:
                await action(BOB, none)
            assert of_private.value.message == of_none.value.message


async def test_a_moderator_sees_and_deletes_a_private_voice_but_does_not_speak_with_it(harness: StudioHarness) -> None:
    key = await harness.voice()
    library, files = harness.studio.library, harness.studio.voice_files
    assert (await library.info(MOD, key)).key == key
    for typed in (key, "Ann"):
        with pytest.raises(NotAllowed, match="private"):
            await harness.say(actor=MOD, voice=typed)
        with pytest.raises(NotAllowed, match="private"):
            await files.clip(MOD, typed)
    assert "Ann" not in [voice.name for voice in await library.search(MOD, "")]
    assert "Ann" in [record.name for record in await library.changeable(MOD, "an", rights.may_delete)]
    for visibility in (Visibility.EVERYONE, Visibility.CHOSEN):
        with pytest.raises(NotAllowed, match="owner"):
            await library.share(MOD, key, visibility, [MOD.member_id], ())
    with pytest.raises(NotAllowed, match="owner"):
        await files.export(MOD, key)
    await library.share(ANN, key, Visibility.EVERYONE, (), ())
    assert (await library.share(MOD, key, Visibility.OWNER, (), ())).visibility is Visibility.OWNER


async def test_a_blocked_member_sees_and_deletes_what_is_theirs_and_nothing_else(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.admin.block(MOD, ANN.member_id, "")
    library, files = harness.studio.library, harness.studio.voice_files
    for action in (
        library.rename(ANN, key, "New"),
        library.describe(ANN, key, "x"),
        library.share(ANN, key, Visibility.EVERYONE, (), ()),
        files.export(ANN, key),
        files.clip(ANN, key),
        library.default(ANN, key),
        files.import_(ANN, "New", prompt_bytes(), attested=True),
        harness.say(voice=key),
    ):
        with pytest.raises(NotAllowed, match="blocked"):
            await action
    assert (await library.info(ANN, key)).key == key
    assert (await library.page(ANN, "", 1)).total
    assert await harness.studio.privacy.export([ANN])
    await library.delete(ANN, key)
    assert harness.files() == []


async def test_the_exact_name_wins_over_longer_ones(harness: StudioHarness) -> None:
    await harness.voice(name="Ann Lee")
    key = await harness.voice(name="Ann")
    assert (await harness.studio.library.resolve(ANN, "ann")).key == key


async def test_speakers_are_voices_that_nobody_owns(harness: StudioHarness) -> None:
    library, files = harness.studio.library, harness.studio.voice_files
    voice = await library.resolve(ANN, f"s:{SPEAKERS[1]}")
    assert (voice.name, voice.record) == ("English speaker 6", None)
    assert await library.resolve(ANN, "english speaker 6") == voice
    with pytest.raises(NotFound):
        await library.resolve(ANN, "s:v2/en_speaker_99")
    with pytest.raises(InvalidInput, match="belong to the model"):
        await library.rename(MOD, "English speaker 6", "Mine")
    with pytest.raises(NotFound, match="no recording"):
        await files.clip(ANN, "English speaker 6")


async def test_before_the_models_are_loaded_a_speaker_is_taken_at_its_word(harness: StudioHarness) -> None:
    harness.executor.ready = None
    assert (await harness.studio.library.resolve(ANN, "s:v2/en_speaker_99")).speaker == "v2/en_speaker_99"
    unnamed = await harness.studio.library.resolve(ANN, None)
    assert (unnamed.key, unnamed.name, unnamed.speaker) == ("s:", "First built-in speaker", ANY_SPEAKER)
    assert await harness.studio.library.resolve(ANN, "s:") == unnamed


async def test_any_speaker_is_the_first_one_as_soon_as_there_is_one(harness: StudioHarness) -> None:
    assert (await harness.studio.library.resolve(ANN, "s:")).speaker == SPEAKERS[0]
    assert harness.executor.ready is not None
    harness.executor.ready = replace(harness.executor.ready, speakers=())
    with pytest.raises(NotFound, match="built-in speaker"):
        await harness.studio.library.resolve(ANN, "s:")


async def test_a_voice_that_is_being_made_says_so_and_can_be_deleted(harness: StudioHarness) -> None:
    harness.executor.hold()
    accepted = await harness.clone()
    for typed in ("Ann", f"v:{accepted.voice_id}"):
        with pytest.raises(Conflict, match="still being made"):
            await harness.studio.library.resolve(ANN, typed)
    with pytest.raises(NotFound):
        await harness.studio.library.resolve(BOB, "Ann")
    await until(lambda: bool(harness.executor.requests), "the request")
    record = await harness.studio.library.delete(ANN, "Ann")
    assert record.state is VoiceState.CLONING
    assert (await harness.ended(accepted.id)).state is JobState.CANCELLED
    assert harness.files() == []


async def test_search_offers_the_default_first_and_only_what_may_be_used(harness: StudioHarness) -> None:
    await harness.voice(name="Ann")
    second = await harness.voice(name="Anna")
    await harness.voice(BOB, "Andy")
    await harness.studio.library.default(ANN, second)
    names = [voice.name for voice in await harness.studio.library.search(ANN, "an")]
    assert names[:2] == ["Anna", "Ann"]
    assert "Andy" not in names
    everything = await harness.studio.library.search(ANN, "", limit=3)
    assert (everything[0].name, len(everything)) == ("Anna", 3)
    assert await harness.studio.library.search(STRANGER, "anna") == []


async def test_search_offers_what_is_nearly_typed_only_where_nothing_contains_it(harness: StudioHarness) -> None:
    for name in ("Wilhelmina", "Wilhelm"):
        await harness.voice(name=name)
    search = harness.studio.library.search
    assert [voice.name for voice in await search(ANN, "wilhelm")] == ["Wilhelm", "Wilhelmina"]
    assert "Wilhelmina" in [voice.name for voice in await search(ANN, "Wilhelmyna")]
    assert await search(STRANGER, "Wilhelmyna") == []


async def test_search_offers_the_default_first_also_where_more_voices_fit_than_are_asked_for(
    harness: StudioHarness,
) -> None:
    for name in ("A", "B", "C"):
        await harness.voice(name=name)
    await harness.studio.library.default(ANN, "C")
    assert [voice.name for voice in await harness.studio.library.search(ANN, "", limit=2)] == ["C", "A"]
    assert [voice.name for voice in await harness.studio.library.search(ANN, "b", limit=1)] == ["B"]


async def test_pages_run_through_voices_and_then_speakers(harness: StudioHarness) -> None:
    for name in ("C", "A", "B"):
        await harness.voice(name=name)
    pages = [await harness.studio.library.page(ANN, "", number, size=2) for number in (1, 2, 3)]
    names = [voice.name for page in pages for voice in page.entries]
    assert names == ["A", "B", "C", "English speaker 0", "English speaker 6", "German speaker 1"]
    assert [(page.number, page.pages, page.total) for page in pages] == [(1, 3, 6), (2, 3, 6), (3, 3, 6)]
    assert (await harness.studio.library.page(ANN, "", 99, size=2)).number == 3
    assert (await harness.studio.library.page(ANN, "", -1, size=2)).number == 1
    assert [voice.name for voice in (await harness.studio.library.page(ANN, "german", 1)).entries] == [
        "German speaker 1"
    ]
    empty = await harness.studio.library.page(ANN, "qqq", 1)
    assert (empty.entries, empty.number, empty.pages, empty.total) == ((), 1, 1, 0)


async def test_only_owner_and_moderators_change_a_voice(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    library, files = harness.studio.library, harness.studio.voice_files
    for attempt in (
        library.rename(BOB, key, "Mine"),
        library.describe(BOB, key, "x"),
        library.share(BOB, key, Visibility.EVERYONE, (), ()),
        files.export(BOB, key),
        library.delete(BOB, key),
    ):
        with pytest.raises(NotAllowed):
            await attempt
    assert (await library.rename(ANN, key, "Ann Lee")).name == "Ann Lee"
    assert (await library.describe(MOD, key, "calm")).description == "calm"
    await library.delete(MOD, key)
    assert harness.files() == []
    with pytest.raises(NotFound):
        await library.info(ANN, key)


async def test_names_stay_unique_and_clean(harness: StudioHarness) -> None:
    await harness.voice(name="Ann")
    key = await harness.voice(name="Bea")
    with pytest.raises(Conflict):
        await harness.studio.library.rename(ANN, key, "ann")
    with pytest.raises(InvalidInput):
        await harness.studio.library.rename(ANN, key, "**x**")
    assert (await harness.studio.library.rename(ANN, key, "BEA")).name == "BEA"


async def test_sharing_with_some_with_all_and_with_nobody(harness: StudioHarness) -> None:
    library = harness.studio.library
    key = await harness.voice()
    with pytest.raises(InvalidInput, match="at least one"):
        await library.share(ANN, key, Visibility.CHOSEN, (), ())
    await library.share(ANN, key, Visibility.CHOSEN, [BOB.member_id], [70])
    assert (await library.resolve(BOB, "Ann")).key == key
    assert (await library.resolve(person(8, roles=(70,)), "Ann")).key == key
    with pytest.raises(NotFound):
        await library.resolve(person(8), "Ann")
    everyone = await library.share(ANN, key, Visibility.EVERYONE, [BOB.member_id], [70])
    assert (everyone.member_ids, everyone.role_ids) == (frozenset(), frozenset())
    assert (await library.resolve(person(8), "Ann")).key == key
    await library.share(ANN, key, Visibility.OWNER, (), ())
    for typed in ("Ann", key):
        with pytest.raises(NotFound):
            await library.info(BOB, typed)


async def test_who_is_heard_can_delete_a_voice_of_another_owner(harness: StudioHarness) -> None:
    request = await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    _, accepted = await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert accepted is not None
    await harness.ended(accepted.id)
    with pytest.raises(NotAllowed, match="private"):
        await harness.studio.library.resolve(BOB, "Bobby")
    await harness.studio.library.delete(BOB, "bobby")
    assert harness.files() == []


@pytest.mark.parametrize(
    "typed",
    ["v:0", "v:99999999999999999999", "s:x", "s:../../etc/passwd", "v:-1", "%", "_", "' or 1", "\x00", "x" * 500],
)
async def test_whatever_is_typed_is_safe(harness: StudioHarness, typed: str) -> None:
    with pytest.raises(BarkeepError):
        await harness.studio.library.resolve(ANN, typed)
    await harness.studio.library.search(ANN, typed)
    await harness.studio.library.page(ANN, typed, 1)
