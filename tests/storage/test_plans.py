"""No statement on a job's way reads a table from end to end, however much is stored, on both databases."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.growth import say, statements, voice_of_server
from benchmarks.queue import Counter, InstantWorker
from storage.database import Storage
from studio.studio import Studio
from tests.storage.conftest import execute

ROWS = 5000
"""Of each kind, in 1,000 servers."""
JOBS = 3
LARGE = {"jobs", "voices", "audit", "guilds", "spent", "members"}
_SCAN = re.compile(r"SCAN (\w+)(?! USING (?:COVERING )?INDEX)")

Seen = dict[str, Any]


@pytest.fixture
async def full(address: str, tmp_path: Path) -> AsyncIterator[Storage]:
    storage = await Storage.open(address, tmp_path / "data")
    await storage.close()
    await execute(address, *statements(address.partition(":")[0].partition("+")[0], ROWS))
    storage = await Storage.open(address, tmp_path / "data")
    yield storage
    await storage.close()


async def _work(storage: Storage) -> Seen:
    """Let jobs be accepted, worked on and answered. Return each statement meanwhile, with its last parameters."""
    seen: Seen = {}

    def note(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:
        seen[statement] = parameters[0] if many else parameters

    voice = await voice_of_server(storage, 1)
    worker, courier = InstantWorker(), Counter()
    studio = Studio(storage, worker, courier)
    await studio.start()
    event.listen(storage._sessions.engine.sync_engine, "before_cursor_execute", note)
    for number in range(JOBS):
        await say(studio, voice, number)
    worker.open.set()
    for _ in range(JOBS):
        await asyncio.wait_for(courier.answers.get(), 60)
    await studio.close()
    event.remove(storage._sessions.engine.sync_engine, "before_cursor_execute", note)
    return {statement: seen[statement] for statement in seen if re.match(r"\s*(SELECT|UPDATE|DELETE)", statement)}


async def _scanned(connection: AsyncConnection, statement: str, parameters: Any) -> set[str]:
    """The large tables that a statement reads from end to end."""
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


async def test_no_statement_on_a_jobs_way_scans_a_table(full: Storage) -> None:
    seen = await _work(full)
    assert len(seen) > 10
    async with full._sessions.engine.connect() as connection:
        scans = {statement: await _scanned(connection, statement, seen[statement]) for statement in seen}
    assert {statement: found for statement, found in scans.items() if found} == {}


async def test_a_scan_is_noticed(full: Storage) -> None:
    async with full._sessions.engine.connect() as connection:
        assert await _scanned(connection, "SELECT * FROM jobs WHERE attempts = 9", ()) == {"jobs"}
