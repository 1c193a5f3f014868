"""Whether an accepted job may still run, and what the worker is asked for."""

from dataclasses import replace

import pytest

from cloning.worker.protocol import SpeakRequest
from storage.records import JobState, Visibility, VoiceModels
from studio.values import CloneOrder, SayOrder
from tests.fakes import prompt_bytes, sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MAX_BYTES, MOD, StudioHarness


async def test_a_built_in_speaker_speaks_by_name(harness: StudioHarness) -> None:
    receipt = await harness.say(voice="German speaker 1")
    job = await harness.ended(receipt.job.id)
    request = harness.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert (request.speaker, request.prompt, request.language) == ("v2/de_speaker_1", None, "de")
    [answer] = harness.courier.of(job.id)
    assert answer.outcome.voice is not None
    assert answer.outcome.voice.name == "German speaker 1"


async def test_what_was_begun_when_the_worker_died_is_asked_for_alone(harness: StudioHarness) -> None:
    harness.executor.lose_next(2)
    await harness.ended((await harness.say("hello")).job.id)
    await harness.voice()
    assert [request.alone for request in harness.executor.requests] == [False, True, True, False]
    harness.executor.lose_next()
    await harness.voice(name="Second")
    assert [request.alone for request in harness.executor.requests[4:]] == [False, True]


async def test_a_voice_deleted_before_its_turn_fails_the_line_with_a_sentence(harness: StudioHarness) -> None:
    key = await harness.voice()
    release = harness.executor.hold()
    await harness.say("in the way")
    waiting = await harness.say("hello", voice=key)
    await harness.studio.library.delete(ANN, key)
    release()
    job = await harness.ended(waiting.job.id)
    assert job.error_message == "The voice was deleted before your request started."


@pytest.mark.parametrize(("change", "sentence"), [("unshare", "no longer shared"), ("block", "blocked you")])
async def test_rights_lost_while_waiting_are_noticed(harness: StudioHarness, change: str, sentence: str) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    release = harness.executor.hold()
    await harness.say("in the way")
    waiting = await harness.say("hello", actor=BOB, voice=key)
    if change == "unshare":
        await harness.studio.library.share(ANN, key, Visibility.OWNER, (), ())
    else:
        await harness.storage.members.block(GUILD, BOB.member_id, MOD.member_id)
    release()
    job = await harness.ended(waiting.job.id)
    assert job.error_kind == "NotAllowed"
    assert sentence in (job.error_message or "")


async def test_consent_withdrawn_while_waiting_stops_the_clone(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    await harness.say("in the way")
    waiting = await harness.clone()
    await harness.storage.consents.revoke(GUILD, ANN.member_id)
    release()
    job = await harness.ended(waiting.job.id)
    assert "withdrawn" in (job.error_message or "")
    assert await harness.storage.voices.find(GUILD, "Ann") is None


@pytest.mark.parametrize("change", ["another name", "other weights under the same name"])
async def test_a_voice_of_other_models_is_cloned_again_from_its_clip(harness: StudioHarness, change: str) -> None:
    receipt = await harness.studio.clones.submit(ANN, CloneOrder("Ann", "de"), sound_bytes(), None, attested=True)
    await harness.ended(receipt.job.id)
    key = f"v:{receipt.job.voice_id}"
    voice_id = int(key[2:])
    assert (await harness.storage.voices.get(GUILD, voice_id)).model_digest == "weights of tiny"
    if change == "another name":
        harness.model = "larger"
        await harness.restart()
    else:
        assert harness.executor.ready is not None
        harness.executor.ready = replace(harness.executor.ready, digest="other weights")
    english = SayOrder("Good evening.", key, "en")
    job = await harness.ended((await harness.studio.speech.submit(ANN, english, {}, None, max_bytes=MAX_BYTES)).job.id)
    assert job.state is JobState.DELIVERED
    request = harness.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert (request.prompt_model, request.prompt_digest) == ("tiny", "weights of tiny")
    assert request.clip is not None
    assert (request.language, request.clip_language) == ("en", "de")
    record = await harness.storage.voices.get(GUILD, voice_id)
    assert (record.model, record.quantizer) == (harness.executor.model, "quantizer-de")
    assert record.model_digest == harness.executor.digest
    assert await harness.storage.files.read_voice_file(GUILD, record.id, "prompt.npz") == prompt_bytes(1)
    await harness.ended((await harness.say(voice=key)).job.id)
    again = harness.executor.requests[-1]
    assert isinstance(again, SpeakRequest)
    assert again.prompt_digest == harness.executor.digest


async def test_an_imported_voice_of_other_models_says_so(harness: StudioHarness) -> None:
    record = await harness.studio.voice_files.import_(ANN, "Old", prompt_bytes(), attested=True)
    assert (record.model, record.model_digest) == ("tiny", "weights of tiny")
    await harness.storage.voices.set_models(GUILD, record.id, VoiceModels("other", "", "imported", "others"))
    job = await harness.ended((await harness.say(voice="Old")).job.id)
    assert job.error_kind == "InvalidInput"
    assert "imported" in (job.error_message or "")


async def test_a_voice_without_its_prompt_is_made_from_its_clip(harness: StudioHarness) -> None:
    key = await harness.voice()
    record = await harness.storage.voices.get(GUILD, int(key[2:]))
    harness.storage.files.voice_file(GUILD, record.id, "prompt.npz").unlink()
    assert (await harness.ended((await harness.say(voice=key)).job.id)).state is JobState.DELIVERED
    assert await harness.storage.files.read_voice_file(GUILD, record.id, "prompt.npz") == prompt_bytes(1)


async def test_missing_files_of_a_voice_are_a_sentence(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.storage.files.drop_voice(GUILD, int(key[2:]))
    job = await harness.ended((await harness.say(voice=key)).job.id)
    assert "files of the voice Ann are missing" in (job.error_message or "")
