"""What time takes away."""

import pytest

from errors import NotFound
from storage.records import JobState
from tests.studio.conftest import GUILD, MOD, STRANGER, House, person


async def test_texts_and_recordings_go_after_each_servers_retention(house: House) -> None:
    await house.studio.upkeep()
    await house.studio.admin.change(MOD, retention_days=3)
    await house.studio.admin.change(person(3, guild_id=901, moderator=True), retention_days=10)
    house.courier.reachable = False
    here, there = await house.say("here"), await house.say("there", actor=STRANGER)
    for receipt in (here, there):
        await house.left(receipt.job.id)
    key = await house.clone()
    await house.left(key.job.id)
    house.clock.move(days=2)
    await house.studio.upkeep()
    assert (await house.storage.jobs.get(here.job.id)).state is JobState.READY
    house.clock.move(days=1, minutes=1)
    await house.studio.upkeep()
    with pytest.raises(NotFound):
        await house.storage.jobs.get(here.job.id)
    assert [name for name in house.files() if name.startswith("results")] == [f"results/{there.job.id}.ogg"]
    assert await house.storage.voices.find(GUILD, "Ann") is not None


async def test_retention_is_looked_at_once_an_hour(house: House) -> None:
    await house.studio.upkeep()
    await house.studio.admin.change(MOD, retention_days=0)
    await house.ended((await house.say()).job.id)
    house.clock.move(minutes=59)
    await house.studio.upkeep()
    assert len(await house.storage.jobs.of_member(GUILD, 1)) == 1
    house.clock.move(minutes=2)
    await house.studio.upkeep()
    assert await house.storage.jobs.of_member(GUILD, 1) == []


async def test_a_clock_that_was_a_month_ahead_does_not_stop_retention_for_a_month(house: House) -> None:
    house.clock.move(days=30)
    await house.studio.upkeep()
    house.clock.move(days=-30)
    await house.studio.admin.change(MOD, retention_days=1)
    await house.ended((await house.say()).job.id)
    await house.studio.upkeep()
    house.clock.move(days=1, minutes=1)
    await house.studio.upkeep()
    assert await house.storage.jobs.of_member(GUILD, 1) == []


async def test_what_was_swept_is_deleted_a_week_later(house: House) -> None:
    swept = house.folder / "trash" / f"{int(house.clock().timestamp())}-{'0' * 32}-voices-900-1"
    swept.mkdir()
    house.clock.move(days=6)
    await house.studio.upkeep()
    assert [path.name for path in swept.parent.iterdir()] == [swept.name]
    house.clock.move(days=2)
    await house.studio.upkeep()
    assert list(swept.parent.iterdir()) == []


async def test_what_retention_deleted_is_not_on_the_disk_either(house: House) -> None:
    await house.studio.upkeep()
    await house.ended((await house.say("words of yesteryear")).job.id)

    def on_disk() -> bool:
        return any(b"words of yesteryear" in path.read_bytes() for path in house.folder.glob("barkeep.sqlite3*"))

    assert on_disk()
    house.clock.move(days=31)
    await house.studio.upkeep()
    assert not on_disk()


async def test_the_audit_log_keeps_a_year(house: House) -> None:
    await house.storage.audit.write(GUILD, 1, "old")
    house.clock.move(days=364)
    await house.studio.upkeep()
    assert (await house.studio.admin.audit(MOD, 1)).total == 1
    house.clock.move(days=2)
    await house.studio.upkeep()
    assert (await house.studio.admin.audit(MOD, 1)).total == 0
