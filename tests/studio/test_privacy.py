"""What is kept about a member: shown, handed over, deleted."""

import io
import json
import zipfile

from cloning.prompt import VoicePrompt
from storage.records import ConsentState, JobState, Visibility
from studio.values import CloneOrder, Erased
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, STRANGER, House, until


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
    with zipfile.ZipFile(io.BytesIO(await house.studio.privacy.export(ANN))) as archive:
        names = archive.namelist()
        data = json.loads(archive.read("data.json"))
        prompt = archive.read(next(name for name in names if name.endswith("Ann/prompt.npz")))
    assert len([name for name in names if name.endswith("clip.flac")]) == 2
    VoicePrompt.load(prompt)
    assert [voice["name"] for voice in data["voices"]] == ["Ann", "Bobby"]
    assert "my secret plans" in [job["order"].get("text") for job in data["jobs"]]
    assert all(job["interaction_token"] is None for job in data["jobs"])
    assert data["consent"]["policy_version"] == 1
    with zipfile.ZipFile(io.BytesIO(await house.studio.privacy.export(STRANGER))) as archive:
        assert archive.namelist() == ["data.json"]
        assert json.loads(archive.read("data.json"))["jobs"] == []


async def test_forget_deletes_everything_and_the_voices_they_are_heard_in(house: House) -> None:
    await house.voice(BOB, "Own")
    await with_bobs_voice(house)
    await house.voice(name="Ann")
    await house.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder("Bob again"), sound_bytes())
    house.courier.reachable = False
    lost = await house.say("undelivered", actor=BOB)
    await house.left(lost.job.id)
    erased = await house.studio.privacy.forget(BOB)
    assert erased == Erased(voices=2, jobs=2, consents=1, block_kept=False)
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
    assert (erased.voices, erased.consents) == (2, 1)
    assert (await house.ended(running.job.id)).state is JobState.CANCELLED
    release()
    assert await house.studio.clones.needs_consent(BOB)
    assert await house.storage.voices.find(GUILD, "Bobby") is None
    assert await house.storage.voices.find(GUILD, "Ann") is not None
    assert not [name for name in house.files() if key[2:] == name.split("/")[1].rpartition("-")[2]]


async def test_forgetting_one_removes_them_from_others_shares(house: House) -> None:
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.CHOSEN, [BOB.member_id], [])
    await house.studio.privacy.forget(BOB)
    assert (await house.storage.voices.get(GUILD, int(key[2:]))).member_ids == frozenset()


async def test_a_question_about_somebody_forgotten_is_gone(house: House) -> None:
    request = await house.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    assert request.state is ConsentState.PENDING
    await house.studio.privacy.forget(ANN)
    assert await house.storage.consents.requests_of(GUILD, BOB.member_id) == []
    assert house.files() == []
