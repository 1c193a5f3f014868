"""What ends reading aloud: deleted messages, opting out, stopping, leaving; who may decide it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from errors import BarkeepError, Conflict, InvalidInput, NotAllowed
from storage.records import JobRecord, JobState
from studio import rights
from studio.channel.lines import Piece
from studio.reading import Target
from studio.reading_rules import Written
from studio.values import Actor, SayOrder
from tests.fake_voice import FakeVoice
from tests.studio.conftest import ANN, ANN_THERE, BOB, BOB_THERE, GUILD, LOUNGE, MAX_BYTES, MOD, StudioHarness, until
from tests.studio.test_reading import BAR, no_names, write


async def test_a_deleted_message_is_not_said(harness: StudioHarness, lounge: FakeVoice) -> None:
    release = harness.executor.hold()
    first = await harness.studio.reading.read(ANN_THERE, Written(501, "Ann", "One"), no_names)
    second = await harness.studio.reading.read(ANN_THERE, Written(502, "Ann", "Two"), no_names)
    assert first is not None and second is not None
    await harness.studio.reading.withdraw(502)
    await harness.studio.reading.withdraw(999)
    release()
    await harness.ended(first.id)
    assert (await harness.job(second.id)).state is JobState.CANCELLED
    assert lounge.said == ["One"]


async def test_a_message_that_is_deleted_while_it_is_looked_at_is_not_said(
    harness: StudioHarness, lounge: FakeVoice
) -> None:
    async def deleted_meanwhile() -> Mapping[str, str]:
        await harness.studio.reading.withdraw(77)
        return {}

    assert await harness.studio.reading.read(ANN_THERE, Written(77, "Ann", "One"), deleted_meanwhile) is None
    assert await harness.storage.jobs.of_member(GUILD, ANN.member_id) == []


async def test_who_opts_out_is_not_heard_to_the_end(harness: StudioHarness, lounge: FakeVoice) -> None:
    release = harness.executor.hold()
    read = await harness.studio.reading.read(BOB_THERE, Written(1, "Bob", "One"), no_names)
    asked = await harness.studio.speech.submit(BOB_THERE, SayOrder("Two"), {}, None, max_bytes=MAX_BYTES)
    await harness.studio.reading.choose(BOB, read=False)
    release()
    await harness.ended(asked.id)
    assert read is not None
    assert (await harness.job(read.id)).state is JobState.CANCELLED
    assert lounge.said == ["Two"]


ROLE = 7
BOB_OF_ROLE = replace(BOB_THERE, role_ids=frozenset({ROLE}))
END_READING = {
    "opted out": lambda harness: harness.studio.reading.choose(BOB, read=False),
    "ignored": lambda harness: harness.studio.reading.ignore_member(MOD, BOB.member_id, ignored=True),
    "ignored role": lambda harness: harness.studio.reading.ignore_role(MOD, ROLE, ignored=True),
    "blocked": lambda harness: harness.studio.admin.block(MOD, BOB.member_id, ""),
    "stopped": lambda harness: harness.studio.reading.stop(MOD),
}
"""Why a message is read no longer."""


@pytest.mark.parametrize("reason", END_READING)
async def test_a_message_is_not_said_once_reading_ended_for_its_author(
    harness: StudioHarness, lounge: FakeVoice, reason: str
) -> None:
    release = harness.executor.hold()
    queued = await harness.studio.reading.read(BOB_OF_ROLE, Written(1, "Bob", "One"), no_names)
    assert queued is not None
    await END_READING[reason](harness)
    release()
    assert (await harness.ended(queued.id)).state is JobState.CANCELLED
    assert lounge.said == []


@pytest.mark.parametrize("reason", sorted({*END_READING} - {"ignored role"}))
@pytest.mark.parametrize("moment", ["looked at", "accepted"])
async def test_reading_that_ends_while_a_message_is_under_way_does_not_say_it(
    harness: StudioHarness, lounge: FakeVoice, monkeypatch: pytest.MonkeyPatch, reason: str, moment: str
) -> None:
    release = harness.executor.hold()
    accept = harness.studio.speech.read_aloud

    async def names() -> Mapping[str, str]:
        if moment == "looked at":
            await END_READING[reason](harness)
        return {}

    async def accepted(actor: Actor, words: str, since: int) -> JobRecord:
        if moment == "looked at":
            raise AssertionError("It was accepted.")
        waiting = harness.studio.dispatcher.rooms.get(GUILD)
        assert waiting is not None
        await END_READING[reason](harness)
        with monkeypatch.context() as unblocked:  # rights were checked before
            unblocked.setattr(rights, "require", AsyncMock(return_value=await harness.storage.guilds.get(GUILD)))
            return await accept(actor, words, since)

    monkeypatch.setattr(harness.studio.speech, "read_aloud", accepted)
    assert await harness.studio.reading.read(BOB_OF_ROLE, Written(1, "Bob", "One"), names) is None
    release()
    await until(lambda: not harness.tasks(), "idle")
    assert lounge.said == []


async def test_a_channel_with_nobody_in_it_gets_nothing(harness: StudioHarness, lounge: FakeVoice) -> None:
    own = Target(LOUNGE, is_voice=True)
    assert harness.studio.reading.listens_to(GUILD, own)
    assert not harness.studio.reading.listens_to(GUILD, Target(BAR))
    assert not harness.studio.reading.listens_to(901, own)
    lounge.people = 0
    harness.studio.channels.look(GUILD)
    assert not harness.studio.reading.listens_to(GUILD, own)


async def test_stopping_drops_what_waits_and_leaves_what_was_asked_for(
    harness: StudioHarness, lounge: FakeVoice
) -> None:
    release = harness.executor.hold()
    await harness.studio.reading.read(BOB_THERE, Written(1, "Bob", "One"), no_names)
    asked = await harness.studio.speech.submit(BOB_THERE, SayOrder("Two"), {}, None, max_bytes=MAX_BYTES)
    with pytest.raises(NotAllowed, match="Join it"):
        await harness.studio.reading.stop(ANN)
    assert await harness.studio.reading.stop(ANN_THERE) == LOUNGE
    release()
    await harness.ended(asked.id)
    assert lounge.said == ["Two"]
    assert await write(harness, "Three") is None
    with pytest.raises(Conflict, match="not reading"):
        await harness.studio.reading.stop(ANN_THERE)
    lines, _ = await harness.storage.audit.read(GUILD)
    assert [line.action for line in lines if line.action.startswith("reading")] == ["reading.stop", "reading.start"]


@pytest.mark.parametrize(
    ("actor", "target", "kind", "words"),
    [
        (ANN, None, InvalidInput, "Join a voice channel"),
        (ANN_THERE, Target(BAR), NotAllowed, "Only moderators"),
        (replace(MOD, voice_channel_id=LOUNGE), Target(71, is_voice=True), InvalidInput, "another voice channel"),
    ],
)
async def test_what_cannot_be_read_is_said(
    harness: StudioHarness, voice: FakeVoice, actor: Actor, target: Target | None, kind: type[BarkeepError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        await harness.studio.reading.start(actor, target)
    assert (await harness.studio.reading.reading(ANN)).channel_id is None


async def test_moderators_have_another_channel_read(harness: StudioHarness, lounge: FakeVoice) -> None:
    assert await harness.studio.reading.start(MOD, Target(BAR)) == BAR
    assert await write(harness, "in the bar", replace(BOB, channel_id=BAR)) is not None
    assert lounge.said == ["in the bar"]
    await harness.studio.admin.change(MOD, channel_ids=[31])
    with pytest.raises(InvalidInput, match="Voices can't be used"):
        await harness.studio.reading.start(MOD, Target(BAR))
    assert await harness.studio.reading.start(MOD, Target(32, parent_id=31)) == 32


async def test_reading_goes_on_after_a_restart_and_ends_with_leaving(harness: StudioHarness, lounge: FakeVoice) -> None:
    await harness.restart()
    voice = FakeVoice()
    harness.studio.channels.attend(voice, Piece(Path("notice.ogg")))
    await harness.studio.channels.resume()
    assert (await harness.studio.reading.reading(ANN)).channel_id == LOUNGE
    await harness.studio.channels.leave(ANN_THERE)
    await harness.studio.channels.join(ANN_THERE)
    assert (await harness.studio.reading.reading(ANN)).channel_id is None


async def test_the_chat_of_a_channel_that_the_bot_was_moved_out_of_is_not_read(
    harness: StudioHarness, lounge: FakeVoice
) -> None:
    room = harness.studio.dispatcher.rooms.get(GUILD)
    assert room is not None
    room.connection.channel_id = 71  # type: ignore[misc]  # the stand-in's can be set
    await harness.studio.channels.moved(GUILD, 71)
    assert not harness.studio.reading.listens_to(GUILD, Target(LOUNGE, is_voice=True))


async def test_a_wish_not_to_be_read_outlives_being_forgotten(harness: StudioHarness, lounge: FakeVoice) -> None:
    await harness.studio.reading.choose(BOB, read=False)
    await harness.studio.reading.ignore_member(MOD, ANN.member_id, ignored=True)
    for actor in (ANN_THERE, BOB_THERE):
        await harness.studio.privacy.forget(actor)
        assert await write(harness, "hello", actor) is None
    shown = [await harness.studio.privacy.show(actor) for actor in (ANN, BOB)]
    assert [(each.unread, each.ignored) for each in shown] == [(False, True), (True, False)]


async def test_only_moderators_decide_who_is_ignored(harness: StudioHarness) -> None:
    service = harness.studio.reading
    for action in (service.ignore_member(ANN, 2, ignored=True), service.ignore_role(ANN, 5, ignored=True)):
        with pytest.raises(NotAllowed):
            await action
    await asyncio.gather(*(service.ignore_role(MOD, role, ignored=True) for role in (5, 6, 7)))
    await service.ignore_member(MOD, BOB.member_id, ignored=True)
    shown = await service.reading(BOB)
    assert shown.settings.read_ignored_role_ids == {5, 6, 7}
    assert shown.ignored == (BOB.member_id,)
