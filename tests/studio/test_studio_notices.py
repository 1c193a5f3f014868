"""Two bot processes on one PostgreSQL database, each with half of the servers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from storage.database import Storage
from storage.records import JobRecord, JobState
from storage.shards import Shards
from studio.studio import Studio
from studio.values import CloneOrder, SayOrder
from tests.fakes import FakeCourier, FakeExecutor, sound_bytes
from tests.storage.build import stored_job
from tests.storage.conftest import execute, postgres_address, postgres_server  # noqa: F401 (fixtures)
from tests.studio.conftest import ANN, MAX_BYTES, until

pytestmark = pytest.mark.postgres
HERE, THERE = replace(ANN, guild_id=2 << 22), replace(ANN, guild_id=3 << 22)
"""The same member on a server of shard 0 and on one of shard 1."""


class ShardStudio:
    """A studio with the servers of one shard."""

    def __init__(self, url: str, folder: Path, shard: int) -> None:
        self._url, self._folder, self._shards = url, folder, Shards((shard,), 2)
        self.executor, self.courier = FakeExecutor(), FakeCourier()

    async def start(self) -> None:
        self.storage = await Storage.open(self._url, self._folder, shards=self._shards)
        self.studio = Studio(self.storage, self.executor, self.courier)
        await self.studio.start()

    async def say(self, voice: str | None = None) -> JobRecord:
        order = SayOrder("Good evening.", voice)
        return await self.studio.speech.submit(THERE, order, {}, None, max_bytes=MAX_BYTES)

    async def job(self, accepted: JobRecord) -> JobRecord:
        return await stored_job(self.storage, accepted.id)

    async def answered(self, accepted: JobRecord) -> None:
        async def is_answered() -> bool:
            return (await self.job(accepted)).answered_at is not None

        await until(is_answered, "the answer")


@pytest.fixture
async def processes(postgres_address: str, tmp_path: Path) -> AsyncIterator[tuple[ShardStudio, ShardStudio]]:  # noqa: F811
    both = ShardStudio(postgres_address, tmp_path, 0), ShardStudio(postgres_address, tmp_path, 1)
    for process in both:
        await process.start()
    yield both
    for process in both:
        await process.studio.close()


async def test_a_job_that_another_process_accepts_is_worked_on_at_once(
    processes: tuple[ShardStudio, ShardStudio],
) -> None:
    direct, owner = processes
    accepted = await direct.studio.clones.submit(THERE, CloneOrder("Ann"), sound_bytes(), None, attested=True)
    await owner.answered(accepted)
    assert (len(owner.courier.of(accepted.id)), direct.courier.delivered, direct.executor.requests) == (1, [], [])
    await direct.studio.upkeep()
    assert direct.courier.delivered == []


async def test_what_another_process_deletes_is_stopped_at_once(processes: tuple[ShardStudio, ShardStudio]) -> None:
    direct, owner = processes
    owner.executor.hold()
    running, queued = await owner.say(), await owner.say()
    await until(lambda: owner.executor.requests != [], "the work")
    await direct.studio.privacy.forget(THERE)
    await until(lambda: owner.executor.cancelled == [running.id], "the end of the work")
    await until(lambda: owner.studio.dispatcher._context.active == {}, "the place to be free")
    assert owner.studio.dispatcher.position(queued.id) == 0
    assert owner.studio.dispatcher._context.queue.before(queued.id) is None
    assert {answer.outcome.job.state for answer in owner.courier.delivered} <= {JobState.CANCELLED}
    assert direct.courier.delivered == []
    assert list((owner.storage.files.data_dir / "staging").iterdir()) == []


async def test_a_cancelled_job_is_answered_by_the_process_of_its_server(
    processes: tuple[ShardStudio, ShardStudio],
) -> None:
    direct, owner = processes
    owner.executor.hold()
    accepted = await owner.say()
    await until(lambda: owner.executor.requests != [], "the work")
    await direct.studio.dispatcher.cancel(accepted.id)
    await owner.answered(accepted)
    assert [answer.outcome.job.state for answer in owner.courier.delivered] == [JobState.CANCELLED]
    assert direct.courier.delivered == []


async def test_without_a_notice_upkeep_finds_the_change(
    processes: tuple[ShardStudio, ShardStudio],
    postgres_address: str,  # noqa: F811
) -> None:
    direct, owner = processes
    assert owner.storage._locks is not None
    await owner.storage._locks.close()
    owner.executor.hold()
    accepted = await owner.say()
    await until(lambda: owner.executor.requests != [], "the work")
    await direct.studio.dispatcher.cancel(accepted.id)
    await asyncio.sleep(0.1)
    assert owner.executor.cancelled == []
    await owner.studio.dispatcher.upkeep()
    await owner.answered(accepted)
    assert owner.executor.cancelled == [accepted.id]
    assert list((owner.storage.files.data_dir / "staging").iterdir()) == []


async def test_notices_that_were_missed_are_made_up_for(
    processes: tuple[ShardStudio, ShardStudio],
    postgres_address: str,  # noqa: F811
) -> None:
    direct, owner = processes
    await execute(
        postgres_address,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'barkeep, %'",
    )
    accepted = await direct.say()
    assert (await direct.job(accepted)).state is JobState.QUEUED
    await owner.answered(accepted)
    assert direct.executor.requests == []


async def test_limits_hold_across_processes(processes: tuple[ShardStudio, ShardStudio]) -> None:
    first, second = processes
    await first.storage.guilds.change(THERE.guild_id, jobs_per_hour_per_member=4)
    outcomes = await asyncio.gather(*(each.say() for each in (first, second) * 6), return_exceptions=True)
    assert sum(isinstance(outcome, JobRecord) for outcome in outcomes) == 4


async def test_a_job_is_never_run_or_answered_by_the_process_of_another_server(
    processes: tuple[ShardStudio, ShardStudio],
) -> None:
    other, owner = processes
    await owner.studio.close()
    accepted = await other.say()
    await other.storage.jobs.claim(accepted.id, "gone/1/ab", timedelta(seconds=-1))
    await other.studio.upkeep()
    assert (await other.job(accepted)).state is JobState.RUNNING
    await other.storage.jobs.fail(accepted.id, "Unavailable", "No.", owner="gone/1/ab")
    await other.studio.upkeep()
    await asyncio.sleep(0.05)
    assert (other.courier.delivered, other.executor.requests) == ([], [])
