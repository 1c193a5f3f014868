"""Accepting lines of speech, repeating and discarding them."""

import asyncio

import pytest

from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.worker.protocol import SpeakRequest
from errors import BarkeepError, InvalidInput, LimitReached, NotAllowed, NotFound, VoiceUnavailable
from storage.records import JobState, Visibility
from studio.values import Actor, CloneOrder, SayOrder
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, MAX_BYTES, MOD, STRANGER, House, origin, person


def last(house: House) -> SpeakRequest:
    request = house.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    return request


async def test_the_order_reaches_the_worker(house: House) -> None:
    key = await house.voice()
    order = SayOrder("Hi <@7> [laughs]", key, "fr", 0.3, 42, True)
    receipt = await house.studio.speech.submit(ANN, order, {"7": "Zoë"}, origin(9, house.clock), max_bytes=1000)
    job = await house.ended(receipt.job.id)
    assert (receipt.position, job.private) == (0, True)
    request = last(house)
    assert request.text == "Hi Zoë [laughs]"
    assert (request.language, request.temperature, request.seed, request.max_bytes) == ("fr", 0.3, 42, 1000)
    assert job.order["text"] == "Hi Zoë [laughs]"


async def test_without_a_name_the_default_voice_speaks_in_its_language(house: House) -> None:
    await house.ended((await house.say()).job.id)
    assert last(house).speaker == "v2/en_speaker_0"
    await house.studio.library.default(ANN, "German speaker 1")
    await house.ended((await house.say()).job.id)
    assert (last(house).speaker, last(house).language) == ("v2/de_speaker_1", "de")


async def test_before_the_models_are_loaded_a_line_without_a_voice_waits_for_them(house: House) -> None:
    house.executor.ready = None
    job = (await house.say()).job
    await house.ended(job.id)
    assert (last(house).speaker, last(house).prompt) == (ANY_SPEAKER, None)
    assert last(house).tags["artist"] == "Built-in speaker (AI-generated voice)"


async def test_a_line_from_before_the_models_were_loaded_is_answered_with_the_speakers_own_name(house: House) -> None:
    ready, house.executor.ready = house.executor.ready, None
    release = house.executor.hold()
    job = (await house.say()).job
    house.executor.ready = ready
    release()
    await house.ended(job.id)
    voice = house.courier.of(job.id)[0].outcome.voice
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
async def test_bad_orders_are_refused(house: House, order: SayOrder) -> None:
    with pytest.raises(InvalidInput):
        await house.studio.speech.submit(ANN, order, {}, None, max_bytes=MAX_BYTES)
    assert await house.storage.jobs.queued() == []


async def test_rights_and_limits(house: House) -> None:
    await house.studio.admin.change(MOD, speak_role_ids=[5])
    with pytest.raises(NotAllowed):
        await house.say()
    await house.studio.admin.change(MOD, speak_role_ids=[], text_length=5)
    with pytest.raises(InvalidInput, match="allows 5"):
        await house.say("123456")
    await house.studio.admin.change(MOD, jobs_per_hour_per_member=1)
    outcomes = await asyncio.gather(*(house.say("hi") for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(outcome, LimitReached) for outcome in outcomes) == 3
    house.clock.move(hours=1, seconds=1)
    await house.say("hi")


async def test_a_voice_of_another_server_does_not_exist(house: House) -> None:
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    for typed in (key, "Ann"):
        with pytest.raises(NotFound):
            await house.say(actor=STRANGER, voice=typed)


async def test_repeat_says_the_same_with_another_seed(house: House) -> None:
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    first = await house.studio.speech.submit(ANN, SayOrder("hello", key, seed=3), {}, None, max_bytes=MAX_BYTES)
    await house.ended(first.job.id)
    again = await house.studio.speech.repeat(BOB, first.job.id, None, max_bytes=5)
    job = await house.ended(again.job.id)
    assert job.member_id == BOB.member_id
    assert (last(house).text, last(house).seed, last(house).max_bytes) == ("hello", None, 5)


async def test_a_voice_rests_while_its_owner_or_who_is_heard_is_away(house: House) -> None:
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    line = await house.say(actor=BOB, voice=key)
    await house.ended(line.job.id)
    house.courier.left.add(ANN.member_id)
    with pytest.raises(NotAllowed, match="is not on this server"):
        await house.say(actor=BOB, voice=key)
    with pytest.raises(NotAllowed, match="is not on this server"):
        await house.studio.speech.repeat(BOB, line.job.id, None, max_bytes=MAX_BYTES)
    house.courier.left.clear()
    await house.ended((await house.say(actor=BOB, voice=key)).job.id)
    request = await house.studio.clones.ask_author(BOB, ANN.member_id, CloneOrder("Of Ann"), sound_bytes())
    await house.studio.clones.answer(request.id, ANN.member_id, True)
    await house.ended(request.id)
    house.courier.left.add(ANN.member_id)
    with pytest.raises(NotAllowed, match="is not on this server"):
        await house.say(actor=BOB, voice="Of Ann")
    await house.studio.admin.remove_voice(MOD, "Of Ann")


@pytest.mark.parametrize("whose", ["the server's", "the member's"])
async def test_a_default_voice_whose_owner_left_is_told_and_no_other_speaks(house: House, whose: str) -> None:
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    if whose == "the server's":
        await house.studio.admin.default_voice(MOD, key)
    else:
        await house.studio.library.default(BOB, key)
    await house.ended((await house.say(actor=BOB)).job.id)
    house.courier.left.add(ANN.member_id)
    with pytest.raises(VoiceUnavailable, match=r"The voice Ann cannot be used .* choose another default"):
        await house.say(actor=BOB)
    assert [job.state for job, _ in await house.studio.jobs.mine(BOB)] == []
    house.courier.left.clear()
    await house.ended((await house.say(actor=BOB)).job.id)


async def test_a_voice_speaks_on_for_the_days_that_moderators_gave_it(house: House) -> None:
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    await house.studio.admin.change(MOD, away_days=2)
    house.courier.left.add(ANN.member_id)
    await house.ended((await house.say(actor=BOB, voice=key)).job.id)
    house.clock.move(hours=47)
    await house.ended((await house.say(actor=BOB, voice=key)).job.id)
    house.clock.move(hours=1)
    house.courier.silent = True  # who is away is not known, and what was known stays
    await house.ended((await house.say(actor=BOB, voice=key)).job.id)
    house.courier.silent = False
    with pytest.raises(NotAllowed, match="not on this server"):
        await house.say(actor=BOB, voice=key)
    house.courier.left.clear()
    await house.ended((await house.say(actor=BOB, voice=key)).job.id)
    house.courier.left.add(ANN.member_id)  # leaving again begins again
    await house.ended((await house.say(actor=BOB, voice=key)).job.id)
    await house.studio.admin.change(MOD, away_days=0)
    with pytest.raises(NotAllowed, match="not on this server"):
        await house.say(actor=BOB, voice=key)


async def test_repeat_looks_at_the_limit_of_this_moment(house: House) -> None:
    line = await house.say("hello there")
    await house.ended(line.job.id)
    await house.studio.admin.change(MOD, text_length=5)
    with pytest.raises(InvalidInput, match="allows 5"):
        await house.studio.speech.repeat(ANN, line.job.id, None, max_bytes=MAX_BYTES)


async def test_the_audit_log_says_who_spoke_as_whom_and_no_words(house: House) -> None:
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    line = await house.studio.speech.submit(
        ANN, SayOrder("hello", key, private=True), {}, origin(3, house.clock), max_bytes=MAX_BYTES
    )
    await house.ended(line.job.id)
    await house.studio.speech.submit(ANN, SayOrder("hello", key), {}, origin(3, house.clock), max_bytes=MAX_BYTES)
    open_line = await house.say("hello", voice=key)
    await house.ended(open_line.job.id)
    await house.ended((await house.studio.speech.repeat(BOB, open_line.job.id, None, max_bytes=1)).job.id)
    said = [entry for entry in (await house.studio.admin.audit(MOD, 1)).entries if entry.action.startswith("speech.")]
    assert [(entry.actor_id, entry.action, entry.target, entry.detail) for entry in reversed(said)] == [
        (ANN.member_id, "speech.say", "Ann", ""),
        (ANN.member_id, "speech.say", "Ann", ""),
        (BOB.member_id, "speech.repeat", "Ann", ""),
    ]


async def test_a_line_that_is_refused_leaves_none_in_the_audit_log(house: House) -> None:
    await house.studio.admin.change(MOD, jobs_per_hour_per_member=0)
    with pytest.raises(LimitReached):
        await house.say()
    assert "speech.say" not in [entry.action for entry in (await house.studio.admin.audit(MOD, 1)).entries]


@pytest.mark.parametrize("who", [BOB, STRANGER, MOD], ids=["other", "stranger", "moderator"])
async def test_a_private_line_is_repeated_by_its_member_only(house: House, who: Actor) -> None:
    receipt = await house.studio.speech.submit(ANN, SayOrder("secret", private=True), {}, None, max_bytes=MAX_BYTES)
    await house.ended(receipt.job.id)
    with pytest.raises(NotFound):
        await house.studio.speech.repeat(who, receipt.job.id, None, max_bytes=MAX_BYTES)
    again = await house.studio.speech.repeat(ANN, receipt.job.id, None, max_bytes=MAX_BYTES)
    assert again.job.private
    await house.ended(again.job.id)


async def test_what_cannot_be_repeated(house: House) -> None:
    clone = await house.clone()
    await house.ended(clone.job.id)
    key = f"v:{clone.job.voice_id}"
    line = await house.say(voice=key)
    await house.ended(line.job.id)
    for job_id, actor in ((clone.job.id, ANN), ("nothing", ANN), (line.job.id, BOB), (line.job.id, STRANGER)):
        with pytest.raises(NotFound):
            await house.studio.speech.repeat(actor, job_id, None, max_bytes=MAX_BYTES)
    await house.studio.library.delete(ANN, key)
    with pytest.raises(NotFound):
        await house.studio.speech.repeat(ANN, line.job.id, None, max_bytes=MAX_BYTES)


async def test_discard_removes_the_recording(house: House) -> None:
    house.courier.reachable = False
    receipt = await house.say()
    await house.left(receipt.job.id)
    assert [name for name in house.files() if name.startswith("results")]
    with pytest.raises(NotAllowed):
        await house.studio.speech.discard(BOB, receipt.job.id)
    with pytest.raises(NotFound):
        await house.studio.speech.discard(STRANGER, receipt.job.id)
    await house.studio.speech.discard(MOD, receipt.job.id)
    assert house.files() == []
    assert await house.studio.jobs.mine(ANN) == []


async def test_discarding_what_waits_cancels_it(house: House) -> None:
    release = house.executor.hold()
    await house.say("in the way", actor=person(8))
    waiting = await house.say("not this")
    await house.studio.speech.discard(ANN, waiting.job.id)
    release()
    assert (await house.ended(waiting.job.id)).state is JobState.CANCELLED


async def test_the_same_interaction_twice_is_one_line(house: House) -> None:
    order = SayOrder("hello")
    receipts = [
        await house.studio.speech.submit(ANN, order, {}, origin(4, house.clock), max_bytes=MAX_BYTES) for _ in range(2)
    ]
    assert receipts[0].job.id == receipts[1].job.id
    await house.ended(receipts[0].job.id)
    assert len(house.courier.delivered) == 1


async def test_refusals_are_sentences(house: House) -> None:
    for typed in ("nobody", "v:99", "s:v2/xx_speaker_1"):
        with pytest.raises(BarkeepError) as refusal:
            await house.say(voice=typed)
        assert refusal.value.message[-1] in ".?"
