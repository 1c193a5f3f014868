"""What is read while its member's data, or those of the server, are deleted is not stored afterwards."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from cloning.checkpoints.voice_reading import read_voice
from cloning.prompt import PromptSpec
from errors import BarkeepError, Conflict, NotFound
from storage.records import Visibility
from studio import voice_files
from studio.reading_rules import Written
from studio.values import Actor, CloneOrder, SayOrder
from tests.fake_voice import FakeVoice
from tests.fakes import prompt_bytes, sound_bytes
from tests.studio.conftest import ANN, ANN_THERE, BOB, GUILD, MAX_BYTES, MOD, StudioHarness, until

Erase = Callable[[StudioHarness], Awaitable[object]]
Upload = Callable[[StudioHarness], Coroutine[Any, Any, object]]


async def forget(harness: StudioHarness) -> object:
    return await harness.studio.privacy.forget(ANN)


async def revoke(harness: StudioHarness) -> object:
    return await harness.studio.privacy.revoke(ANN)


async def purge(harness: StudioHarness) -> object:
    return await harness.studio.admin.purge(MOD, member_id=ANN.member_id)


async def remove(harness: StudioHarness) -> None:
    await harness.studio.admin.guild_removed(GUILD)


ERASURES = pytest.mark.parametrize("erase", [forget, revoke, purge, remove])


class Held:
    """A method whose calls wait after their work, until `release`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, thing: object, name: str) -> None:
        self._do = getattr(thing, name)
        self._begun, self._go_on = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(thing, name, self._call)

    async def during(self, work: Coroutine[Any, Any, object], erase: Awaitable[object]) -> None:
        """Begin the work, erase while it waits, and see that it is refused."""
        task = asyncio.create_task(work)
        await self.begun()
        await erase
        self.release()
        with pytest.raises(Conflict, match="deleted in the meantime"):
            await task

    async def begun(self) -> None:
        await self._begun.wait()

    def release(self) -> None:
        self._go_on.set()

    async def _call(self, *given: Any, **named: Any) -> object:
        done = await self._do(*given, **named)
        self._begun.set()
        await self._go_on.wait()
        return done


async def nothing_is_left(harness: StudioHarness) -> None:
    """Of Ann, on the server."""
    storage = harness.storage
    assert harness.files() == []
    assert await storage.voices.of_person(GUILD, ANN.member_id) == []
    assert await storage.jobs.of_member(GUILD, ANN.member_id, limit=None) == []
    assert await storage.consents.get(GUILD, ANN.member_id) is None
    assert await storage.consents.requests_of(GUILD, ANN.member_id) == []
    assert await storage.spoken_consents.of_member(GUILD, ANN.member_id) == []


@ERASURES
async def test_a_file_that_is_read_meanwhile_makes_no_voice(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, erase: Erase
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(data: bytes, spec: PromptSpec) -> bytes:
        begun.set()
        go_on.wait(60)
        return read_voice(data, spec)

    monkeypatch.setattr(voice_files, "read_voice", slow)
    importing = asyncio.create_task(harness.studio.voice_files.import_(ANN, "Late", prompt_bytes(), attested=True))
    await asyncio.to_thread(begun.wait, 60)
    await erase(harness)
    go_on.set()
    with pytest.raises(Conflict, match="deleted in the meantime"):
        await importing
    await nothing_is_left(harness)


@ERASURES
async def test_a_file_that_is_downloaded_meanwhile_makes_no_voice(harness: StudioHarness, erase: Erase) -> None:
    since = await harness.studio.clones.check(ANN, CloneOrder("Late"), 1)
    await erase(harness)
    with pytest.raises(Conflict, match="deleted in the meantime"):
        await harness.studio.voice_files.import_(ANN, "Late", prompt_bytes(), attested=True, since=since)
    await nothing_is_left(harness)


def ask_author(harness: StudioHarness, asks: Actor, author: Actor) -> Coroutine[Any, Any, object]:
    order = CloneOrder("Late", speaker_id=author.member_id)
    return harness.studio.clone_requests.ask_author(asks, author.member_id, order, sound_bytes())


UPLOADS: dict[str, Upload] = {
    "clone": lambda harness: harness.clone(),
    "asking an author": lambda harness: ask_author(harness, ANN, BOB),
    "an author who is asked": lambda harness: ask_author(harness, BOB, ANN),
    "spoken consent": lambda harness: harness.studio.spoken.ask(ANN, CloneOrder("Late"), sound_bytes()),
}


@ERASURES
@pytest.mark.parametrize("upload", UPLOADS.values(), ids=UPLOADS)
async def test_a_recording_that_is_stored_meanwhile_is_not_kept(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, erase: Erase, upload: Upload
) -> None:
    held = Held(monkeypatch, harness.storage.files, "put_upload")
    await held.during(upload(harness), erase(harness))
    await nothing_is_left(harness)
    assert harness.executor.requests == []


@ERASURES
async def test_a_recording_that_is_downloaded_meanwhile_is_not_cloned(harness: StudioHarness, erase: Erase) -> None:
    clones, order = harness.studio.clones, CloneOrder("Late")
    since = await clones.check(ANN, order, 1)
    await erase(harness)
    with pytest.raises(Conflict, match="deleted in the meantime"):
        await clones.submit(ANN, order, sound_bytes(), None, attested=True, since=since)
    await nothing_is_left(harness)


@pytest.mark.parametrize("erase", [forget, purge, remove])
async def test_an_author_gets_no_sentence_for_a_request_that_is_gone(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, erase: Erase
) -> None:
    await harness.studio.admin.change(MOD, consent="spoken")
    request = await harness.studio.clone_requests.ask_author(BOB, ANN.member_id, CloneOrder("Late"), sound_bytes())
    held = Held(monkeypatch, harness.storage.hourly, "count")
    await held.during(harness.studio.spoken.ask_author(request.id, ANN.member_id), erase(harness))
    await nothing_is_left(harness)


@pytest.mark.parametrize("is_yes", [True, False])
@ERASURES
async def test_what_is_listened_to_meanwhile_leaves_nothing(harness: StudioHarness, erase: Erase, is_yes: bool) -> None:
    question = await harness.studio.spoken.ask(ANN, CloneOrder("Late"), sound_bytes())
    if not is_yes:
        harness.executor.heard = replace(harness.executor.heard, words=0)
    release = harness.executor.hold()
    answer = asyncio.create_task(harness.studio.spoken.answer(question.id, ANN.member_id, sound_bytes("OGG")))
    await until(lambda: bool(harness.executor.listened), "the recording to be listened to")
    await erase(harness)
    lines = await harness.storage.audit.of_member(GUILD, ANN.member_id)
    release()
    with pytest.raises(BarkeepError):
        await answer
    await nothing_is_left(harness)
    assert await harness.storage.audit.of_member(GUILD, ANN.member_id) == lines


async def test_a_member_who_left_and_is_forgotten_meanwhile_is_not_noted(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    harness.courier.left.add(ANN.member_id)
    held = Held(monkeypatch, harness.courier, "has_left")
    saying = asyncio.create_task(harness.say(actor=BOB, voice=key))
    await held.begun()
    await forget(harness)
    held.release()
    with pytest.raises(NotFound, match="just been deleted"):
        await saying
    assert (await harness.storage.members.get(GUILD, ANN.member_id)).away_since is None


@pytest.mark.parametrize("erase", [forget, purge, remove])
async def test_a_line_that_was_begun_before_is_not_said(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, erase: Erase
) -> None:
    held = Held(monkeypatch, harness.storage.pronunciations, "of_guild")
    await held.during(harness.say("A secret."), erase(harness))
    await nothing_is_left(harness)
    assert harness.executor.requests == []


@pytest.mark.parametrize("erase", [forget, purge, remove])
async def test_another_take_that_was_begun_before_is_not_said(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, erase: Erase
) -> None:
    said = await harness.ended((await harness.say("A secret.", actor=BOB)).id)
    held = Held(monkeypatch, harness.storage.pronunciations, "of_guild")
    again = harness.studio.speech.repeat(ANN, said.id, None, max_bytes=MAX_BYTES)
    await held.during(again, erase(harness))
    assert await harness.storage.jobs.of_member(GUILD, ANN.member_id, limit=None) == []


async def test_a_line_whose_mentions_were_looked_up_meanwhile_is_not_said(harness: StudioHarness) -> None:
    since = await harness.storage.erasures.latest(GUILD)
    await forget(harness)
    with pytest.raises(Conflict, match="deleted in the meantime"):
        await harness.studio.speech.submit(ANN, SayOrder("A secret."), {}, None, max_bytes=MAX_BYTES, since=since)
    await nothing_is_left(harness)


@pytest.mark.parametrize("erase", [forget, purge])
async def test_a_message_that_was_written_before_is_not_read(
    harness: StudioHarness, lounge: FakeVoice, erase: Erase
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def names() -> dict[str, str]:
        begun.set()
        await go_on.wait()
        return {}

    reading = asyncio.create_task(harness.studio.reading.read(ANN_THERE, Written(1, "Ann", "A secret."), names))
    await begun.wait()
    await erase(harness)
    go_on.set()
    assert await reading is None
    await nothing_is_left(harness)


async def test_a_channel_that_is_joined_while_the_server_is_deleted_is_left(
    harness: StudioHarness, voice: FakeVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, voice, "connect")
    await held.during(harness.studio.channels.join(ANN_THERE), remove(harness))
    assert harness.studio.channels.scene(GUILD) is None
    assert await harness.storage.guilds.all_ids() == []


async def test_a_dictionary_that_is_downloaded_while_the_server_is_deleted_is_not_stored(
    harness: StudioHarness,
) -> None:
    desk = harness.studio.pronunciations
    await desk.add(MOD, "SQL", "sequel", match_case=False)
    data, since = await desk.export(MOD), await harness.storage.erasures.latest(GUILD)
    await remove(harness)
    with pytest.raises(Conflict, match="deleted in the meantime"):
        await desk.import_(MOD, data, since=since)
    assert await harness.storage.guilds.all_ids() == []


async def own_yes(harness: StudioHarness) -> Callable[[], Awaitable[object]]:
    """Ann's recording, which waits for her sentence; what answers it."""
    question = await harness.studio.spoken.ask(ANN, CloneOrder("Late"), sound_bytes())
    return lambda: harness.studio.spoken.answer(question.id, ANN.member_id, sound_bytes("OGG"))


async def ann_allows(harness: StudioHarness) -> Callable[[], Awaitable[object]]:
    """Bob has asked Ann; her yes."""
    order = CloneOrder("Late", speaker_id=ANN.member_id)
    request = await harness.studio.clone_requests.ask_author(BOB, ANN.member_id, order, sound_bytes())
    return lambda: harness.studio.clone_requests.answer(request.id, ANN.member_id, True)


async def bob_allows(harness: StudioHarness) -> Callable[[], Awaitable[object]]:
    """Ann has asked Bob; his yes."""
    order = CloneOrder("Late", speaker_id=BOB.member_id)
    request = await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, order, sound_bytes())
    return lambda: harness.studio.clone_requests.answer(request.id, BOB.member_id, True)


@pytest.mark.parametrize("begin", [own_yes, ann_allows, bob_allows])
async def test_a_yes_that_comes_while_everything_is_deleted_makes_no_voice(
    harness: StudioHarness,
    monkeypatch: pytest.MonkeyPatch,
    begin: Callable[[StudioHarness], Awaitable[Callable[[], Awaitable[object]]]],
) -> None:
    say_yes = await begin(harness)
    delete, said = harness.storage.jobs.delete_of_member, asyncio.Event()

    async def and_then_yes(guild_id: int, member_id: int) -> list[str]:
        deleted = await delete(guild_id, member_id)
        if not said.is_set():
            said.set()
            with contextlib.suppress(BarkeepError):
                await say_yes()
        return deleted

    monkeypatch.setattr(harness.storage.jobs, "delete_of_member", and_then_yes)
    await forget(harness)
    assert said.is_set()
    await until(lambda: not harness.tasks(), "idle")
    await nothing_is_left(harness)


@ERASURES
async def test_a_yes_that_was_begun_before_makes_no_voice(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, erase: Erase
) -> None:
    say_yes = await ann_allows(harness)
    held = Held(monkeypatch, harness.courier, "actor")
    answer = asyncio.create_task(as_coroutine(say_yes()))
    await held.begun()
    await erase(harness)
    held.release()
    with pytest.raises(BarkeepError):
        await answer
    assert await harness.storage.voices.of_person(GUILD, ANN.member_id) == []
    assert harness.executor.requests == []


async def as_coroutine(work: Awaitable[object]) -> object:
    return await work
