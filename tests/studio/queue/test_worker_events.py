"""What the worker tells of a job reaches its member, and keeps the job's lease."""

from pathlib import Path

import pytest

from cloning.worker.protocol import PartSpoken, Progress
from storage.records import JobRecord, JobState
from studio.queue.lease import LEASE
from studio.queue.worker_events import LONG_TEXT, Active
from tests.studio.conftest import House, until


async def at_work(house: House) -> tuple[JobRecord, Active]:
    house.executor.hold()
    receipt = await house.say()
    job = await house.reaches(receipt.job.id, JobState.RUNNING)
    active = house.studio.dispatcher._active
    # the last that the stand-in says before it holds
    await until(lambda: job.id in active and active[job.id].stage == "speaking", "the job at work")
    return job, active[job.id]


async def lease(house: House, job: JobRecord) -> object:
    return (await house.storage.jobs.get(job.id)).lease_until


@pytest.mark.parametrize("part", [PartSpoken("", 0, LONG_TEXT - 1, 1.0), PartSpoken("", 1, LONG_TEXT, 1.0)])
async def test_only_the_first_of_many_sentences_is_told(house: House, part: PartSpoken) -> None:
    _, active = await at_work(house)
    await house.studio.dispatcher._reports.part(active, part)
    assert active.beginning is None


async def test_a_beginning_stays_with_the_news(house: House) -> None:
    job, active = await at_work(house)
    reports = house.studio.dispatcher._reports
    await reports.part(active, PartSpoken(job.id, 0, LONG_TEXT, 1.0))
    await reports.progress(active, Progress(job.id, "the rest", 0.5))
    await until(lambda: any(update.stage == "the rest" for _, update in house.courier.updates), "news")
    latest = house.courier.updates[-1][1]
    assert isinstance(latest.beginning, Path)
    assert latest.beginning.name == "part-0.ogg"


@pytest.mark.parametrize("event", [Progress("", "speaking", 0.1), PartSpoken("", 1, 9, 1.0)])
async def test_every_report_renews_the_lease_now_and_then(house: House, event: Progress | PartSpoken) -> None:
    job, active = await at_work(house)
    reports = house.studio.dispatcher._reports
    before = await lease(house, job)
    house.clock.now += LEASE / 4
    await (reports.progress(active, event) if isinstance(event, Progress) else reports.part(active, event))
    assert await lease(house, job) == before
    house.clock.now += LEASE / 4
    await (reports.progress(active, event) if isinstance(event, Progress) else reports.part(active, event))
    assert await lease(house, job) == house.clock() + LEASE
