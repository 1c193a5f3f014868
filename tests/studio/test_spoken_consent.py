"""Spoken consent: nothing is cloned without the sentence, in time, by its member, with the rights of the moment."""

import asyncio
import io
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest

from cloning.consent.sentences import parts
from errors import Conflict, InvalidInput, LimitReached, NotAllowed, NotFound, Unavailable
from storage.consent_records import ConsentKind
from studio.housekeeping import LISTENING
from studio.spoken_consent import ATTEMPTS, SAY_WITHIN, SENTENCES_PER_HOUR
from studio.values import CloneOrder
from tests.fakes import prompt_bytes, sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, StudioHarness, until
from tests.studio.spoken_sentences import NO_VOICE, SAID, asked, lines

pytestmark = pytest.mark.usefixtures("asks_for_speech")


async def test_the_sentence_in_the_voice_clones_and_only_the_figures_stay(harness: StudioHarness) -> None:
    question = await asked(harness)
    assert len(parts(question.sentence)[1]) == 5
    assert question.expires_at - question.created_at == SAY_WITHIN
    assert harness.executor.requests == []
    accepted = await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    job = await harness.ended(accepted.id)
    assert harness.executor.listened == [(sound_bytes(), SAID, question.sentence)]
    assert (job.id, job.state) == (question.id, "delivered")
    voice = await harness.storage.voices.get(GUILD, int(job.voice_id or 0))
    assert (voice.owner_id, voice.speaker_id, voice.name) == (ANN.member_id, ANN.member_id, "Ann")
    stored = await harness.storage.spoken_consents.get(question.id)
    assert (stored.words, stored.likeness, stored.voice_id) == (5, 0.9, voice.id)
    assert stored.given_at == harness.clock()
    assert all(name.startswith(f"voices/{GUILD}-") for name in harness.files())
    assert ("voice.clone", "own voice, policy 1, spoken: 5 of 5 words, likeness 0.90") in await lines(harness)
    assert await harness.storage.consents.get(GUILD, ANN.member_id) is not None


async def test_a_box_alone_is_not_enough_nor_a_file(harness: StudioHarness) -> None:
    with pytest.raises(NotAllowed, match="saying a sentence"):
        await harness.clone()
    with pytest.raises(NotAllowed, match="spoken consent"):
        await harness.studio.voice_files.import_(ANN, "Ann", prompt_bytes(), attested=True)
    assert harness.files() == []


async def test_where_a_box_is_enough_the_log_says_so(harness: StudioHarness) -> None:
    await harness.studio.admin.change(MOD, consent="checkbox")
    await harness.ended((await harness.clone()).id)
    assert ("voice.clone", "own voice, policy 1, by a box") in await lines(harness)


async def test_a_sentence_is_said_once(harness: StudioHarness) -> None:
    question = await asked(harness)
    await harness.ended((await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)).id)
    with pytest.raises(Conflict):
        await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert len(harness.executor.requests) == 1


async def test_after_ten_minutes_the_sentence_and_the_recording_are_gone(harness: StudioHarness) -> None:
    question = await asked(harness)
    harness.clock.now += SAY_WITHIN
    with pytest.raises(Conflict, match="time for this sentence is over"):
        await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    await harness.studio.upkeep()
    assert harness.files() == [f"uploads/{question.id}"]  # an answer that came in time may still be listened to
    harness.clock.now += LISTENING
    await harness.studio.upkeep()
    assert harness.files() == []
    with pytest.raises(NotFound):
        await harness.studio.spoken.find(question.id, ANN.member_id)


async def test_a_newer_sentence_replaces_the_older_one(harness: StudioHarness) -> None:
    older = await asked(harness, "Older")
    newer = await asked(harness, "Newer")
    assert (await harness.studio.spoken.waiting(ANN.member_id, GUILD)) == [newer]
    assert harness.files() == [f"uploads/{newer.id}"]
    with pytest.raises(NotFound, match="newer one"):
        await harness.studio.spoken.answer(older.id, ANN.member_id, SAID)


async def test_a_newer_sentence_stays_whole_where_the_older_recording_cannot_be_deleted(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = await asked(harness, "Older")
    drop = harness.storage.files.drop_upload

    async def fails(upload_id: str) -> None:
        if upload_id == older.id:
            raise Unavailable("The disk does not answer.")
        await drop(upload_id)

    monkeypatch.setattr(harness.storage.files, "drop_upload", fails)
    newer = await asked(harness, "Newer")
    assert harness.files() == sorted([f"uploads/{older.id}", f"uploads/{newer.id}"])
    accepted = await harness.studio.spoken.answer(newer.id, ANN.member_id, SAID)
    assert (await harness.ended(accepted.id)).state == "delivered"
    monkeypatch.undo()
    await harness.restart()
    assert f"uploads/{older.id}" not in harness.files()


async def test_nobody_else_says_it(harness: StudioHarness) -> None:
    question = await asked(harness)
    with pytest.raises(NotAllowed, match="Only the member"):
        await harness.studio.spoken.answer(question.id, BOB.member_id, SAID)
    with pytest.raises(NotFound):
        await harness.studio.spoken.waiting(BOB.member_id, GUILD)
    with pytest.raises(NotAllowed, match="someone else"):
        await harness.studio.spoken.ask(ANN, CloneOrder("Bob", speaker_id=BOB.member_id), sound_bytes())


async def test_a_restart_in_between_loses_nothing(harness: StudioHarness) -> None:
    question = await asked(harness)
    await harness.restart()
    accepted = await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert (await harness.ended(accepted.id)).state == "delivered"


async def test_rights_count_at_the_answer(harness: StudioHarness) -> None:
    question = await asked(harness)
    await harness.studio.admin.change(MOD, clone_role_ids={77})
    with pytest.raises(NotAllowed, match="roles"):
        await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert harness.executor.listened == []
    harness.courier.roles[ANN.member_id] = {77}
    release = harness.executor.hold()
    answer = asyncio.create_task(harness.studio.spoken.answer(question.id, ANN.member_id, SAID))
    await until(lambda: bool(harness.executor.listened), "the recording to be listened to")
    harness.courier.roles[ANN.member_id] = set()
    release()
    with pytest.raises(NotAllowed, match="roles"):
        await answer
    harness.courier.left.add(ANN.member_id)
    with pytest.raises(NotAllowed, match="left"):
        await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)
    assert harness.executor.requests == []


async def test_without_the_recogniser_nothing_is_cloned_and_nothing_set(harness: StudioHarness) -> None:
    question = await asked(harness)
    harness.executor.consent_languages = ()
    for attempt in (
        harness.clone(),
        asked(harness),
        harness.studio.spoken.answer(question.id, ANN.member_id, SAID),
    ):
        with pytest.raises(Unavailable, match="make consent"):
            await attempt
    await harness.studio.admin.change(MOD, consent="checkbox")
    with pytest.raises(Unavailable, match=r"make consent.*Nothing was changed"):
        await harness.studio.admin.change(MOD, consent="spoken")
    assert (await harness.studio.admin.settings(MOD)).consent is ConsentKind.CHECKBOX


async def test_so_many_sentences_an_hour(harness: StudioHarness) -> None:
    for _ in range(SENTENCES_PER_HOUR):
        await asked(harness)
    await harness.restart()
    with pytest.raises(LimitReached, match=r"all 12 of your sentences for this hour.*60 minutes"):
        await asked(harness)
    harness.clock.now += timedelta(hours=1)
    assert await asked(harness)


async def test_an_author_says_it_for_whoever_asked(harness: StudioHarness) -> None:
    request = await harness.studio.clone_requests.ask_author(
        ANN, BOB.member_id, CloneOrder("Bob's"), sound_bytes("FLAC")
    )
    with pytest.raises(NotAllowed, match="saying a sentence"):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    with pytest.raises(NotAllowed):
        await harness.studio.spoken.ask_author(request.id, ANN.member_id)
    question = await harness.studio.spoken.ask_author(request.id, BOB.member_id)
    harness.executor.heard = NO_VOICE
    for _ in range(ATTEMPTS):
        with pytest.raises(InvalidInput):
            await harness.studio.spoken.answer(request.id, BOB.member_id, SAID)
    assert harness.files() == [f"uploads/{request.id}"]  # the request is still open
    harness.executor.heard = replace(NO_VOICE, likeness=0.91)
    question = await harness.studio.spoken.ask_author(request.id, BOB.member_id)
    assert question is not None
    accepted = await harness.studio.spoken.answer(question.id, BOB.member_id, SAID)
    await harness.ended(accepted.id)
    assert harness.executor.listened[-1] == (sound_bytes("FLAC"), SAID, question.sentence)
    voice = await harness.storage.voices.get(GUILD, int(accepted.voice_id or 0))
    assert (voice.owner_id, voice.speaker_id) == (ANN.member_id, BOB.member_id)
    assert ("consent.allow", "Bob's, spoken: 5 of 5 words, likeness 0.91") in await lines(harness)
    with pytest.raises(Conflict):
        await harness.studio.spoken.ask_author(request.id, BOB.member_id)
    await harness.studio.admin.change(MOD, consent="checkbox")
    assert await harness.studio.spoken.ask_author(request.id, BOB.member_id) is None


async def test_an_author_may_refuse_without_a_word(harness: StudioHarness) -> None:
    request = await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder("Bob's"), sound_bytes())
    await harness.studio.spoken.ask_author(request.id, BOB.member_id)
    await harness.studio.clone_requests.answer(request.id, BOB.member_id, False)
    with pytest.raises(Conflict):
        await harness.studio.spoken.answer(request.id, BOB.member_id, SAID)
    assert harness.executor.requests == []


async def test_what_is_deleted_with_the_voice_and_with_the_member(harness: StudioHarness) -> None:
    question = await asked(harness)
    await harness.ended((await harness.studio.spoken.answer(question.id, ANN.member_id, SAID)).id)
    await harness.studio.library.delete(ANN, "Ann")
    with pytest.raises(NotFound):
        await harness.storage.spoken_consents.get(question.id)
    waiting = await asked(harness, "Again")
    assert (await harness.studio.privacy.show(ANN)).spoken == 1
    assert waiting.sentence.encode() in await exported(harness)
    await harness.studio.privacy.forget(ANN)
    assert harness.files() == []
    assert await harness.storage.spoken_consents.of_member(GUILD, ANN.member_id) == []


async def test_the_owner_of_the_bot_sets_the_default(harness: StudioHarness) -> None:
    await harness.studio.admin.change(MOD, consent=None)
    assert not await harness.studio.clones.asks_for_speech(GUILD)
    harness.studio.clones._consent = ConsentKind.SPOKEN
    assert await harness.studio.clones.asks_for_speech(GUILD)


async def exported(harness: StudioHarness) -> bytes:
    """The records of Ann's export."""
    with zipfile.ZipFile(io.BytesIO(await harness.studio.privacy.export([ANN]))) as archive:
        return archive.read("data.json")
