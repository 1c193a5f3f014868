"""What a job's order holds in storage, whether the job may still run, and what the worker is asked for."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.worker.protocol import SpeakRequest
from errors import InvalidInput
from storage.records import JobState, Visibility, VoiceModels
from studio.queue.job_payload import SpeechPayload, clone_of, clone_to_json
from studio.values import CloneOrder, SayOrder
from tests.fakes import prompt_bytes, sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MAX_BYTES, MOD, StudioHarness
from tests.studio.queue.test_fair_order import job

_IDS = st.integers(1, 2**63 - 1)


@given(
    st.builds(
        SpeechPayload,
        text=st.text(),
        voice=st.text(),
        language=st.sampled_from(["en", "de"]),
        temperature=st.none() | st.floats(0, 1.5),
        seed=st.none() | st.integers(0, 2**31 - 1),
        max_bytes=st.integers(0, 2**30),
        roles=st.lists(_IDS).map(tuple),
    )
)
def test_a_line_of_speech_survives_json(order: SpeechPayload) -> None:
    kept = {**order.to_json(), "voice_name": "from an earlier version", "moderator": True}
    record = replace(job(1, 900, 7), order=json.loads(json.dumps(kept)))
    assert SpeechPayload.of(record) == order
    actor = order.actor(record)
    assert (actor.guild_id, actor.member_id, actor.is_moderator) == (900, 7, False)
    assert actor.role_ids == frozenset(order.roles)


@given(st.builds(CloneOrder, name=st.text(), language=st.text(), description=st.text(), speaker_id=st.none() | _IDS))
def test_a_clone_survives_json(order: CloneOrder) -> None:
    kept = {**clone_to_json(order), "method": "from a later version"}
    assert clone_of(json.loads(json.dumps(kept))) == order


def test_what_a_version_without_a_field_kept_is_read_with_its_default() -> None:
    record = replace(job(1, 900, 7), order={"text": "hello", "voice": "v:1"})
    order = SpeechPayload.of(record)
    assert order == SpeechPayload("hello", "v:1")
    assert not order.actor(record).is_moderator
    assert order.actor(record).role_ids == frozenset()
    assert clone_of({"name": "Ada"}) == CloneOrder("Ada")


@pytest.mark.parametrize("field", [field.name for field in fields(SpeechPayload)])
def test_no_field_of_a_line_of_speech_but_text_and_voice_must_be_there(field: str) -> None:
    kept = SpeechPayload("hello", "v:1", "de", 0.5, 7, 100, (1,)).to_json()
    del kept[field]
    record = replace(job(1, 900, 7), order=kept)
    if field in ("text", "voice"):
        with pytest.raises(InvalidInput, match="try again"):
            SpeechPayload.of(record)
    else:
        assert SpeechPayload.of(record).text == "hello"


def test_a_clone_without_a_name_is_said() -> None:
    with pytest.raises(InvalidInput, match="try again"):
        clone_of({})


async def test_a_built_in_speaker_speaks_by_name(harness: StudioHarness) -> None:
    accepted = await harness.say(voice="German speaker 1")
    job = await harness.ended(accepted.id)
    request = harness.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert (request.speaker, request.prompt, request.language) == ("v2/de_speaker_1", None, "de")
    [answer] = harness.courier.of(job.id)
    assert answer.outcome.voice is not None
    assert answer.outcome.voice.name == "German speaker 1"


async def test_what_was_begun_when_the_worker_died_is_asked_for_alone(harness: StudioHarness) -> None:
    harness.executor.lose_next(2)
    await harness.ended((await harness.say("hello")).id)
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
    job = await harness.ended(waiting.id)
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
    job = await harness.ended(waiting.id)
    assert job.error_kind == "NotAllowed"
    assert sentence in (job.error_message or "")


async def test_consent_withdrawn_while_waiting_stops_the_clone(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    await harness.say("in the way")
    waiting = await harness.clone()
    await harness.storage.consents.revoke(GUILD, ANN.member_id)
    release()
    job = await harness.ended(waiting.id)
    assert "withdrawn" in (job.error_message or "")
    assert await harness.storage.voices.find(GUILD, "Ann") is None


@pytest.mark.parametrize("change", ["another name", "other weights under the same name"])
async def test_a_voice_of_other_models_is_cloned_again_from_its_clip(harness: StudioHarness, change: str) -> None:
    accepted = await harness.studio.clones.submit(ANN, CloneOrder("Ann", "de"), sound_bytes(), None, attested=True)
    await harness.ended(accepted.id)
    key = f"v:{accepted.voice_id}"
    voice_id = int(key[2:])
    assert (await harness.storage.voices.get(GUILD, voice_id)).model_digest == "weights of tiny"
    if change == "another name":
        harness.model = "larger"
        await harness.restart()
    else:
        assert harness.executor.ready is not None
        harness.executor.ready = replace(harness.executor.ready, digest="other weights")
    english = SayOrder("Good evening.", key, "en")
    job = await harness.ended((await harness.studio.speech.submit(ANN, english, {}, None, max_bytes=MAX_BYTES)).id)
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
    await harness.ended((await harness.say(voice=key)).id)
    again = harness.executor.requests[-1]
    assert isinstance(again, SpeakRequest)
    assert again.prompt_digest == harness.executor.digest


async def test_an_imported_voice_of_other_models_says_so(harness: StudioHarness) -> None:
    record = await harness.studio.voice_files.import_(ANN, "Old", prompt_bytes(), attested=True)
    assert (record.model, record.model_digest) == ("tiny", "weights of tiny")
    await harness.storage.voices.set_models(GUILD, record.id, VoiceModels("other", "", "imported", "others"))
    job = await harness.ended((await harness.say(voice="Old")).id)
    assert job.error_kind == "InvalidInput"
    assert "imported" in (job.error_message or "")


async def test_a_voice_without_its_prompt_is_made_from_its_clip(harness: StudioHarness) -> None:
    key = await harness.voice()
    record = await harness.storage.voices.get(GUILD, int(key[2:]))
    harness.storage.files.voice_file(GUILD, record.id, "prompt.npz").unlink()
    assert (await harness.ended((await harness.say(voice=key)).id)).state is JobState.DELIVERED
    assert await harness.storage.files.read_voice_file(GUILD, record.id, "prompt.npz") == prompt_bytes(1)


async def test_missing_files_of_a_voice_are_a_sentence(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.storage.files.drop_voice(GUILD, int(key[2:]))
    job = await harness.ended((await harness.say(voice=key)).id)
    assert "files of the voice Ann are missing" in (job.error_message or "")
