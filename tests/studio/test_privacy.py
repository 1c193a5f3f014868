"""What is kept about a member: shown, handed over, deleted."""

import io
import json
import zipfile

import pytest

from cloning.prompt import VoicePrompt
from errors import NotAllowed
from storage.records import ConsentState, JobState, Visibility
from studio.values import CloneOrder, Erased
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, STRANGER, House, origin, person, until


async def with_bobs_voice(house: House) -> str:
    """Ann owns a voice in which Bob is heard."""
    request = await house.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    _, receipt = await house.studio.clones.answer(request.id, BOB.member_id, True)
    assert receipt is not None
    await house.ended(receipt.job.id)
    return f"v:{receipt.job.voice_id}"


async def test_show_counts_everything_of_this_server_only(house: House) -> None:
    key = await house.voice()
    await with_bobs_voice(house)
    await house.studio.library.default(ANN, key)
    await house.ended((await house.say("hello")).job.id)
    mine = await house.studio.privacy.show(ANN)
    assert mine.consent is not None
    assert mine.default_voice is not None
    assert mine.default_voice.key == key
    assert [voice.name for voice in mine.owned] == ["Ann", "Bobby"]
    assert (mine.heard_in, mine.jobs, mine.requests, mine.blocked, mine.retention_days) == ((), 3, 1, False, 30)
    assert mine.audit_lines == 3
    bobs = await house.studio.privacy.show(BOB)
    assert [voice.name for voice in bobs.heard_in] == ["Bobby"]
    assert bobs.owned == ()
    elsewhere = await house.studio.privacy.show(STRANGER)
    assert (elsewhere.consent, elsewhere.default_voice, elsewhere.owned, elsewhere.jobs) == (None, None, (), 0)


async def test_export_holds_texts_clips_and_prompts_but_no_secrets(house: House) -> None:
    await house.voice()
    await with_bobs_voice(house)
    await house.ended((await house.say("my secret plans", voice="Ann")).job.id)
    with zipfile.ZipFile(io.BytesIO(await house.studio.privacy.export([ANN]))) as archive:
        names = archive.namelist()
        data = json.loads(archive.read("data.json"))
        prompt = archive.read(next(name for name in names if name.endswith("Ann/prompt.npz")))
    assert [name.partition("-")[2] for name in names if name.endswith("clip.flac")] == ["Ann/clip.flac"]
    VoicePrompt.load(prompt)
    assert [voice["name"] for voice in data["voices"]] == ["Ann", "Bobby"]
    assert "my secret plans" in [job["order"].get("text") for job in data["jobs"]]
    assert all(job["interaction_token"] is None for job in data["jobs"])
    assert data["consent"]["policy_version"] == 1
    with zipfile.ZipFile(io.BytesIO(await house.studio.privacy.export([STRANGER]))) as archive:
        assert archive.namelist() == ["data.json"]
        assert json.loads(archive.read("data.json"))["jobs"] == []


async def test_who_is_heard_gets_the_voice_and_nobody_else_takes_it_away(house: House) -> None:
    key = await with_bobs_voice(house)
    with zipfile.ZipFile(io.BytesIO(await house.studio.privacy.export([BOB]))) as archive:
        assert [name for name in archive.namelist() if name.endswith("Bobby/clip.flac")]
    for actor, reason in ((ANN, "not to a file"), (MOD, "owner")):
        with pytest.raises(NotAllowed, match=reason):
            await house.studio.library.export(actor, key)


async def test_forget_deletes_everything_and_the_voices_they_are_heard_in(house: House) -> None:
    await house.voice(BOB, "Own")
    await with_bobs_voice(house)
    await house.voice(name="Ann")
    await house.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder("Bob again"), sound_bytes())
    house.courier.reachable = False
    lost = await house.say("undelivered", actor=BOB)
    await house.left(lost.job.id)
    erased = await house.studio.privacy.forget(BOB)
    assert erased == Erased(voices=2, jobs=2, consents=2, block_kept=False)
    summary = await house.studio.privacy.show(BOB)
    assert (summary.consent, summary.owned, summary.heard_in, summary.jobs, summary.requests) == (None, (), (), 0, 0)
    ann = await house.storage.voices.find(GUILD, "Ann")
    assert ann is not None
    assert house.files() == [f"voices/{GUILD}-{ann.id}/clip.flac", f"voices/{GUILD}-{ann.id}/prompt.npz"]
    page = await house.studio.admin.audit(MOD, 1)
    assert (page.entries[0].action, page.entries[0].target, page.entries[0].detail) == ("privacy.forget", "", "")


async def test_forget_stops_what_is_under_way(house: House) -> None:
    release = house.executor.hold()
    running = await house.clone()
    await house.reaches(running.job.id, JobState.RUNNING)
    await house.say("waits", voice="English speaker 6")
    await house.studio.privacy.forget(ANN)
    release()
    assert (await house.studio.privacy.show(ANN)).jobs == 0
    assert await house.storage.jobs.queued() == []
    await house.ended((await house.say("still works", actor=BOB)).job.id)
    assert house.files() == []


BEA = person(8_765_432_101_234_567)
"""Somebody whose id is in no other number."""


async def bea_was_here(house: House) -> None:
    """Bea has left every kind of trace that there is, in rows and in files."""
    await house.voice(BEA, "Beatrix")
    release = house.executor.hold()
    asked = await house.studio.clones.ask_author(ANN, BEA.member_id, CloneOrder("Heardbea"), sound_bytes())
    await house.studio.clones.answer(asked.id, BEA.member_id, True)
    release()
    await house.ended(asked.id)
    key = await house.voice(ANN, "Other")
    await house.studio.library.share(ANN, key, Visibility.CHOSEN, [BEA.member_id], [])
    await house.studio.library.default(BEA, key)
    await house.ended((await house.say("beatrix speaks", BEA, "Beatrix")).job.id)
    await house.studio.library.share(BEA, "Beatrix", Visibility.CHOSEN, [MOD.member_id], [])
    await house.ended((await house.say("a borrowed voice", MOD, "Beatrix")).job.id)
    await house.studio.clones.ask_author(BEA, BOB.member_id, CloneOrder("Wantedbybea"), sound_bytes())
    await house.studio.clones.ask_author(ANN, BEA.member_id, CloneOrder("Wantedofbea"), sound_bytes())
    house.courier.reachable = False
    await house.left((await house.say("undelivered words", BEA, "Beatrix")).job.id)
    house.executor.hold()
    await house.reaches((await house.say("being spoken", BEA, "Beatrix")).job.id, JobState.RUNNING)
    await house.say("waiting words", BEA, "Beatrix")
    await house.studio.clones.submit(BEA, CloneOrder("Unmade"), sound_bytes(), origin(77, house.clock), attested=True)


THEIRS = (
    "beatrix speaks",
    "undelivered words",
    "being spoken",
    "waiting words",
    "Wantedbybea",
    "Wantedofbea",
    "token-77",
)


async def test_after_forgetting_only_the_audit_log_and_for_a_day_the_limits_know_the_member(house: House) -> None:
    await bea_was_here(house)
    await house.studio.privacy.forget(BEA)
    assert [name for name in house.files() if not name.startswith("voices")] == []
    other = await house.storage.voices.find(GUILD, "Other")
    assert other is not None
    assert {name.split("/")[1] for name in house.files()} == {f"{GUILD}-{other.id}"}
    alive = b"".join(path.read_bytes() for path in house.folder.glob("barkeep.sqlite3*"))
    assert [words for words in THEIRS if words.encode() in alive] == []
    assert await house.traces(*THEIRS) == set()
    assert await house.traces("Beatrix", "Heardbea") == {"table audit"}
    assert await house.traces(str(BEA.member_id)) == {"table audit", "table spent"}


async def test_after_the_bot_left_a_server_nothing_of_it_is_on_the_disk(house: House) -> None:
    await bea_was_here(house)
    await house.studio.admin.block(MOD, BEA.member_id, "a reason")
    await house.studio.admin.guild_removed(GUILD)
    assert house.files() == []
    assert await house.traces(*THEIRS, str(BEA.member_id), "eatrix", "Heardbea", "a reason", str(GUILD)) == set()


async def test_consent_that_is_revoked_while_a_clone_is_being_accepted_counts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clone is accepted and begins after the revocation has begun, and before it is written down."""
    await house.voice()
    revoke = house.storage.consents.revoke
    begun: list[str] = []

    async def late(guild_id: int, member_id: int) -> int:
        receipt = await house.studio.clones.submit(ANN, CloneOrder("Too late"), sound_bytes(), None, attested=True)
        begun.append(receipt.job.id)
        await until(lambda: house.executor.requests[-1].job_id == receipt.job.id, "the request")
        return await revoke(guild_id, member_id)

    house.executor.hold()
    monkeypatch.setattr(house.storage.consents, "revoke", late)
    await house.studio.privacy.revoke(ANN)
    assert (await house.ended(begun[0])).state is JobState.CANCELLED
    assert await house.storage.voices.of_person(GUILD, ANN.member_id) == []
    assert house.files() == []


async def test_a_clone_that_is_accepted_while_its_member_is_forgotten_is_forgotten_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = house.storage.jobs.delete_of_member

    async def interrupted(guild_id: int, member_id: int) -> list[str]:
        monkeypatch.undo()
        await house.studio.clones.submit(ANN, CloneOrder("In between"), sound_bytes(), None, attested=True)
        return await delete(guild_id, member_id)

    house.executor.hold()
    monkeypatch.setattr(house.storage.jobs, "delete_of_member", interrupted)
    await house.studio.privacy.forget(ANN)
    assert await house.storage.voices.of_person(GUILD, ANN.member_id) == []
    assert house.files() == []


async def test_a_block_is_not_forgotten(house: House) -> None:
    await house.studio.admin.block(MOD, ANN.member_id, "spam")
    assert (await house.studio.privacy.forget(ANN)).block_kept
    assert (await house.studio.privacy.show(ANN)).blocked


async def test_revoking_removes_voices_they_are_heard_in_and_stops_clones(house: House) -> None:
    await house.voice()
    key = await with_bobs_voice(house)
    release = house.executor.hold()
    running = await house.clone(BOB, "Bob himself")
    await until(lambda: house.executor.requests[-1].job_id == running.job.id, "the request")
    erased = await house.studio.privacy.revoke(BOB)
    assert (erased.voices, erased.consents) == (2, 2)
    assert (await house.ended(running.job.id)).state is JobState.CANCELLED
    release()
    assert not await house.studio.clones.knows_policy(BOB)
    assert await house.storage.voices.find(GUILD, "Bobby") is None
    assert await house.storage.voices.find(GUILD, "Ann") is not None
    assert not [name for name in house.files() if key[2:] == name.split("/")[1].rpartition("-")[2]]


async def test_forgetting_one_removes_them_from_others_shares(house: House) -> None:
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.CHOSEN, [BOB.member_id], [])
    await house.studio.privacy.forget(BOB)
    assert (await house.storage.voices.get(GUILD, int(key[2:]))).member_ids == frozenset()


async def test_a_no_that_they_got_is_not_forgotten_but_the_name_they_asked_for_is(house: House) -> None:
    request = await house.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    await house.studio.clones.answer(request.id, BOB.member_id, False)
    await house.studio.privacy.forget(ANN)
    summary = await house.studio.privacy.show(ANN)
    assert (summary.requests, summary.refusals) == (1, 1)
    assert (await house.storage.consents.get_request(request.id)).order == {}
    with pytest.raises(NotAllowed, match="said no"):
        await house.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    assert house.files() == []


async def test_a_question_about_somebody_forgotten_is_gone(house: House) -> None:
    request = await house.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    assert request.state is ConsentState.PENDING
    await house.studio.privacy.forget(ANN)
    assert await house.storage.consents.requests_of(GUILD, BOB.member_id) == []
    assert house.files() == []
