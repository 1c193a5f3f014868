"""Whether an accepted job may still run, and what the worker is asked for."""

from dataclasses import replace

import pytest

from cloning.worker.protocol import SpeakRequest
from storage.records import JobState, Visibility, VoiceModels
from studio.values import CloneOrder, SayOrder
from tests.fakes import prompt_bytes, sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MAX_BYTES, MOD, House


async def test_a_built_in_speaker_speaks_by_name(house: House) -> None:
    receipt = await house.say(voice="German speaker 1")
    job = await house.ended(receipt.job.id)
    request = house.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert (request.speaker, request.prompt, request.language) == ("v2/de_speaker_1", None, "de")
    [answer] = house.courier.of(job.id)
    assert answer.outcome.voice is not None
    assert answer.outcome.voice.name == "German speaker 1"


async def test_a_voice_deleted_before_its_turn_fails_the_line_with_a_sentence(house: House) -> None:
    key = await house.voice()
    release = house.executor.hold()
    await house.say("in the way")
    waiting = await house.say("hello", voice=key)
    await house.studio.library.delete(ANN, key)
    release()
    job = await house.ended(waiting.job.id)
    assert job.error_message == "The voice was deleted before your request started."


@pytest.mark.parametrize(("change", "sentence"), [("unshare", "no longer shared"), ("block", "blocked you")])
async def test_rights_lost_while_waiting_are_noticed(house: House, change: str, sentence: str) -> None:
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    release = house.executor.hold()
    await house.say("in the way")
    waiting = await house.say("hello", actor=BOB, voice=key)
    if change == "unshare":
        await house.studio.library.share(ANN, key, Visibility.OWNER, (), ())
    else:
        await house.storage.members.block(GUILD, BOB.member_id, MOD.member_id)
    release()
    job = await house.ended(waiting.job.id)
    assert job.error_kind == "NotAllowed"
    assert sentence in (job.error_message or "")


async def test_consent_withdrawn_while_waiting_stops_the_clone(house: House) -> None:
    release = house.executor.hold()
    await house.say("in the way")
    waiting = await house.clone()
    await house.storage.consents.revoke(GUILD, ANN.member_id)
    release()
    job = await house.ended(waiting.job.id)
    assert "withdrawn" in (job.error_message or "")
    assert await house.storage.voices.find(GUILD, "Ann") is None


@pytest.mark.parametrize("change", ["another name", "other weights under the same name"])
async def test_a_voice_of_other_models_is_cloned_again_from_its_clip(house: House, change: str) -> None:
    receipt = await house.studio.clones.submit(ANN, CloneOrder("Ann", "de"), sound_bytes(), None, attested=True)
    await house.ended(receipt.job.id)
    key = f"v:{receipt.job.voice_id}"
    voice_id = int(key[2:])
    assert (await house.storage.voices.get(GUILD, voice_id)).model_digest == "weights of tiny"
    if change == "another name":
        house.model = "larger"
        await house.restart()
    else:
        assert house.executor.ready is not None
        house.executor.ready = replace(house.executor.ready, digest="other weights")
    english = SayOrder("Good evening.", key, "en")
    job = await house.ended((await house.studio.speech.submit(ANN, english, {}, None, max_bytes=MAX_BYTES)).job.id)
    assert job.state is JobState.DELIVERED
    request = house.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert (request.prompt_model, request.prompt_digest) == ("tiny", "weights of tiny")
    assert request.clip is not None
    assert (request.language, request.clip_language) == ("en", "de")
    record = await house.storage.voices.get(GUILD, voice_id)
    assert (record.model, record.quantizer) == (house.executor.model, "quantizer-de")
    assert record.model_digest == house.executor.digest
    assert await house.storage.files.read_voice_file(GUILD, record.id, "prompt.npz") == prompt_bytes(1)
    await house.ended((await house.say(voice=key)).job.id)
    again = house.executor.requests[-1]
    assert isinstance(again, SpeakRequest)
    assert again.prompt_digest == house.executor.digest


async def test_an_imported_voice_of_other_models_says_so(house: House) -> None:
    record = await house.studio.library.import_(ANN, "Old", prompt_bytes(), attested=True)
    assert (record.model, record.model_digest) == ("tiny", "weights of tiny")
    await house.storage.voices.set_models(GUILD, record.id, VoiceModels("other", "", "imported", "others"))
    job = await house.ended((await house.say(voice="Old")).job.id)
    assert job.error_kind == "InvalidInput"
    assert "imported" in (job.error_message or "")


async def test_a_voice_without_its_prompt_is_made_from_its_clip(house: House) -> None:
    key = await house.voice()
    record = await house.storage.voices.get(GUILD, int(key[2:]))
    house.storage.files.voice_file(GUILD, record.id, "prompt.npz").unlink()
    assert (await house.ended((await house.say(voice=key)).job.id)).state is JobState.DELIVERED
    assert await house.storage.files.read_voice_file(GUILD, record.id, "prompt.npz") == prompt_bytes(1)


async def test_missing_files_of_a_voice_are_a_sentence(house: House) -> None:
    key = await house.voice()
    await house.storage.files.drop_voice(GUILD, int(key[2:]))
    job = await house.ended((await house.say(voice=key)).job.id)
    assert "files of the voice Ann are missing" in (job.error_message or "")
