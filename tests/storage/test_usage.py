from datetime import timedelta

import pytest

from storage.database import Storage
from storage.records import JobState, Usage
from tests.storage.build import ANNA, BORIS, GUILD, NOON, OTHER_GUILD, Clock, reserve, speech_in

LEASE = timedelta(minutes=1)


async def test_nothing_was_used(storage: Storage) -> None:
    assert await storage.jobs.usage(GUILD, NOON) == Usage(0, 0, 0, 0.0, None, None, {})


async def test_usage_counts_what_happened_since_then_in_this_server(storage: Storage, clock: Clock) -> None:
    await speech_in(storage, JobState.DELIVERED)
    clock.advance(days=1)
    await reserve(storage)
    await speech_in(storage, JobState.DELIVERED)
    await speech_in(storage, JobState.READY, member=BORIS)
    await speech_in(storage, JobState.FAILED, member=BORIS)
    await speech_in(storage, JobState.CANCELLED)
    await speech_in(storage, JobState.QUEUED, expected_seconds=99.0)
    await speech_in(storage, JobState.DELIVERED, guild=OTHER_GUILD)
    used = await storage.jobs.usage(GUILD, clock.now)
    assert (used.clones, used.speeches, used.failed, used.audio_seconds) == (1, 5, 1, 5.0)
    assert used.by_member == {ANNA: 4, BORIS: 2}
    theirs = await storage.jobs.usage(GUILD, clock.now, member_id=BORIS)
    assert (theirs.clones, theirs.speeches, theirs.failed, theirs.audio_seconds) == (0, 2, 1, 2.5)
    assert theirs.by_member == {BORIS: 2}
    assert (await storage.jobs.usage(GUILD, NOON)).speeches == 6


@pytest.mark.parametrize(("waits", "median"), [([3, 1, 8], 3.0), ([1, 4], 2.5)])
async def test_medians_of_waiting_and_work(storage: Storage, clock: Clock, waits: list[int], median: float) -> None:
    for wait in waits:
        job = await speech_in(storage, JobState.QUEUED)
        clock.advance(seconds=wait)
        await storage.jobs.claim(job.id, "bot", LEASE)
        await storage.jobs.begun(job.id, "bot")
        clock.advance(seconds=wait * 2)
        await storage.jobs.ready(job.id, {"seconds": 1.0}, "bot")
    used = await storage.jobs.usage(GUILD, NOON)
    assert (used.wait_seconds_median, used.work_seconds_median) == (median, median * 2)


async def test_medians_are_of_the_latest_jobs(storage: Storage, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.usage.TIMED_JOBS", 2)
    for wait in (100, 1, 3):
        job = await speech_in(storage, JobState.QUEUED)
        clock.advance(seconds=wait)
        await storage.jobs.claim(job.id, "bot", LEASE)
        await storage.jobs.begun(job.id, "bot")
    used = await storage.jobs.usage(GUILD, NOON)
    assert (used.speeches, used.wait_seconds_median) == (3, 2.0)
