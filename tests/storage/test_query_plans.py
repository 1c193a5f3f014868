"""The plans of the statements that a job passes through, with many rows of each kind: none reads a whole table."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.growth import say, statements, voice_of_server
from benchmarks.queue import Counter, InstantWorker
from storage.database import Storage
from storage.records import JobState
from storage.shards import ALL, Shards
from studio.studio import Studio
from tests.storage.build import ANNA, GUILD, PLENTY, Clock, new_job
from tests.storage.conftest import execute

ROWS = 5000
"""Of each kind, in 1,000 servers."""
JOBS = 3
LARGE = {"jobs", "voices", "audit", "guilds", "spent", "members"}
_PARTIAL = "ix_jobs_without_answer"
"""An index of few rows, which may be read whole."""
_SCAN = re.compile(rf"SCAN (\w+)\b(?! USING (?:COVERING )?INDEX {_PARTIAL})")


class Plans:
    """Notes every statement with its last parameters, and asks for its plan."""

    def __init__(self, storage: Storage) -> None:
        self._engine = storage._sessions.engine
        self._noted: dict[str, Any] = {}
        event.listen(self._engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH"):
            self._noted[statement] = parameters[0] if many else parameters

    async def scans(self) -> dict[str, set[str]]:
        """Return the statements that read large tables from end to end, with these tables."""
        event.remove(self._engine.sync_engine, "before_cursor_execute", self._note)
        async with self._engine.connect() as connection:
            found = {
                statement: await _scanned(connection, statement, self._noted[statement]) for statement in self._noted
            }
            await connection.rollback()
        return {statement: tables for statement, tables in found.items() if tables}

    def __len__(self) -> int:
        return len(self._noted)


async def _scanned(connection: AsyncConnection, statement: str, parameters: Any) -> set[str]:
    if connection.dialect.name == "sqlite":
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return {match[1] for row in rows if (match := _SCAN.search(row.detail))} & LARGE
    await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # scans only where no index helps
    rows = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    plan = rows.scalar_one()
    return set(_seq_scans((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])) & LARGE


def _seq_scans(plan: dict[str, Any]) -> list[str]:
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return own + [name for inner in plan.get("Plans", ()) for name in _seq_scans(inner)]


@pytest.fixture(params=[ALL, Shards(((GUILD >> 22) % 2,), 2)], ids=["all shards", "one of two"])
async def full(address: str, tmp_path: Path, clock: Clock, request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    storage = await Storage.open(address, tmp_path / "data")
    await storage.close()
    await execute(address, *statements(address.partition(":")[0].partition("+")[0], ROWS))
    storage = await Storage.open(address, tmp_path / "data", clock=clock, shards=request.param)
    yield storage
    await storage.close()


async def test_no_statement_on_a_jobs_way_through_the_studio_reads_a_whole_table(full: Storage) -> None:
    voice = await voice_of_server(full, 1)
    worker, courier = InstantWorker(), Counter()
    studio = Studio(full, worker, courier)
    await studio.start()
    plans = Plans(full)
    for number in range(JOBS):
        await say(studio, voice, number)
    worker.open.set()
    for _ in range(JOBS):
        await asyncio.wait_for(courier.answers.get(), 60)
    await studio.close()
    assert len(plans) > 10
    assert await plans.scans() == {}


async def test_no_statement_of_storage_reads_a_whole_table(full: Storage, clock: Clock) -> None:
    plans = Plans(full)
    await full.acceptance.accept_speech(new_job("line"), PLENTY)
    await full.acceptance.accept_speech(new_job("other"), PLENTY)
    await full.jobs.queued(limit=500)
    await full.jobs.of_ids(["line"])
    await full.jobs.claim("line", "bot", timedelta(seconds=90))
    await full.jobs.begun("line", "bot")
    await full.jobs.renew(["line"], "bot", timedelta(seconds=90))
    await full.jobs.running()
    await full.jobs.expired(clock())
    await full.jobs.find("line")
    await full.jobs.ready("line", {"seconds": 1.0}, "bot", lease=timedelta(seconds=90))
    await full.jobs.claim_answer("line", "bot", timedelta(seconds=90), held_by="bot")
    await full.jobs.unanswered()
    await full.jobs.answered("line", 5)
    await full.jobs.cancel("other")
    await full.jobs.of_member(GUILD, ANNA)
    await full.jobs.of_voice(GUILD, 5, [JobState.QUEUED])
    assert len(plans) >= 15
    assert await plans.scans() == {}


async def test_a_scan_would_be_noticed(full: Storage) -> None:
    plans = Plans(full)
    async with full._sessions.read() as session:
        await session.execute(text("SELECT count(*) FROM jobs WHERE channel_id = 7"))
    assert len(await plans.scans()) == 1
