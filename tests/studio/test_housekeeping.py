"""What time takes away."""

from unittest.mock import AsyncMock

import pytest

from errors import Unavailable
from storage.database import COPY_KEPT
from storage.records import Asked, JobState
from tests.studio.conftest import ANN, GUILD, MOD, STRANGER, StudioHarness, person


async def test_texts_and_recordings_go_after_each_servers_retention(harness: StudioHarness) -> None:
    await harness.studio.upkeep()
    await harness.studio.admin.change(MOD, retention_days=3)
    await harness.studio.admin.change(person(3, guild_id=901, moderator=True), retention_days=10)
    harness.courier.reachable = False
    here, there = await harness.say("here"), await harness.say("there", actor=STRANGER)
    for accepted in (here, there):
        await harness.left(accepted.id)
    key = await harness.clone()
    await harness.left(key.id)
    harness.clock.move(days=2)
    await harness.studio.upkeep()
    assert (await harness.job(here.id)).state is JobState.READY
    harness.clock.move(days=1, minutes=1)
    await harness.studio.upkeep()
    assert await harness.storage.jobs.find(here.id) is None
    assert [name for name in harness.files() if name.startswith("results")] == [f"results/{there.id}.ogg"]
    assert await harness.storage.voices.find(GUILD, "Ann") is not None


async def test_retention_is_looked_at_once_an_hour(harness: StudioHarness) -> None:
    await harness.studio.upkeep()
    await harness.studio.admin.change(MOD, retention_days=0)
    await harness.ended((await harness.say()).id)
    harness.clock.move(minutes=59)
    await harness.studio.upkeep()
    assert len(await harness.storage.jobs.of_member(GUILD, 1)) == 1
    harness.clock.move(minutes=2)
    await harness.studio.upkeep()
    assert await harness.storage.jobs.of_member(GUILD, 1) == []


async def test_a_clock_that_was_a_month_ahead_does_not_stop_retention_for_a_month(harness: StudioHarness) -> None:
    harness.clock.move(days=30)
    await harness.studio.upkeep()
    harness.clock.move(days=-30)
    await harness.studio.admin.change(MOD, retention_days=1)
    await harness.ended((await harness.say()).id)
    await harness.studio.upkeep()
    harness.clock.move(days=1, minutes=1)
    await harness.studio.upkeep()
    assert await harness.storage.jobs.of_member(GUILD, 1) == []


async def test_what_was_swept_is_deleted_a_week_later(harness: StudioHarness) -> None:
    swept = harness.folder / "trash" / f"{int(harness.clock().timestamp())}-{'0' * 32}-voices-900-1"
    swept.mkdir()
    harness.clock.move(days=6)
    await harness.studio.upkeep()
    assert [path.name for path in swept.parent.iterdir()] == [swept.name]
    harness.clock.move(days=2)
    await harness.studio.upkeep()
    assert list(swept.parent.iterdir()) == []


async def test_what_retention_deleted_is_not_on_the_disk_either(harness: StudioHarness) -> None:
    await harness.studio.upkeep()
    await harness.ended((await harness.say("words of yesteryear")).id)

    def on_disk() -> bool:
        return any(b"words of yesteryear" in path.read_bytes() for path in harness.folder.glob("barkeep.sqlite3*"))

    assert on_disk()
    harness.clock.move(days=31)
    await harness.studio.upkeep()
    assert not on_disk()


async def test_the_audit_log_keeps_a_year(harness: StudioHarness) -> None:
    await harness.storage.audit.write(GUILD, 1, "old")
    harness.clock.move(days=364)
    await harness.studio.upkeep()
    assert (await harness.studio.admin.audit(MOD, 1)).total == 1
    harness.clock.move(days=2)
    await harness.studio.upkeep()
    assert (await harness.studio.admin.audit(MOD, 1)).total == 0


@pytest.mark.parametrize(
    ("part", "step"),
    [
        ("jobs", "expired"),
        ("jobs", "unanswered"),
        ("jobs", "queued"),
        ("consents", "expired"),
        ("spoken_consents", "expired"),
        (None, "keep_room"),
    ],
)
@pytest.mark.parametrize("error", [Unavailable("The disk is full."), RuntimeError("unexpected")], ids=["known", "new"])
async def test_a_step_that_fails_keeps_no_other_from_its_work(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, part: str | None, step: str, error: Exception
) -> None:
    await harness.studio.admin.change(MOD, retention_days=0)
    job = await harness.ended((await harness.say()).id)
    harness.clock.move(days=1)
    broken = harness.storage if part is None else getattr(harness.storage, part)
    monkeypatch.setattr(broken, step, AsyncMock(side_effect=error))
    await harness.studio.upkeep()
    assert await harness.storage.jobs.find(job.id) is None


async def test_retention_that_failed_is_tried_again_in_the_next_round(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.studio.admin.change(MOD, retention_days=0)
    job = await harness.ended((await harness.say()).id)
    harness.clock.move(days=1)
    with monkeypatch.context() as broken:
        broken.setattr(harness.storage.audit, "prune", AsyncMock(side_effect=Unavailable("busy")))
        await harness.studio.upkeep()
    harness.clock.move(seconds=30)
    await harness.studio.upkeep()
    assert await harness.storage.jobs.find(job.id) is None


async def test_a_process_that_does_not_lead_looks_after_its_own_disk(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = AsyncMock(spec=harness.storage.files.drop_copies)
    monkeypatch.setattr(harness.storage, "leads", AsyncMock(return_value=False))
    monkeypatch.setattr(harness.storage.files, "drop_copies", dropped)
    await harness.studio.upkeep()
    dropped.assert_awaited_once_with(harness.clock() - COPY_KEPT)


async def test_what_a_member_asked_for_is_kept_for_an_hour_or_two(harness: StudioHarness) -> None:
    await harness.storage.hourly.count(ANN.member_id, Asked.CHECK, 1)
    await harness.studio.upkeep()
    harness.clock.move(minutes=61)
    await harness.studio.upkeep()
    assert "table asked" not in await harness.traces(str(ANN.member_id))
