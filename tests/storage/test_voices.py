import asyncio
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import Conflict, InvalidInput, LimitReached, NotFound, Unavailable
from storage.database import Storage
from storage.names import name_key
from storage.records import GuildSettings, JobKind, Viewer, Visibility, VoiceModels, VoiceState, voice_key
from tests.storage.build import (
    ANNA,
    BORIS,
    CLARA,
    GUILD,
    MODELS,
    NOON,
    OTHER_GUILD,
    OTHER_ROLE,
    ROLE,
    Clock,
    add_voice,
    new_job,
    new_voice,
    reserve,
    stored_job,
)

NOBODY: frozenset[int] = frozenset()


@given(st.text())
def test_a_name_key_is_its_own_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


@given(st.text())
def test_capitals_and_compositions_make_no_other_name(name: str) -> None:
    assert name_key(name.casefold()) == name_key(name)
    assert name_key(unicodedata.normalize("NFD", name)) == name_key(unicodedata.normalize("NFC", name))


async def test_an_added_voice_is_ready_and_comes_back_whole(storage: Storage) -> None:
    added = await add_voice(storage, "Straße", speaker=BORIS)
    assert added == await storage.voices.get(GUILD, added.id)
    assert (added.name, added.owner_id, added.speaker_id, added.language) == ("Straße", ANNA, BORIS, "en")
    assert (added.state, added.visibility, added.has_clip) == (VoiceState.READY, Visibility.OWNER, False)
    assert (added.model, added.hubert, added.quantizer) == (MODELS.model, MODELS.hubert, MODELS.quantizer)
    assert (added.member_ids, added.role_ids, added.report, added.created_at) == (NOBODY, NOBODY, None, NOON)


@pytest.mark.parametrize("taken", ["STRASSE", "straße", "ｓｔｒａßｅ"])
async def test_names_that_look_the_same_collide(storage: Storage, taken: str) -> None:
    await add_voice(storage, "Straße")
    with pytest.raises(Conflict, match=taken):
        await add_voice(storage, taken, owner=BORIS)
    found = await storage.voices.find(GUILD, taken)
    assert found is not None and found.name == "Straße"


@pytest.mark.parametrize("typed", ["A\x00da", "\ud800Ada", "\x00", "\udfff"])
async def test_what_no_database_holds_is_searched_without_a_error(storage: Storage, typed: str) -> None:
    added = await add_voice(storage, "Ada")
    found = await storage.voices.find(GUILD, typed)
    assert found == (added if "da" in typed else None)
    listed, total = await storage.voices.list(GUILD, None, query=typed)
    assert (listed, total) == ([added], 1)


async def test_another_server_may_use_the_same_name_and_sees_nothing(storage: Storage) -> None:
    here = await add_voice(storage, "Anna")
    there = await add_voice(storage, "Anna", guild=OTHER_GUILD)
    assert here.id != there.id
    with pytest.raises(NotFound):
        await storage.voices.get(OTHER_GUILD, here.id)
    with pytest.raises(NotFound):
        await storage.voices.delete(OTHER_GUILD, here.id)
    page, total = await storage.voices.list(OTHER_GUILD, None)
    assert (page, total) == ([there], 1)


async def test_every_change_of_a_missing_voice_says_that_it_is_missing(storage: Storage) -> None:
    changes = [
        storage.voices.get(GUILD, 9),
        storage.voices.rename(GUILD, 9, "x"),
        storage.voices.describe(GUILD, 9, "x"),
        storage.voices.share(GUILD, 9, Visibility.EVERYONE, NOBODY, NOBODY),
        storage.voices.make_ready(GUILD, 9, MODELS, None, has_clip=True),
        storage.voices.set_models(GUILD, 9, MODELS),
        storage.voices.delete(GUILD, 9),
    ]
    for change in changes:
        with pytest.raises(NotFound, match="deleted"):
            await change
    assert await storage.voices.find(GUILD, "x") is None


async def test_changes_are_kept(storage: Storage) -> None:
    voice = await add_voice(storage)
    await storage.voices.rename(GUILD, voice.id, "Annabel")
    await storage.voices.describe(GUILD, voice.id, "deep and calm")
    models = VoiceModels("suno/bark", "h", "q")
    changed = await storage.voices.set_models(GUILD, voice.id, models)
    assert changed == replace(
        voice, name="Annabel", description="deep and calm", model="suno/bark", hubert="h", quantizer="q"
    )
    assert await storage.voices.get(GUILD, voice.id) == changed
    assert await storage.voices.find(GUILD, "Anna") is None


async def test_renaming_to_a_taken_name_changes_nothing(storage: Storage) -> None:
    voice = await add_voice(storage, "Anna")
    await add_voice(storage, "Boris")
    with pytest.raises(Conflict, match="boris"):
        await storage.voices.rename(GUILD, voice.id, "boris")
    assert (await storage.voices.get(GUILD, voice.id)).name == "Anna"


async def test_a_voice_can_be_renamed_to_other_capitals_of_its_own_name(storage: Storage) -> None:
    voice = await add_voice(storage, "Anna")
    assert (await storage.voices.rename(GUILD, voice.id, "ANNA")).name == "ANNA"


async def test_a_reserved_voice_becomes_ready_and_that_may_be_repeated(storage: Storage) -> None:
    reserved, job = await reserve(storage)
    assert reserved.state is VoiceState.CLONING and job.voice_id == reserved.id
    assert await storage.voices.list(GUILD, None) == ([], 0)
    assert await storage.voices.list(GUILD, None, ready_only=False) == ([reserved], 1)
    report = {"verdict": "good", "waveform": [0.1, 1.0]}
    for _ in range(2):
        ready = await storage.voices.make_ready(GUILD, reserved.id, MODELS, report, has_clip=True)
        assert (ready.state, ready.report, ready.has_clip) == (VoiceState.READY, report, True)
    assert await storage.voices.get(GUILD, reserved.id) == ready


async def test_sharing_replaces_what_was_chosen_before(storage: Storage) -> None:
    voice = await add_voice(storage)
    await storage.voices.share(GUILD, voice.id, Visibility.CHOSEN, frozenset({BORIS, CLARA}), frozenset({ROLE}))
    shared = await storage.voices.share(GUILD, voice.id, Visibility.CHOSEN, frozenset({BORIS}), frozenset({OTHER_ROLE}))
    assert shared == await storage.voices.get(GUILD, voice.id)
    assert (shared.member_ids, shared.role_ids) == (frozenset({BORIS}), frozenset({OTHER_ROLE}))


async def test_voices_are_suggested_by_what_their_names_contain(storage: Storage) -> None:
    everyone, other = Viewer(ANNA, NOBODY), Viewer(BORIS, NOBODY)
    for name in ("Old Zoë", "Zoë", "zoe_2", "Anna", "100%"):
        await add_voice(storage, name)
    await reserve(storage, "Zoella")

    async def suggested(typed: str, viewer: Viewer = everyone, limit: int = 9) -> list[str]:
        return [voice.name for voice in await storage.voices.suggest(GUILD, viewer, typed, limit)]

    assert await suggested("zoe") == ["zoe_2", "Zoë", "Old Zoë"]
    assert await suggested("zoe", limit=1) == ["zoe_2"]
    assert await suggested("zoe", other) == []
    assert await suggested("%") == []
    assert len(await suggested("")) == 5
    names = await storage.voices.names(GUILD, everyone)
    assert [name for _, name in names] == ["100%", "Anna", "Old Zoë", "zoe_2", "Zoë"]
    (anna,) = await storage.voices.several(GUILD, everyone, [names[1][0], 99])
    assert anna.name == "Anna"
    assert await storage.voices.several(GUILD, other, [names[1][0]]) == []


async def test_a_renamed_voice_is_suggested_by_its_new_name(storage: Storage) -> None:
    voice = await add_voice(storage, "Anna")
    await storage.voices.rename(GUILD, voice.id, "Çelik")
    assert [found.id for found in await storage.voices.suggest(GUILD, None, "celik", 9)] == [voice.id]
    assert await storage.voices.suggest(GUILD, None, "anna", 9) == []


async def test_two_menus_at_once_lose_nobody(storage: Storage, twin: Storage) -> None:
    voice = await add_voice(storage)
    await asyncio.gather(
        storage.voices.share(GUILD, voice.id, Visibility.CHOSEN, frozenset({BORIS}), None),
        twin.voices.share(GUILD, voice.id, Visibility.CHOSEN, None, frozenset({ROLE})),
    )
    shared = await storage.voices.get(GUILD, voice.id)
    assert (shared.member_ids, shared.role_ids) == (frozenset({BORIS}), frozenset({ROLE}))
    outcomes = await asyncio.gather(
        storage.voices.share(GUILD, voice.id, Visibility.CHOSEN, NOBODY, None),
        twin.voices.share(GUILD, voice.id, Visibility.CHOSEN, None, NOBODY),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes].count(InvalidInput) == 1


@pytest.mark.parametrize(
    ("visibility", "viewer", "sees"),
    [
        (Visibility.OWNER, Viewer(ANNA, NOBODY), True),
        (Visibility.OWNER, Viewer(BORIS, frozenset({ROLE})), False),
        (Visibility.CHOSEN, Viewer(BORIS, NOBODY), True),
        (Visibility.CHOSEN, Viewer(CLARA, frozenset({OTHER_ROLE, ROLE})), True),
        (Visibility.CHOSEN, Viewer(CLARA, frozenset({OTHER_ROLE})), False),
        (Visibility.CHOSEN, Viewer(CLARA, NOBODY), False),
        (Visibility.CHOSEN, Viewer(ROLE, frozenset({BORIS})), False),
        (Visibility.EVERYONE, Viewer(CLARA, NOBODY), True),
        (Visibility.OWNER, None, True),
    ],
)
async def test_who_sees_a_voice(storage: Storage, visibility: Visibility, viewer: Viewer | None, sees: bool) -> None:
    voice = await add_voice(storage)
    await storage.voices.share(GUILD, voice.id, visibility, frozenset({BORIS}), frozenset({ROLE}))
    page, total = await storage.voices.list(GUILD, viewer)
    assert ([found.id for found in page], total) == (([voice.id], 1) if sees else ([], 0))


async def test_pages_come_in_the_order_of_names(storage: Storage) -> None:
    for name in ("cello", "Alt", "Bass", "alt 2"):
        await add_voice(storage, name)
    first, total = await storage.voices.list(GUILD, None, limit=3)
    second, _ = await storage.voices.list(GUILD, None, limit=3, offset=3)
    assert [voice.name for voice in first + second] == ["Alt", "alt 2", "Bass", "cello"]
    assert total == 4


@pytest.mark.parametrize(
    ("query", "found"),
    [("BASS", ["Bass 100%"]), ("100%", ["Bass 100%"]), ("_", ["so_lo"]), ("%", ["Bass 100%"]), ("/", []), ("", 2)],
)
async def test_a_query_is_taken_literally(storage: Storage, query: str, found: list[str] | int) -> None:
    await add_voice(storage, "Bass 100%")
    await add_voice(storage, "so_lo")
    page, total = await storage.voices.list(GUILD, None, query=query)
    assert total == len(page)
    assert found in ([voice.name for voice in page], total)


async def test_the_voices_of_an_owner(storage: Storage) -> None:
    await add_voice(storage, "Anna")
    theirs = await add_voice(storage, "Boris", owner=BORIS)
    assert await storage.voices.list(GUILD, None, owner_id=BORIS) == ([theirs], 1)


async def test_the_voices_of_a_person_are_owned_or_heard(storage: Storage) -> None:
    owned = await add_voice(storage, "mine", owner=ANNA, speaker=CLARA)
    heard = await add_voice(storage, "me", owner=BORIS, speaker=ANNA)
    await add_voice(storage, "not me", owner=BORIS, speaker=None)
    await add_voice(storage, "elsewhere", owner=ANNA, guild=OTHER_GUILD)
    assert await storage.voices.of_person(GUILD, ANNA) == [owned, heard]


async def test_deleting_clears_the_defaults_that_named_it(storage: Storage) -> None:
    voice = await add_voice(storage, "Anna")
    other = await add_voice(storage, "Boris")
    await storage.voices.share(GUILD, voice.id, Visibility.CHOSEN, frozenset({BORIS}), NOBODY)
    await storage.members.set_default_voice(GUILD, ANNA, voice_key(voice.id))
    await storage.members.set_default_voice(GUILD, BORIS, voice_key(other.id))
    deleted = await storage.voices.delete(GUILD, voice.id)
    assert (deleted.id, deleted.member_ids) == (voice.id, frozenset({BORIS}))
    assert (await storage.members.get(GUILD, ANNA)).default_voice is None
    assert (await storage.members.get(GUILD, BORIS)).default_voice == voice_key(other.id)
    with pytest.raises(NotFound):
        await storage.voices.get(GUILD, voice.id)


async def test_a_number_is_never_used_twice(storage: Storage) -> None:
    first = await add_voice(storage)
    await storage.voices.delete(GUILD, first.id)
    assert (await add_voice(storage)).id > first.id


async def test_the_limits_of_voices_count_reserved_ones_too(storage: Storage) -> None:
    await reserve(storage, "Anna")
    with pytest.raises(LimitReached, match="You already have 1 voice,"):
        await storage.voices.add(new_voice("two"), MODELS, has_clip=False, member_limit=1, guild_limit=9)
    with pytest.raises(LimitReached, match="This server already has 1 voice,"):
        await storage.voices.add(new_voice("two", owner=BORIS), MODELS, has_clip=False, member_limit=9, guild_limit=1)
    with pytest.raises(LimitReached, match=r"have their own voices right now\. A moderator can change the limit"):
        await storage.voices.add(new_voice("two"), MODELS, has_clip=False, member_limit=0, guild_limit=9)
    with pytest.raises(LimitReached, match=r"does not allow voices right now\. A moderator can change the limit"):
        await storage.voices.add(new_voice("two"), MODELS, has_clip=False, member_limit=9, guild_limit=0)


async def test_what_a_member_has_is_counted_and_not_taken_from_a_lowered_limit(storage: Storage) -> None:
    for name in ("one", "two"):
        await reserve(storage, name)
    with pytest.raises(LimitReached, match="You already have 2 voices, and the limit here is 1"):
        await storage.voices.add(new_voice("three"), MODELS, has_clip=False, member_limit=1, guild_limit=9)
    with pytest.raises(LimitReached, match="This server already has 2 voices, and its limit is 1"):
        await storage.voices.add(new_voice("three", owner=BORIS), MODELS, has_clip=False, member_limit=9, guild_limit=1)


async def test_an_import_and_a_clone_at_once_cannot_pass_a_limit_of_one(storage: Storage, twin: Storage) -> None:
    limits = GuildSettings(GUILD, voices_per_member=1)
    attempts = [
        *(
            side.voices.add(new_voice(f"import {n}"), MODELS, has_clip=False, member_limit=1, guild_limit=99)
            for n, side in enumerate([storage, twin] * 5)
        ),
        *(
            side.acceptance.accept_clone(new_voice(f"clone {n}"), new_job(kind=JobKind.CLONE), limits)
            for n, side in enumerate([storage, twin] * 5)
        ),
    ]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, LimitReached) for outcome in outcomes) == 19
    assert (await storage.voices.list(GUILD, None, ready_only=False))[1] == 1


async def test_one_name_goes_to_one_of_many(storage: Storage, twin: Storage) -> None:
    attempts = [add_voice(side, "Anna", owner=n) for n, side in enumerate([storage, twin] * 5, start=1)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 9


async def test_a_voice_whose_files_cannot_be_placed_does_not_exist(storage: Storage) -> None:
    async def place(record: object) -> None:
        raise Unavailable("The disk is full.")

    with pytest.raises(Unavailable, match="disk"):
        await storage.voices.add(new_voice(), MODELS, has_clip=False, member_limit=9, guild_limit=9, place=place)
    assert await storage.voices.find(GUILD, "Anna") is None


async def test_the_time_of_making_is_kept(storage: Storage, clock: Clock) -> None:
    clock.advance(microseconds=1)
    _, job = await reserve(storage)
    clock.advance(days=1)
    assert job.created_at == (await stored_job(storage, job.id)).created_at
    assert (job.created_at - NOON).microseconds == 1
