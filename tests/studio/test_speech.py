"""Accepting lines of speech, repeating and discarding them."""

import asyncio
from dataclasses import replace

import pytest

from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.worker.protocol import SpeakRequest
from errors import BarkeepError, InvalidInput, LimitReached, NotAllowed, NotFound, VoiceUnavailable
from storage.records import JobState, Visibility
from studio.values import Actor, CloneOrder, SayOrder, Update
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MAX_BYTES, MOD, STRANGER, StudioHarness, origin, person


def last(harness: StudioHarness) -> SpeakRequest:
    request = harness.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    return request


async def test_the_order_reaches_the_worker(harness: StudioHarness) -> None:
    key = await harness.voice()
    order = SayOrder("Hi <@7> [laughs]", key, "fr", 0.3, 42, True)
    queued = await harness.studio.speech.submit(ANN, order, {"7": "Zoë"}, origin(9, harness.clock), max_bytes=1000)
    job = await harness.ended(queued.id)
    assert (queued.id, Update(position=0)) in harness.courier.updates
    assert job.private
    request = last(harness)
    assert request.text == "Hi Zoë [laughs]"
    assert (request.language, request.temperature, request.seed, request.max_bytes) == ("fr", 0.3, 42, 1000)
    assert job.order["text"] == "Hi Zoë [laughs]"


async def test_without_a_name_the_default_voice_speaks_in_its_language(harness: StudioHarness) -> None:
    await harness.ended((await harness.say()).id)
    assert last(harness).speaker == "v2/en_speaker_0"
    await harness.studio.library.default(ANN, "German speaker 1")
    await harness.ended((await harness.say()).id)
    assert (last(harness).speaker, last(harness).language) == ("v2/de_speaker_1", "de")


async def test_before_the_models_are_loaded_a_line_without_a_voice_waits_for_them(harness: StudioHarness) -> None:
    harness.executor.ready = None
    job = await harness.say()
    await harness.ended(job.id)
    assert (last(harness).speaker, last(harness).prompt) == (ANY_SPEAKER, None)
    assert last(harness).tags["artist"] == "First built-in speaker (AI-generated voice)"


async def test_a_line_from_before_the_models_were_loaded_names_the_speaker_that_spoke(harness: StudioHarness) -> None:
    harness.executor.ready = None
    job = await harness.ended((await harness.say()).id)
    voice = harness.courier.of(job.id)[0].outcome.voice
    assert voice is not None
    assert voice.name == "English speaker 0"
    [line], _ = await harness.storage.audit.read(GUILD)
    assert line.target == "First built-in speaker"  # written when the job was accepted, so it has no name yet


async def test_an_answer_names_the_speaker_that_spoke_also_under_other_models(harness: StudioHarness) -> None:
    ready, harness.executor.ready = harness.executor.ready, None
    assert ready is not None
    harness.courier.reachable = False
    job = await harness.left((await harness.say()).id)
    harness.executor.ready = replace(ready, speakers=("announcer", *ready.speakers))
    voice = (await harness.studio.jobs.fetch(ANN, job.id)).voice
    assert voice is not None
    assert voice.name == "English speaker 0"


@pytest.mark.parametrize(
    "order",
    [
        SayOrder("😀"),
        SayOrder("x" * 6000),
        SayOrder("hi", language="xx"),
        SayOrder("hi", temperature=1.6),
        SayOrder("hi", temperature=-0.1),
        SayOrder("hi", temperature=float("nan")),
        SayOrder("hi", seed=-1),
        SayOrder("hi", seed=2**31),
    ],
)
async def test_bad_orders_are_refused(harness: StudioHarness, order: SayOrder) -> None:
    with pytest.raises(InvalidInput):
        await harness.studio.speech.submit(ANN, order, {}, None, max_bytes=MAX_BYTES)
    assert await harness.storage.jobs.queued() == []


async def test_rights_and_limits(harness: StudioHarness) -> None:
    await harness.studio.admin.change(MOD, speak_role_ids=[5])
    with pytest.raises(NotAllowed):
        await harness.say()
    await harness.studio.admin.change(MOD, speak_role_ids=[], text_length=5)
    with pytest.raises(InvalidInput, match="allows 5"):
        await harness.say("123456")
    await harness.studio.admin.change(MOD, jobs_per_hour_per_member=1)
    outcomes = await asyncio.gather(*(harness.say("hi") for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(outcome, LimitReached) for outcome in outcomes) == 3
    harness.clock.move(hours=1, seconds=1)
    await harness.say("hi")


async def test_a_voice_of_another_server_does_not_exist(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    for typed in (key, "Ann"):
        with pytest.raises(NotFound):
            await harness.say(actor=STRANGER, voice=typed)


async def test_repeat_says_the_same_with_another_seed(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    first = await harness.studio.speech.submit(ANN, SayOrder("hello", key, seed=3), {}, None, max_bytes=MAX_BYTES)
    await harness.ended(first.id)
    again = await harness.studio.speech.repeat(BOB, first.id, None, max_bytes=5)
    job = await harness.ended(again.id)
    assert job.member_id == BOB.member_id
    assert (last(harness).text, last(harness).seed, last(harness).max_bytes) == ("hello", None, 5)


async def test_a_voice_rests_while_its_owner_or_who_is_heard_is_away(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    line = await harness.say(actor=BOB, voice=key)
    await harness.ended(line.id)
    harness.courier.left.add(ANN.member_id)
    with pytest.raises(NotAllowed, match="is not on this server"):
        await harness.say(actor=BOB, voice=key)
    with pytest.raises(NotAllowed, match="is not on this server"):
        await harness.studio.speech.repeat(BOB, line.id, None, max_bytes=MAX_BYTES)
    harness.courier.left.clear()
    await harness.ended((await harness.say(actor=BOB, voice=key)).id)
    request = await harness.studio.clone_requests.ask_author(BOB, ANN.member_id, CloneOrder("Of Ann"), sound_bytes())
    await harness.studio.clone_requests.answer(request.id, ANN.member_id, True)
    await harness.ended(request.id)
    harness.courier.left.add(ANN.member_id)
    with pytest.raises(NotAllowed, match="is not on this server"):
        await harness.say(actor=BOB, voice="Of Ann")
    await harness.studio.admin.remove_voice(MOD, "Of Ann")


@pytest.mark.parametrize("whose", ["the server's", "the member's"])
async def test_a_default_voice_whose_owner_left_is_told_and_no_other_speaks(harness: StudioHarness, whose: str) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    if whose == "the server's":
        await harness.studio.admin.default_voice(MOD, key)
    else:
        await harness.studio.library.default(BOB, key)
    await harness.ended((await harness.say(actor=BOB)).id)
    harness.courier.left.add(ANN.member_id)
    with pytest.raises(VoiceUnavailable, match=r"The voice Ann cannot be used .* choose another default"):
        await harness.say(actor=BOB)
    assert [job.state for job, _ in await harness.studio.jobs.mine(BOB)] == []
    harness.courier.left.clear()
    await harness.ended((await harness.say(actor=BOB)).id)


async def test_a_voice_speaks_on_for_the_days_that_moderators_gave_it(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    await harness.studio.admin.change(MOD, away_days=2)
    harness.courier.left.add(ANN.member_id)
    await harness.ended((await harness.say(actor=BOB, voice=key)).id)
    harness.clock.move(hours=47)
    await harness.ended((await harness.say(actor=BOB, voice=key)).id)
    harness.clock.move(hours=1)
    harness.courier.silent = True  # who is away is not known, and what was known stays
    await harness.ended((await harness.say(actor=BOB, voice=key)).id)
    harness.courier.silent = False
    with pytest.raises(NotAllowed, match="not on this server"):
        await harness.say(actor=BOB, voice=key)
    harness.courier.left.clear()
    await harness.ended((await harness.say(actor=BOB, voice=key)).id)
    harness.courier.left.add(ANN.member_id)  # leaving again begins again
    await harness.ended((await harness.say(actor=BOB, voice=key)).id)
    await harness.studio.admin.change(MOD, away_days=0)
    with pytest.raises(NotAllowed, match="not on this server"):
        await harness.say(actor=BOB, voice=key)


async def test_repeat_looks_at_the_limit_of_this_moment(harness: StudioHarness) -> None:
    line = await harness.say("hello there")
    await harness.ended(line.id)
    await harness.studio.admin.change(MOD, text_length=5)
    with pytest.raises(InvalidInput, match="allows 5"):
        await harness.studio.speech.repeat(ANN, line.id, None, max_bytes=MAX_BYTES)


async def test_the_audit_log_says_who_spoke_as_whom_and_no_words(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    line = await harness.studio.speech.submit(
        ANN, SayOrder("hello", key, private=True), {}, origin(3, harness.clock), max_bytes=MAX_BYTES
    )
    await harness.ended(line.id)
    await harness.studio.speech.submit(ANN, SayOrder("hello", key), {}, origin(3, harness.clock), max_bytes=MAX_BYTES)
    open_line = await harness.say("hello", voice=key)
    await harness.ended(open_line.id)
    await harness.ended((await harness.studio.speech.repeat(BOB, open_line.id, None, max_bytes=1)).id)
    said = [entry for entry in (await harness.studio.admin.audit(MOD, 1)).entries if entry.action.startswith("speech.")]
    assert [(entry.actor_id, entry.action, entry.target, entry.detail) for entry in reversed(said)] == [
        (ANN.member_id, "speech.say", "Ann", ""),
        (ANN.member_id, "speech.say", "Ann", ""),
        (BOB.member_id, "speech.repeat", "Ann", ""),
    ]


async def test_a_line_that_is_refused_leaves_none_in_the_audit_log(harness: StudioHarness) -> None:
    await harness.studio.admin.change(MOD, jobs_per_hour_per_member=0)
    with pytest.raises(LimitReached):
        await harness.say()
    assert "speech.say" not in [entry.action for entry in (await harness.studio.admin.audit(MOD, 1)).entries]


@pytest.mark.parametrize("who", [BOB, STRANGER, MOD], ids=["other", "stranger", "moderator"])
async def test_a_private_line_is_repeated_by_its_member_only(harness: StudioHarness, who: Actor) -> None:
    queued = await harness.studio.speech.submit(ANN, SayOrder("secret", private=True), {}, None, max_bytes=MAX_BYTES)
    await harness.ended(queued.id)
    with pytest.raises(NotFound):
        await harness.studio.speech.repeat(who, queued.id, None, max_bytes=MAX_BYTES)
    again = await harness.studio.speech.repeat(ANN, queued.id, None, max_bytes=MAX_BYTES)
    assert again.private
    await harness.ended(again.id)


async def test_what_cannot_be_repeated(harness: StudioHarness) -> None:
    clone = await harness.clone()
    await harness.ended(clone.id)
    key = f"v:{clone.voice_id}"
    line = await harness.say(voice=key)
    await harness.ended(line.id)
    for job_id, actor in ((clone.id, ANN), ("nothing", ANN), (line.id, BOB), (line.id, STRANGER)):
        with pytest.raises(NotFound):
            await harness.studio.speech.repeat(actor, job_id, None, max_bytes=MAX_BYTES)
    await harness.studio.library.delete(ANN, key)
    with pytest.raises(NotFound):
        await harness.studio.speech.repeat(ANN, line.id, None, max_bytes=MAX_BYTES)


async def test_discard_removes_the_recording(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    queued = await harness.say()
    await harness.left(queued.id)
    assert [name for name in harness.files() if name.startswith("results")]
    with pytest.raises(NotAllowed):
        await harness.studio.speech.discard(BOB, queued.id)
    with pytest.raises(NotFound):
        await harness.studio.speech.discard(STRANGER, queued.id)
    await harness.studio.speech.discard(MOD, queued.id)
    assert harness.files() == []
    assert await harness.studio.jobs.mine(ANN) == []


async def test_discarding_what_waits_cancels_it(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    await harness.say("in the way", actor=person(8))
    waiting = await harness.say("not this")
    await harness.studio.speech.discard(ANN, waiting.id)
    release()
    assert (await harness.ended(waiting.id)).state is JobState.CANCELLED


async def test_the_same_interaction_twice_is_one_line(harness: StudioHarness) -> None:
    order = SayOrder("hello")
    several = [
        await harness.studio.speech.submit(ANN, order, {}, origin(4, harness.clock), max_bytes=MAX_BYTES)
        for _ in range(2)
    ]
    assert several[0].id == several[1].id
    await harness.ended(several[0].id)
    assert len(harness.courier.delivered) == 1


async def test_refusals_are_sentences(harness: StudioHarness) -> None:
    for typed in ("nobody", "v:99", "s:v2/xx_speaker_1"):
        with pytest.raises(BarkeepError) as refusal:
            await harness.say(voice=typed)
        assert refusal.value.message[-1] in ".?"
