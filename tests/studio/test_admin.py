"""What moderators see and decide."""

import inspect

import pytest

from errors import Conflict, InvalidInput, NotAllowed, NotFound
from storage.records import JobState
from studio.admin import RANGES, AdminService
from studio.values import CloneOrder
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, STRANGER, StudioHarness, person

OTHER_MOD = person(3, guild_id=901, moderator=True)


async def test_every_method_refuses_members(harness: StudioHarness) -> None:
    arguments = {
        "query": "",
        "number": 1,
        "typed": "Ann",
        "member_id": BOB.member_id,
        "reason": "",
        "job_id": "x",
        "days": 7,
    }
    tried = []
    for name, method in inspect.getmembers(harness.studio.admin, inspect.iscoroutinefunction):
        parameters = inspect.signature(method).parameters
        if name.startswith("_") or "actor" not in parameters:
            continue
        given = {key: arguments[key] for key in parameters if key in arguments}
        with pytest.raises(NotAllowed, match="moderators"):
            await method(ANN, **given)
        tried.append(name)
    assert len(tried) == 13
    assert isinstance(harness.studio.admin, AdminService)


async def test_settings_are_kept_checked_and_audited(harness: StudioHarness) -> None:
    admin = harness.studio.admin
    changed = await admin.change(MOD, text_length=200, clone_role_ids=[7, 8], channel_ids={4})
    assert (changed.text_length, changed.clone_role_ids) == (200, frozenset({7, 8}))
    assert await admin.settings(MOD) == changed
    assert (await admin.settings(OTHER_MOD)).text_length != 200
    lines = (await admin.audit(MOD, 1)).entries
    assert {(line.target, line.detail) for line in lines} == {
        ("text_length", "1000 to 200"),
        ("clone_role_ids", "everybody to 7, 8"),
        ("channel_ids", "everybody to 4"),
    }
    await admin.change(MOD, text_length=200)
    assert (await admin.audit(MOD, 1)).total == 3


@pytest.mark.parametrize(("name", "span"), RANGES.items())
async def test_numbers_outside_their_range_change_nothing(
    harness: StudioHarness, name: str, span: tuple[int, int]
) -> None:
    before = await harness.studio.admin.settings(MOD)
    for value in (span[0] - 1, span[1] + 1, True, "5", 1.5):
        with pytest.raises(InvalidInput, match="whole number"):
            await harness.studio.admin.change(MOD, **{name: value})
    for unknown in ("guild_id", "nonsense"):
        with pytest.raises(InvalidInput, match="no setting"):
            await harness.studio.admin.change(MOD, **{unknown: 5})
    assert await harness.studio.admin.settings(MOD) == before
    for value in span:
        assert getattr(await harness.studio.admin.change(MOD, **{name: value}), name) == value


async def test_moderators_see_and_remove_private_voices_of_their_server(harness: StudioHarness) -> None:
    await harness.voice(name="Ann")
    await harness.voice(BOB, "Bob")
    page = await harness.studio.admin.voices(MOD, "", 1)
    assert [voice.name for voice in page.entries] == ["Ann", "Bob"]
    assert (await harness.studio.admin.voices(OTHER_MOD, "", 1)).total == 0
    with pytest.raises(NotFound):
        await harness.studio.admin.remove_voice(OTHER_MOD, "Ann")
    await harness.studio.admin.remove_voice(MOD, page.entries[0].key)
    assert [voice.name for voice in (await harness.studio.admin.voices(MOD, "", 1)).entries] == ["Bob"]


async def test_a_block_cancels_jobs_and_lasts_until_it_is_lifted(harness: StudioHarness) -> None:
    harness.executor.hold()
    running, waiting = await harness.say("one"), await harness.say("two")
    await harness.reaches(running.id, JobState.RUNNING)
    blocked = await harness.studio.admin.block(MOD, ANN.member_id, "  rude\n\x00\ud800words ")
    assert (blocked.block_reason, blocked.blocked_by) == ("rude words", MOD.member_id)
    for accepted in (running, waiting):
        assert (await harness.ended(accepted.id)).state is JobState.CANCELLED
    with pytest.raises(NotAllowed, match="blocked"):
        await harness.say()
    assert [member.member_id for member in await harness.studio.admin.blocked(MOD)] == [ANN.member_id]
    assert await harness.studio.admin.blocked(OTHER_MOD) == []
    await harness.studio.admin.unblock(MOD, ANN.member_id)
    with pytest.raises(NotFound, match="not blocked"):
        await harness.studio.admin.unblock(MOD, ANN.member_id)
    for member_id, reason in ((MOD.member_id, ""), (ANN.member_id, "x" * 201)):
        with pytest.raises(InvalidInput):
            await harness.studio.admin.block(MOD, member_id, reason)
    lines = [(line.action, line.detail) for line in (await harness.studio.admin.audit(MOD, 1)).entries]
    assert lines[:2] == [("member.unblock", ""), ("member.block", "rude words")]


async def test_the_queue_shows_this_server_in_order_and_can_be_cancelled(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    undelivered = await harness.say("kept")
    await harness.left(undelivered.id)
    harness.courier.reachable = True
    release = harness.executor.hold()
    running, waiting = await harness.say("one"), await harness.say("two")
    await harness.reaches(running.id, JobState.RUNNING)
    elsewhere = await harness.say("three", actor=STRANGER)
    queue = await harness.studio.admin.queue(MOD)
    assert [(entry.job.id, entry.position) for entry in queue] == [
        (running.id, 0),
        (waiting.id, 2),
        (undelivered.id, None),
    ]
    with pytest.raises(NotFound):
        await harness.studio.admin.cancel(MOD, elsewhere.id)
    await harness.studio.admin.cancel(MOD, waiting.id)
    with pytest.raises(Conflict):
        await harness.studio.admin.cancel(MOD, waiting.id)
    release()
    for accepted in (running, waiting, elsewhere):
        await harness.ended(accepted.id)


async def test_the_audit_log_has_pages_newest_first(harness: StudioHarness) -> None:
    for number in range(11):
        await harness.storage.audit.write(GUILD, MOD.member_id, f"action {number}")
    first, second = await harness.studio.admin.audit(MOD, 1), await harness.studio.admin.audit(MOD, 99)
    assert (first.entries[0].action, len(first.entries), first.pages, first.total) == ("action 10", 10, 2, 11)
    assert ([entry.action for entry in second.entries], second.number) == (["action 0"], 2)
    assert (await harness.studio.admin.audit(OTHER_MOD, 1)).total == 0


async def test_stats_tell_use_and_the_worker(harness: StudioHarness) -> None:
    await harness.voice()
    await harness.ended((await harness.say(actor=BOB)).id)
    stats = await harness.studio.admin.stats(MOD, 7)
    assert (stats.usage.clones, stats.usage.speeches, stats.usage.audio_seconds, stats.voices) == (1, 1, 1.0, 1)
    assert (stats.queued, stats.running, stats.days) == (0, 0, 7)
    assert stats.worker.ready is not None
    assert (await harness.studio.admin.stats(OTHER_MOD, 7)).usage.clones == 0
    for days in (0, 4000):
        with pytest.raises(InvalidInput):
            await harness.studio.admin.stats(MOD, days)


async def test_purge_by_age_or_by_member(harness: StudioHarness) -> None:
    harness.courier.reachable = False
    old = await harness.say("old")
    await harness.left(old.id)
    harness.clock.move(days=10)
    harness.courier.reachable = True
    await harness.ended((await harness.say("new")).id)
    key = await harness.voice()
    assert (await harness.studio.admin.purge(OTHER_MOD, older_than_days=0)).jobs == 0
    (line,) = (await harness.studio.admin.audit(OTHER_MOD, 1)).entries
    assert (line.target, line.detail) == ("0 jobs", "of any age")
    assert (await harness.studio.admin.purge(MOD, older_than_days=5)).jobs == 1
    assert await harness.storage.jobs.find(old.id) is None
    assert not [name for name in harness.files() if name.startswith("results")]
    erased = await harness.studio.admin.purge(MOD, member_id=ANN.member_id)
    assert (erased.voices, erased.jobs) == (1, 2)
    with pytest.raises(NotFound):
        await harness.studio.library.info(ANN, key)
    for wrong in ({}, {"older_than_days": 1, "member_id": 2}):
        with pytest.raises(InvalidInput):
            await harness.studio.admin.purge(MOD, **wrong)


async def test_a_server_that_removed_the_bot_leaves_nothing(harness: StudioHarness) -> None:
    await harness.voice()
    await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    other = await harness.voice(STRANGER, "Elsewhere")
    release = harness.executor.hold()
    await harness.say("running")
    await harness.clone(name="Another")
    await harness.studio.admin.guild_removed(GUILD)
    release()
    await harness.ended((await harness.say("still works", actor=STRANGER, voice=other)).id)
    assert await harness.storage.guilds.all_ids() == [901]
    assert {name.split("/")[1] for name in harness.files()} == {f"901-{other[2:]}"}
