"""The library: finding, showing, changing, taking away and bringing voices."""

import asyncio
import io
import time
import zipfile
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.prompt import PromptSpec, VoicePrompt
from cloning.worker.protocol import SpeakRequest
from errors import (
    BarkeepError,
    Conflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    Unavailable,
    VoiceUnavailable,
)
from storage.records import JobState, Visibility, VoiceState
from studio import policy
from studio.admin import NO_VOICE
from studio.values import Actor, CloneOrder
from studio.voices import MAX_PROMPT_BYTES, file_name
from tests.fakes import SPEAKERS, FakeExecutor, prompt_bytes, sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, STRANGER, StudioHarness, person, until


async def shared(harness: StudioHarness, name: str, actor: Actor = ANN) -> str:
    key = await harness.voice(actor, name)
    await harness.studio.library.share(actor, key, Visibility.EVERYONE, (), ())
    return key


async def test_voices_are_found_by_key_and_exact_name(harness: StudioHarness) -> None:
    key = await harness.voice(name="Zoë Müller")
    for typed in (key, f" {key} ", "Zoë Müller", "zoë MÜLLER", "ｚoë müller"):
        assert (await harness.studio.library.resolve(ANN, typed)).key == key, typed
    with pytest.raises(NotFound, match="/voices list"):
        await harness.studio.library.resolve(ANN, "qqq")


async def test_a_near_name_is_only_offered_whatever_the_deed(harness: StudioHarness) -> None:
    await harness.voice(name="Mother")
    library = harness.studio.library
    for typed in ("Brother", "Moth", "mother!", "other"):
        deeds: list[Coroutine[Any, Any, object]] = [
            harness.say(voice=typed),
            library.info(ANN, typed),
            library.default(ANN, typed),
            library.rename(ANN, typed, "New"),
            library.describe(ANN, typed, "x"),
            library.share(ANN, typed, Visibility.EVERYONE, (), ()),
            library.export(ANN, typed),
            library.delete(ANN, typed),
            library.clip(ANN, typed),
            harness.studio.admin.remove_voice(replace(ANN, is_moderator=True), typed),
        ]
        for action in deeds:
            with pytest.raises(NotFound, match="Did you mean Mother"):
                await action
    assert (await library.info(ANN, "Mother")).record is not None
    assert len([request for request in harness.executor.requests if isinstance(request, SpeakRequest)]) == 0


async def test_a_private_voice_cannot_be_told_from_none(harness: StudioHarness) -> None:
    key = await harness.voice()
    library = harness.studio.library
    for there, none in ((key, "v:999999"), ("Ann", "Bea")):
        for action in (library.resolve, library.info, library.deletable, library.export, library.clip):
            with pytest.raises(NotFound) as of_private:
                await action(BOB, there)
            with pytest.raises(NotFound) as of_none:
                await action(BOB, none)
            assert of_private.value.message == of_none.value.message


async def test_a_moderator_sees_and_deletes_a_private_voice_but_does_not_speak_with_it(harness: StudioHarness) -> None:
    key = await harness.voice()
    library = harness.studio.library
    assert (await library.info(MOD, key)).key == key
    for typed in (key, "Ann"):
        with pytest.raises(NotAllowed, match="private"):
            await harness.say(actor=MOD, voice=typed)
        with pytest.raises(NotAllowed, match="private"):
            await library.clip(MOD, typed)
    assert "Ann" not in [voice.name for voice in await library.search(MOD, "")]
    assert "Ann" in [record.name for record in await library.changeable(MOD, "an", policy.may_delete)]
    for visibility in (Visibility.EVERYONE, Visibility.CHOSEN):
        with pytest.raises(NotAllowed, match="owner"):
            await library.share(MOD, key, visibility, [MOD.member_id], ())
    with pytest.raises(NotAllowed, match="owner"):
        await library.export(MOD, key)
    await library.share(ANN, key, Visibility.EVERYONE, (), ())
    assert (await library.share(MOD, key, Visibility.OWNER, (), ())).visibility is Visibility.OWNER


async def test_a_blocked_member_sees_and_deletes_what_is_theirs_and_nothing_else(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.admin.block(MOD, ANN.member_id, "")
    library = harness.studio.library
    for action in (
        library.rename(ANN, key, "New"),
        library.describe(ANN, key, "x"),
        library.share(ANN, key, Visibility.EVERYONE, (), ()),
        library.export(ANN, key),
        library.clip(ANN, key),
        library.default(ANN, key),
        library.import_(ANN, "New", prompt_bytes(), attested=True),
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
    library = harness.studio.library
    voice = await library.resolve(ANN, f"s:{SPEAKERS[1]}")
    assert (voice.name, voice.record) == ("English speaker 6", None)
    assert await library.resolve(ANN, "english speaker 6") == voice
    with pytest.raises(NotFound):
        await library.resolve(ANN, "s:v2/en_speaker_99")
    with pytest.raises(InvalidInput, match="belong to the model"):
        await library.rename(MOD, "English speaker 6", "Mine")
    with pytest.raises(NotFound, match="no recording"):
        await library.clip(ANN, "English speaker 6")


async def test_before_the_models_are_loaded_a_speaker_is_taken_at_its_word(harness: StudioHarness) -> None:
    harness.executor.ready = None
    assert (await harness.studio.library.resolve(ANN, "s:v2/en_speaker_99")).speaker == "v2/en_speaker_99"
    unnamed = await harness.studio.library.resolve(ANN, None)
    assert (unnamed.key, unnamed.name, unnamed.speaker) == ("s:", "Built-in speaker", ANY_SPEAKER)
    assert await harness.studio.library.resolve(ANN, "s:") == unnamed


async def test_any_speaker_is_the_first_one_as_soon_as_there_is_one(harness: StudioHarness) -> None:
    assert (await harness.studio.library.resolve(ANN, "s:")).speaker == SPEAKERS[0]
    assert harness.executor.ready is not None
    harness.executor.ready = replace(harness.executor.ready, speakers=())
    with pytest.raises(NotFound, match="built-in speaker"):
        await harness.studio.library.resolve(ANN, "s:")


async def test_the_default_voice_is_the_choice_then_the_only_one_then_a_speaker(harness: StudioHarness) -> None:
    library = harness.studio.library
    assert (await library.resolve(ANN, None)).speaker == SPEAKERS[0]
    first = await harness.voice(name="First")
    assert (await library.resolve(ANN, " ")).key == first
    second = await harness.voice(name="Second")
    assert (await library.resolve(ANN, None)).speaker == SPEAKERS[0]
    chosen = await library.default(ANN, "second")
    assert chosen is not None
    assert (chosen.key, (await library.resolve(ANN, None)).key) == (second, second)
    assert (await library.resolve(BOB, None)).speaker == SPEAKERS[0]
    await library.delete(ANN, second)
    assert (await library.resolve(ANN, None)).key == first


async def test_the_servers_voice_speaks_for_who_has_none(harness: StudioHarness) -> None:
    library, admin = harness.studio.library, harness.studio.admin
    shared_by_bob = await shared(harness, "Barker", BOB)
    await shared(harness, "Second", BOB)
    chosen = await admin.default_voice(MOD, "barker")
    assert chosen is not None
    assert chosen.key == (await library.resolve(ANN, None)).key == shared_by_bob
    own = await harness.voice(name="Ann")
    assert (await library.resolve(ANN, None)).key == own
    await library.default(ANN, "Second")
    assert (await library.resolve(ANN, None)).name == "Second"
    assert (await library.resolve(MOD, None)).key == shared_by_bob
    await library.share(BOB, shared_by_bob, Visibility.OWNER, (), ())
    assert await library.of_server(GUILD) is None
    for action in (library.resolve(MOD, None), harness.say(actor=MOD), admin.default_voice(MOD, None)):
        with pytest.raises(VoiceUnavailable, match=r"no longer shared with everyone.*/admin default"):
            await action
    assert (await library.resolve(ANN, None)).name == "Second"
    await library.share(BOB, shared_by_bob, Visibility.EVERYONE, (), ())
    assert (await library.resolve(MOD, None)).key == shared_by_bob
    await library.delete(BOB, shared_by_bob)
    assert (await harness.storage.guilds.get(GUILD)).default_voice is None


async def test_a_built_in_speaker_as_the_servers_voice(harness: StudioHarness) -> None:
    await harness.studio.admin.default_voice(MOD, "English speaker 6")
    assert (await harness.studio.library.resolve(ANN, None)).name == "English speaker 6"
    assert harness.executor.ready is not None
    harness.executor.ready = replace(harness.executor.ready, speakers=SPEAKERS[:1])
    assert await harness.studio.library.of_server(GUILD) is None
    with pytest.raises(VoiceUnavailable, match="the loaded model does not have it"):
        await harness.say()


async def test_the_servers_voice_is_chosen_by_moderators_among_those_for_everyone(harness: StudioHarness) -> None:
    private = await harness.voice(ANN, "Ann")
    for actor, typed, error in ((ANN, "Ann", "moderators"), (MOD, private, "share it"), (MOD, "Nobody", "no such")):
        with pytest.raises(BarkeepError, match=error):
            await harness.studio.admin.default_voice(actor, typed)
    assert await harness.studio.admin.default_voice(MOD, None) is None
    await shared(harness, "Barker", BOB)
    await harness.studio.admin.default_voice(MOD, "Barker")
    assert await harness.studio.admin.default_voice(MOD, NO_VOICE) is None
    assert await harness.studio.library.of_server(GUILD) is None
    lines = (await harness.studio.admin.audit(MOD, 1)).entries
    assert [line.target for line in lines if line.action == "settings.voice"] == ["", "Barker"]


async def test_a_members_only_voice_speaks_for_them_among_many(harness: StudioHarness) -> None:
    await shared(harness, "First", BOB)
    await shared(harness, "Second", BOB)
    own = await harness.voice(ANN, "Ann")
    assert (await harness.studio.library.resolve(ANN, None)).key == own
    assert (await harness.studio.library.resolve(BOB, None)).speaker == SPEAKERS[0]


async def test_a_default_voice_that_is_no_longer_shared_is_told_and_no_other_speaks(harness: StudioHarness) -> None:
    key = await shared(harness, "Ann")
    library = harness.studio.library
    await library.default(BOB, key)
    await library.share(ANN, key, Visibility.OWNER, (), ())
    for action in (library.resolve(BOB, None), library.default(BOB, None), harness.say(actor=BOB)):
        with pytest.raises(NotAllowed, match="default voice is no longer shared"):
            await action
    assert (await harness.studio.privacy.show(BOB)).default_voice is None
    await library.default(BOB, "English speaker 6")
    assert (await library.resolve(BOB, None)).name == "English speaker 6"


async def test_a_default_speaker_that_other_models_do_not_have_is_told(harness: StudioHarness) -> None:
    await harness.studio.library.default(ANN, "German speaker 1")
    assert harness.executor.ready is not None
    harness.executor.ready = replace(harness.executor.ready, speakers=SPEAKERS[:1])
    with pytest.raises(NotAllowed, match="loaded model"):
        await harness.say()


async def test_without_any_voice_the_way_to_one_is_told(harness: StudioHarness) -> None:
    await harness.studio.close()
    harness.executor = FakeExecutor(speakers=())
    await harness.open()
    with pytest.raises(NotFound, match="/clone"):
        await harness.studio.library.resolve(ANN, None)
    assert await harness.studio.library.default(ANN, None) is None
    for name in ("One", "Two"):
        await harness.voice(name=name)
    with pytest.raises(NotFound, match="/voices default"):
        await harness.studio.library.resolve(ANN, None)


async def test_a_voice_that_is_being_made_says_so_and_can_be_deleted(harness: StudioHarness) -> None:
    harness.executor.hold()
    receipt = await harness.clone()
    for typed in ("Ann", f"v:{receipt.job.voice_id}"):
        with pytest.raises(Conflict, match="still being made"):
            await harness.studio.library.resolve(ANN, typed)
    with pytest.raises(NotFound):
        await harness.studio.library.resolve(BOB, "Ann")
    await until(lambda: bool(harness.executor.requests), "the request")
    record = await harness.studio.library.delete(ANN, "Ann")
    assert record.state is VoiceState.CLONING
    assert (await harness.ended(receipt.job.id)).state is JobState.CANCELLED
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
    names = [voice.name for page in pages for voice in page.voices]
    assert names == ["A", "B", "C", "English speaker 0", "English speaker 6", "German speaker 1"]
    assert [(page.number, page.pages, page.total) for page in pages] == [(1, 3, 6), (2, 3, 6), (3, 3, 6)]
    assert (await harness.studio.library.page(ANN, "", 99, size=2)).number == 3
    assert (await harness.studio.library.page(ANN, "", -1, size=2)).number == 1
    assert [voice.name for voice in (await harness.studio.library.page(ANN, "german", 1)).voices] == [
        "German speaker 1"
    ]
    empty = await harness.studio.library.page(ANN, "qqq", 1)
    assert (empty.voices, empty.number, empty.pages, empty.total) == ((), 1, 1, 0)


async def test_only_owner_and_moderators_change_a_voice(harness: StudioHarness) -> None:
    key = await shared(harness, "Ann")
    library = harness.studio.library
    for attempt in (
        library.rename(BOB, key, "Mine"),
        library.describe(BOB, key, "x"),
        library.share(BOB, key, Visibility.EVERYONE, (), ()),
        library.export(BOB, key),
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
    request = await harness.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    _, receipt = await harness.studio.clones.answer(request.id, BOB.member_id, True)
    assert receipt is not None
    await harness.ended(receipt.job.id)
    with pytest.raises(NotAllowed, match="private"):
        await harness.studio.library.resolve(BOB, "Bobby")
    await harness.studio.library.delete(BOB, "bobby")
    assert harness.files() == []


async def test_export_and_import_go_round(harness: StudioHarness) -> None:
    library = harness.studio.library
    key = await harness.voice(name="Ann & Lee")
    name, data = await library.export(ANN, key)
    assert name == "Ann-Lee.npz"
    assert VoicePrompt.load(data).fine.shape[0] == 8
    record = await library.import_(ANN, "Again", data, language="de", description="a copy", attested=True)
    assert (record.model, record.has_clip, record.language, record.speaker_id) == ("tiny", False, "de", ANN.member_id)
    assert VoicePrompt.load((await library.export(ANN, "Again"))[1]) == VoicePrompt.load(data)
    with pytest.raises(NotFound, match="no recording"):
        await library.clip(ANN, "Again")
    assert (await harness.ended((await harness.say(voice="Again")).job.id)).state is JobState.DELIVERED


async def test_an_import_has_to_fit_the_models_that_run(harness: StudioHarness) -> None:
    small = PromptSpec(semantic_vocab=10, codebook_size=64, semantic_rate=50.0, frame_rate=50.0)
    fine = np.ones((8, 50), dtype=np.int64)
    data = VoicePrompt(np.ones(50, dtype=np.int64), fine[:2], fine).to_bytes()
    assert harness.executor.ready is not None
    with pytest.raises(InvalidInput, match="other models"):
        await harness.studio.library.import_(ANN, "Small", data, attested=True)
    harness.executor.ready = replace(harness.executor.ready, prompt_spec=small)
    await harness.studio.library.import_(ANN, "Small", data, attested=True)
    with pytest.raises(InvalidInput, match="these models use 0 to 9"):
        await harness.studio.library.import_(ANN, "Large", prompt_bytes(), attested=True)


async def test_nothing_is_imported_before_the_models_are_known(harness: StudioHarness) -> None:
    harness.executor.ready = None
    with pytest.raises(Unavailable, match="in a minute"):
        await harness.studio.library.import_(ANN, "Early", prompt_bytes(), attested=True)
    assert harness.files() == []


def _npz(semantic_prompt: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, semantic_prompt=semantic_prompt)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a zip",
        prompt_bytes()[:-40],
        _npz(semantic_prompt=np.arange(5)),
        _npz(semantic_prompt=np.array([object()])),
        b"x" * (MAX_PROMPT_BYTES + 1),
    ],
    ids=["empty", "text", "cut", "one-array", "pickle", "large"],
)
async def test_a_bad_voice_file_is_refused_and_leaves_nothing(harness: StudioHarness, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        await harness.studio.library.import_(ANN, "Bad", data, attested=True)
    assert await harness.storage.voices.find(GUILD, "Bad") is None
    assert harness.files() == []


async def test_refused_imports_count_against_the_hour(harness: StudioHarness) -> None:
    await harness.studio.admin.change(MOD, jobs_per_hour_per_member=2)
    for _ in range(2):
        with pytest.raises(InvalidInput):
            await harness.studio.library.import_(ANN, "Bad", b"not a voice", attested=True)
    with pytest.raises(LimitReached, match="2 of your requests for this hour"):
        await harness.studio.library.import_(ANN, "Good", prompt_bytes(), attested=True)
    await harness.studio.library.import_(BOB, "Good", prompt_bytes(), attested=True)


async def test_files_of_several_members_are_read_one_at_a_time(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = []

    def read(data: bytes, spec: PromptSpec) -> bytes:
        reading.append(data)
        time.sleep(0.05)  # so long that another would come in between
        assert reading.pop() is data
        assert not reading
        return data

    monkeypatch.setattr("studio.voices.read_voice", read)
    library = harness.studio.library
    await asyncio.gather(
        library.import_(ANN, "One", prompt_bytes(), attested=True),
        library.import_(BOB, "Two", prompt_bytes(1), attested=True),
    )


async def test_an_import_needs_consent_rights_room_and_a_free_name(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = harness.studio.library
    with pytest.raises(NotAllowed, match="confirm"):
        await library.import_(ANN, "New", prompt_bytes(), attested=False)
    await harness.voice(name="Ann")
    with pytest.raises(Conflict):
        await library.import_(ANN, "ann", prompt_bytes(), attested=True)
    with pytest.raises(InvalidInput):
        await library.import_(ANN, "New", prompt_bytes(), language="xx", attested=True)
    await harness.studio.admin.change(MOD, clone_role_ids=[4])
    with pytest.raises(NotAllowed, match="roles"):
        await library.import_(ANN, "New", prompt_bytes(), attested=True)
    await harness.studio.admin.change(MOD, clone_role_ids=[], voices_per_member=1)
    with pytest.raises(LimitReached):
        await library.import_(ANN, "New", prompt_bytes(), attested=True)
    await harness.studio.admin.change(MOD, voices_per_member=5)

    async def full(*_: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(harness.storage.files, "put_voice_file", full)
    with pytest.raises(Unavailable):
        await library.import_(ANN, "New", prompt_bytes(), attested=True)
    assert await harness.storage.voices.find(GUILD, "New") is None


async def test_the_clip_is_for_those_who_may_use_the_voice(harness: StudioHarness) -> None:
    key = await harness.voice()
    record, data = await harness.studio.library.clip(ANN, key)
    assert record.name == "Ann"
    assert data.startswith(b"fLaC")
    with pytest.raises(NotFound):
        await harness.studio.library.clip(BOB, key)
    await harness.storage.files.drop_voice(GUILD, int(key[2:]))
    with pytest.raises(NotFound, match="no longer exists"):
        await harness.studio.library.clip(ANN, key)


@pytest.mark.parametrize(
    "typed",
    ["v:0", "v:99999999999999999999", "s:x", "s:../../etc/passwd", "v:-1", "%", "_", "' or 1", "\x00", "x" * 500],
)
async def test_whatever_is_typed_is_safe(harness: StudioHarness, typed: str) -> None:
    with pytest.raises(BarkeepError):
        await harness.studio.library.resolve(ANN, typed)
    await harness.studio.library.search(ANN, typed)
    await harness.studio.library.page(ANN, typed, 1)


@pytest.mark.parametrize(
    ("name", "file"), [("Ann", "Ann"), ("Ann Lee!", "Ann-Lee"), ("Zoë", "Zoë"), ("!!", "voice"), ("../x", "x")]
)
def test_file_names_are_plain(name: str, file: str) -> None:
    assert file_name(name) == file


async def test_an_archive_that_is_exported_has_the_three_arrays(harness: StudioHarness) -> None:
    key = await harness.voice()
    _, data = await harness.studio.library.export(ANN, key)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == ["coarse_prompt.npy", "fine_prompt.npy", "semantic_prompt.npy"]
