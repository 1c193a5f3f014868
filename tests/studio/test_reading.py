"""Reading a channel aloud: what is read, who is read, and what it costs."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from itertools import count

import pytest

from errors import LimitReached, VoiceUnavailable
from storage.records import JobRecord, JobState, Visibility
from studio import reading
from studio.reading_rules import Written
from studio.values import Actor
from tests.fake_voice import FakeVoice
from tests.studio.conftest import ANN, ANN_THERE, BOB, BOB_THERE, GUILD, MOD, StudioHarness, until

BAR = 30
_ids = count(1)


async def no_names() -> Mapping[str, str]:
    return {}


async def write(
    harness: StudioHarness, text: str, actor: Actor = ANN_THERE, message_id: int | None = None
) -> JobRecord | None:
    """Somebody writes a message; the job that reads it, once it is over."""
    number = next(_ids) if message_id is None else message_id
    accepted = await harness.studio.reading.read(actor, Written(number, "Ann", text), no_names)
    return None if accepted is None else await harness.ended(accepted.id)


async def test_a_message_is_said_and_nothing_is_posted_and_its_text_is_not_kept(
    harness: StudioHarness, lounge: FakeVoice
) -> None:
    await harness.studio.library.default(ANN, "German speaker 1")
    job = await write(harness, "Hello **there** 🔥, see `x`")
    assert job is not None
    assert lounge.said == ["Hello there emoji, see code"]
    assert (job.state, job.order["voice"]) == (JobState.DELIVERED, "s:v2/de_speaker_1")
    assert "text" not in job.order
    assert harness.courier.delivered == []
    assert await harness.storage.jobs.unanswered() == []
    await until(lambda: harness.files() == [], "the sound to be gone")


async def test_a_crash_after_a_message_was_said_keeps_no_text(
    harness: StudioHarness, lounge: FakeVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody returns to a job once its answer counts as given, so the text is gone before."""
    kept: list[dict[str, object]] = []
    answered = harness.storage.jobs.answered

    async def looked_at(job_id: str, message_id: int | None) -> JobRecord | None:
        job = await harness.storage.jobs.find(job_id)
        kept.append({} if job is None else job.order)
        return await answered(job_id, message_id)

    monkeypatch.setattr(harness.storage.jobs, "answered", looked_at)
    await write(harness, "Hello there.")
    assert [sorted({"text", "words"} & order.keys()) for order in kept] == [[]]


async def test_the_dictionary_counts_before_emoji_become_a_word(harness: StudioHarness, lounge: FakeVoice) -> None:
    await harness.studio.pronunciations.add(MOD, "🔥", "fire", match_case=False)
    await harness.studio.pronunciations.add(MOD, "SQL", "sequel", match_case=False)
    await write(harness, "sql 🔥 😀")
    assert harness.executor.requests[-1].text == "sequel fire emoji"  # type: ignore[union-attr]  # it is speech


async def test_a_message_that_its_emoji_or_the_dictionary_make_too_long_is_read_in_part(
    harness: StudioHarness, lounge: FakeVoice
) -> None:
    await harness.studio.admin.change(MOD, text_length=40)
    await harness.studio.pronunciations.add(MOD, "SQL", "structured query language", match_case=False)
    await write(harness, "🔥a" * 10)
    await write(harness, "SQL SQL SQL", BOB_THERE)
    assert lounge.said == ["emoji a emoji a emoji a and so on", "structured query language and so on"]


async def test_lines_are_said_in_the_order_in_which_they_were_written(
    harness: StudioHarness, lounge: FakeVoice
) -> None:
    slow = asyncio.Event()

    async def slow_names() -> Mapping[str, str]:
        await slow.wait()
        return {}

    first = asyncio.create_task(harness.studio.reading.read(ANN_THERE, Written(1, "Ann", "One"), slow_names))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(write(harness, "Two", BOB_THERE))
    await asyncio.sleep(0.05)
    slow.set()
    await asyncio.gather(first, second)
    await until(lambda: lounge.said == ["One", "Two"], "both lines")


async def test_authors_are_named_when_they_change_if_the_server_wants_it(
    harness: StudioHarness, lounge: FakeVoice
) -> None:
    await harness.studio.admin.change(MOD, read_names=True)
    for text, actor in (("one", ANN_THERE), ("two", ANN_THERE), ("three", BOB_THERE), ("four", ANN_THERE)):
        await write(harness, text, actor)
    assert lounge.said == ["Ann said: one", "two", "Ann said: three", "Ann said: four"]


async def test_who_is_not_read(harness: StudioHarness, lounge: FakeVoice) -> None:
    service = harness.studio.reading
    await harness.studio.admin.block(MOD, BOB.member_id, "")
    assert await write(harness, "blocked", BOB_THERE) is None
    await harness.studio.admin.unblock(MOD, BOB.member_id)
    await service.ignore_member(MOD, BOB.member_id, ignored=True)
    assert await write(harness, "ignored", BOB_THERE) is None
    await service.ignore_member(MOD, BOB.member_id, ignored=False)
    await service.choose(BOB, read=False)
    assert await write(harness, "shy", BOB_THERE) is None
    await service.choose(BOB, read=True)
    await service.ignore_role(MOD, 5, ignored=True)
    assert await write(harness, "of a role", replace(BOB_THERE, role_ids=frozenset({5}))) is None
    await service.ignore_role(MOD, 5, ignored=False)
    await harness.studio.admin.change(MOD, speak_role_ids=[6])
    assert await write(harness, "without the right", BOB_THERE) is None
    assert await write(harness, "with it", replace(BOB_THERE, role_ids=frozenset({5, 6}))) is not None
    assert lounge.said == ["with it"]
    assert len(await harness.storage.jobs.of_member(GUILD, BOB.member_id, limit=None)) == 1


@pytest.mark.parametrize("text", ["", "||||", "** **", "x" * 9000])
async def test_what_cannot_be_said_is_passed_over(harness: StudioHarness, lounge: FakeVoice, text: str) -> None:
    assert await write(harness, text) is None
    assert lounge.said == []


async def test_spoilers_are_not_said(harness: StudioHarness, lounge: FakeVoice) -> None:
    await write(harness, "it was ||Anna||")
    assert lounge.said == ["it was spoiler"]


async def test_each_member_is_read_a_few_times_a_minute(harness: StudioHarness, lounge: FakeVoice) -> None:
    await harness.studio.admin.change(MOD, read_per_minute=2)
    assert [await write(harness, text) is not None for text in "abc"] == [True, True, False]
    harness.clock.move(minutes=1)
    assert await write(harness, "d") is not None


async def test_a_used_up_limit_is_told_once_an_hour(harness: StudioHarness, lounge: FakeVoice) -> None:
    await harness.studio.admin.change(MOD, seconds_per_day_per_member=1)
    await write(harness, "one")
    with pytest.raises(LimitReached, match="of speech a day"):
        await write(harness, "two")
    assert await write(harness, "three") is None
    await write(harness, "one", BOB_THERE)
    with pytest.raises(LimitReached):
        await write(harness, "two", BOB_THERE)
    harness.clock.move(minutes=59)
    assert await write(harness, "four") is None
    assert lounge.said == ["one", "one"]


async def test_a_default_voice_that_can_no_longer_speak_is_told_once_an_hour(
    harness: StudioHarness, lounge: FakeVoice
) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    await harness.studio.admin.default_voice(MOD, key)
    await write(harness, "one", BOB_THERE)
    harness.courier.left.add(ANN.member_id)
    with pytest.raises(VoiceUnavailable, match="not on this server"):
        await write(harness, "two", BOB_THERE)
    assert await write(harness, "three", BOB_THERE) is None
    assert lounge.said == ["one"]


async def test_what_is_read_leaves_the_members_and_the_servers_hour_alone(
    harness: StudioHarness, lounge: FakeVoice
) -> None:
    await harness.studio.admin.change(MOD, jobs_per_hour_per_member=1, jobs_per_hour_per_guild=1)
    for text in ("one", "two", "three"):
        assert await write(harness, text) is not None
    await harness.ended((await harness.say(actor=ANN_THERE)).id)
    with pytest.raises(LimitReached, match="for this hour"):
        await harness.say(actor=ANN_THERE)
    assert await write(harness, "four") is not None


async def test_deleted_readings_leave_the_hour_alone_too(harness: StudioHarness, lounge: FakeVoice) -> None:
    await harness.studio.admin.change(MOD, jobs_per_hour_per_member=1)
    await write(harness, "one")
    await harness.studio.privacy.forget(ANN_THERE)
    assert (await harness.say(actor=ANN_THERE)).id


async def test_reading_and_saying_use_up_the_same_seconds(harness: StudioHarness, lounge: FakeVoice) -> None:
    await write(harness, "hello")
    usage = await harness.storage.jobs.usage(GUILD, harness.clock.now.replace(year=2000), member_id=ANN.member_id)
    assert usage.audio_seconds == 1.0


async def test_a_full_channel_takes_no_more(
    harness: StudioHarness, lounge: FakeVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_WAITING", 2)
    release = harness.executor.hold()
    results = [await harness.studio.reading.read(ANN_THERE, Written(n, "Ann", "x"), no_names) for n in range(3)]
    assert [result is not None for result in results] == [True, True, False]
    release()
