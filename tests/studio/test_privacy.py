"""What is kept about a member: shown, handed over, deleted."""

import io
import json
import zipfile

import pytest

from cloning.prompt import VoicePrompt
from errors import NotAllowed
from storage.consent_records import ConsentState
from storage.records import JobState, Visibility
from studio.values import CloneOrder, Erased
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, STRANGER, StudioHarness, origin, person, until


async def with_bobs_voice(harness: StudioHarness) -> str:
    """Ann owns a voice in which Bob is heard."""
    request = await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    _, queued = await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert queued is not None
    await harness.ended(queued.id)
    return f"v:{queued.voice_id}"


async def test_show_counts_everything_of_this_server_only(harness: StudioHarness) -> None:
    key = await harness.voice()
    await with_bobs_voice(harness)
    await harness.studio.library.default(ANN, key)
    await harness.ended((await harness.say("hello")).id)
    mine = await harness.studio.privacy.show(ANN)
    assert mine.consent is not None
    assert mine.default_voice is not None
    assert mine.default_voice.key == key
    assert [voice.name for voice in mine.owned] == ["Ann", "Bobby"]
    assert (mine.heard_in, mine.jobs, mine.requests, mine.blocked, mine.retention_days) == ((), 3, 1, False, 30)
    assert mine.audit_lines == 3
    bobs = await harness.studio.privacy.show(BOB)
    assert [voice.name for voice in bobs.heard_in] == ["Bobby"]
    assert bobs.owned == ()
    assert (bobs.consent, bobs.allowed, mine.allowed) == (None, 1, 0)
    elsewhere = await harness.studio.privacy.show(STRANGER)
    assert (elsewhere.consent, elsewhere.default_voice, elsewhere.owned, elsewhere.jobs) == (None, None, (), 0)


async def test_an_export_tells_nothing_about_the_machine(harness: StudioHarness) -> None:
    """A job at work is leased to a process, whose name has the host, its start and the container."""
    harness.executor.hold()
    queued = await harness.say()
    await harness.begun(queued.id)
    owner = (await harness.job(queued.id)).lease_owner
    assert owner is not None
    with zipfile.ZipFile(io.BytesIO(await harness.studio.privacy.export([ANN]))) as archive:
        data = archive.read("data.json").decode()
    assert queued.id in data
    assert not [part for part in (owner, *owner.split("/")[0].split()) if part in data]


async def test_export_holds_texts_clips_and_prompts_but_no_secrets(harness: StudioHarness) -> None:
    await harness.voice()
    await with_bobs_voice(harness)
    await harness.ended((await harness.say("my secret plans", voice="Ann")).id)
    with zipfile.ZipFile(io.BytesIO(await harness.studio.privacy.export([ANN]))) as archive:
        names = archive.namelist()
        data = json.loads(archive.read("data.json"))
        prompt = archive.read(next(name for name in names if name.endswith("Ann/prompt.npz")))
    assert [name.partition("-")[2] for name in names if name.endswith("clip.flac")] == ["Ann/clip.flac"]
    VoicePrompt.load(prompt)
    assert [voice["name"] for voice in data["voices"]] == ["Ann", "Bobby"]
    assert "my secret plans" in [job["order"].get("text") for job in data["jobs"]]
    assert all(job["interaction_token"] is None for job in data["jobs"])
    assert data["consent"]["policy_version"] == 1
    with zipfile.ZipFile(io.BytesIO(await harness.studio.privacy.export([STRANGER]))) as archive:
        assert archive.namelist() == ["data.json"]
        assert json.loads(archive.read("data.json"))["jobs"] == []


async def test_who_is_heard_gets_the_voice_and_nobody_else_takes_it_away(harness: StudioHarness) -> None:
    key = await with_bobs_voice(harness)
    with zipfile.ZipFile(io.BytesIO(await harness.studio.privacy.export([BOB]))) as archive:
        assert [name for name in archive.namelist() if name.endswith("Bobby/clip.flac")]
    for actor, reason in ((ANN, "not to a file"), (MOD, "owner")):
        with pytest.raises(NotAllowed, match=reason):
            await harness.studio.voice_files.export(actor, key)


async def test_forget_deletes_everything_and_the_voices_they_are_heard_in(harness: StudioHarness) -> None:
    await harness.voice(BOB, "Own")
    await with_bobs_voice(harness)
    await harness.voice(name="Ann")
    await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder("Bob again"), sound_bytes())
    harness.courier.reachable = False
    lost = await harness.say("undelivered", actor=BOB)
    await harness.left(lost.id)
    erased = await harness.studio.privacy.forget(BOB)
    assert erased == Erased(voices=2, jobs=2, consents=2, block_kept=False)
    summary = await harness.studio.privacy.show(BOB)
    assert (summary.consent, summary.owned, summary.heard_in, summary.jobs, summary.requests) == (None, (), (), 0, 0)
    ann = await harness.storage.voices.find(GUILD, "Ann")
    assert ann is not None
    assert harness.files() == [f"voices/{GUILD}-{ann.id}/clip.flac", f"voices/{GUILD}-{ann.id}/prompt.npz"]
    page = await harness.studio.admin.audit(MOD, 1)
    assert (page.entries[0].action, page.entries[0].target, page.entries[0].detail) == ("privacy.forget", "", "")


async def test_forget_stops_what_is_under_way(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    running = await harness.clone()
    await harness.reaches(running.id, JobState.RUNNING)
    await harness.say("waits", voice="English speaker 6")
    await harness.studio.privacy.forget(ANN)
    release()
    assert (await harness.studio.privacy.show(ANN)).jobs == 0
    assert await harness.storage.jobs.queued() == []
    await harness.ended((await harness.say("still works", actor=BOB)).id)
    assert harness.files() == []


BEA = person(8_765_432_101_234_567)
"""Somebody whose id is in no other number."""


async def bea_was_here(harness: StudioHarness) -> None:
    """Bea has left every kind of trace that there is, in rows and in files."""
    await harness.voice(BEA, "Beatrix")
    release = harness.executor.hold()
    asked = await harness.studio.clone_requests.ask_author(ANN, BEA.member_id, CloneOrder("Heardbea"), sound_bytes())
    await harness.studio.clone_requests.answer(asked.id, BEA.member_id, True)
    release()
    await harness.ended(asked.id)
    key = await harness.voice(ANN, "Other")
    await harness.studio.library.share(ANN, key, Visibility.CHOSEN, [BEA.member_id], [])
    await harness.studio.library.default(BEA, key)
    await harness.ended((await harness.say("beatrix speaks", BEA, "Beatrix")).id)
    await harness.studio.library.share(BEA, "Beatrix", Visibility.CHOSEN, [MOD.member_id], [])
    await harness.ended((await harness.say("a borrowed voice", MOD, "Beatrix")).id)
    await harness.studio.clone_requests.ask_author(BEA, BOB.member_id, CloneOrder("Wantedbybea"), sound_bytes())
    await harness.studio.clone_requests.ask_author(ANN, BEA.member_id, CloneOrder("Wantedofbea"), sound_bytes())
    harness.courier.reachable = False
    await harness.left((await harness.say("undelivered words", BEA, "Beatrix")).id)
    harness.executor.hold()
    await harness.reaches((await harness.say("being spoken", BEA, "Beatrix")).id, JobState.RUNNING)
    await harness.say("waiting words", BEA, "Beatrix")
    await harness.studio.clones.submit(
        BEA, CloneOrder("Unmade"), sound_bytes(), origin(77, harness.clock), attested=True
    )


THEIRS = (
    "beatrix speaks",
    "undelivered words",
    "being spoken",
    "waiting words",
    "Wantedbybea",
    "Wantedofbea",
    "token-77",
)


async def test_after_forgetting_only_the_audit_log_and_for_a_day_the_limits_know_the_member(
    harness: StudioHarness,
) -> None:
    await bea_was_here(harness)
    await harness.studio.privacy.forget(BEA)
    assert [name for name in harness.files() if not name.startswith("voices")] == []
    other = await harness.storage.voices.find(GUILD, "Other")
    assert other is not None
    assert {name.split("/")[1] for name in harness.files()} == {f"{GUILD}-{other.id}"}
    alive = b"".join(path.read_bytes() for path in harness.folder.glob("barkeep.sqlite3*"))
    assert [words for words in THEIRS if words.encode() in alive] == []
    assert await harness.traces(*THEIRS) == set()
    assert await harness.traces("Beatrix", "Heardbea") == {"table audit"}
    assert await harness.traces(str(BEA.member_id)) == {"table audit", "table spent", "table erasures"}


async def test_after_the_bot_left_a_server_nothing_of_it_is_on_the_disk(harness: StudioHarness) -> None:
    await bea_was_here(harness)
    await harness.studio.admin.block(MOD, BEA.member_id, "a reason")
    await harness.studio.admin.guild_removed(GUILD)
    assert harness.files() == []
    assert await harness.traces(*THEIRS, str(BEA.member_id), "eatrix", "Heardbea", "a reason") == set()
    assert await harness.traces(str(GUILD)) == {"table erasures"}


async def test_consent_that_is_revoked_while_a_clone_is_being_accepted_counts(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clone is accepted and begins after the revocation has begun, and before it is written down."""
    await harness.voice()
    revoke = harness.storage.consents.revoke
    begun: list[str] = []

    async def late(guild_id: int, member_id: int) -> int:
        queued = await harness.studio.clones.submit(ANN, CloneOrder("Too late"), sound_bytes(), None, attested=True)
        begun.append(queued.id)
        await until(lambda: harness.executor.requests[-1].job_id == queued.id, "the request")
        return await revoke(guild_id, member_id)

    harness.executor.hold()
    monkeypatch.setattr(harness.storage.consents, "revoke", late)
    await harness.studio.privacy.revoke(ANN)
    assert (await harness.ended(begun[0])).state is JobState.CANCELLED
    assert await harness.storage.voices.of_person(GUILD, ANN.member_id) == []
    assert harness.files() == []


async def test_a_clone_that_is_accepted_while_its_member_is_forgotten_is_forgotten_too(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = harness.storage.jobs.delete_of_member

    async def interrupted(guild_id: int, member_id: int) -> list[str]:
        monkeypatch.undo()
        await harness.studio.clones.submit(ANN, CloneOrder("In between"), sound_bytes(), None, attested=True)
        return await delete(guild_id, member_id)

    harness.executor.hold()
    monkeypatch.setattr(harness.storage.jobs, "delete_of_member", interrupted)
    await harness.studio.privacy.forget(ANN)
    assert await harness.storage.voices.of_person(GUILD, ANN.member_id) == []
    assert harness.files() == []


async def test_a_block_is_not_forgotten(harness: StudioHarness) -> None:
    await harness.studio.admin.block(MOD, ANN.member_id, "spam")
    assert (await harness.studio.privacy.forget(ANN)).block_kept
    assert (await harness.studio.privacy.show(ANN)).blocked


async def test_revoking_removes_voices_they_are_heard_in_and_stops_clones(harness: StudioHarness) -> None:
    await harness.voice()
    key = await with_bobs_voice(harness)
    release = harness.executor.hold()
    running = await harness.clone(BOB, "Bob himself")
    await until(lambda: harness.executor.requests[-1].job_id == running.id, "the request")
    erased = await harness.studio.privacy.revoke(BOB)
    assert (erased.voices, erased.consents) == (2, 2)
    assert (await harness.ended(running.id)).state is JobState.CANCELLED
    release()
    assert await harness.storage.consents.get(GUILD, BOB.member_id) is None
    assert await harness.storage.voices.find(GUILD, "Bobby") is None
    assert await harness.storage.voices.find(GUILD, "Ann") is not None
    assert not [name for name in harness.files() if key[2:] == name.split("/")[1].rpartition("-")[2]]


async def test_forgetting_one_removes_them_from_others_shares(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.CHOSEN, [BOB.member_id], [])
    await harness.studio.privacy.forget(BOB)
    assert (await harness.storage.voices.get(GUILD, int(key[2:]))).member_ids == frozenset()


async def test_a_no_that_they_got_is_not_forgotten_but_the_name_they_asked_for_is(harness: StudioHarness) -> None:
    request = await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    await harness.studio.clone_requests.answer(request.id, BOB.member_id, False)
    await harness.studio.privacy.forget(ANN)
    summary = await harness.studio.privacy.show(ANN)
    assert (summary.requests, summary.refusals) == (1, 1)
    assert (await harness.storage.consents.get_request(request.id)).order == {}
    with pytest.raises(NotAllowed, match="said no"):
        await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    assert harness.files() == []


async def test_a_question_about_somebody_forgotten_is_gone(harness: StudioHarness) -> None:
    request = await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    assert request.state is ConsentState.PENDING
    await harness.studio.privacy.forget(ANN)
    assert await harness.storage.consents.requests_of(GUILD, BOB.member_id) == []
    assert harness.files() == []
