"""The plans of the statements that every job passes through, with many finished jobs: none reads a whole table."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from storage.database import Storage
from storage.records import JobState
from storage.sessions import Sessions, lock_guild
from storage.shards import Shards
from tests.storage.build import ANNA, GUILD, PLENTY, Clock, new_job

OWN = Shards(((GUILD >> 22) % 2,), 2)
LARGE = ("jobs", "spent")

_NUMBERS = {
    "postgresql": "SELECT number FROM generate_series(1, 20000) AS number",
    "sqlite": "WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers "
    "WHERE number < 20000) SELECT number FROM numbers",
}
_FILL = (
    "INSERT INTO guilds (guild_id, revision) SELECT 100000000000000001 + number, 1 FROM ({numbers}) AS each "
    "WHERE number < 50",
    'INSERT INTO jobs (id, kind, state, guild_id, channel_id, member_id, "order", private, attempts, created_at, '
    "finished_at, answered_at, audio_seconds) SELECT 'old-' || number, 'speech', 'delivered', "
    "100000000000000001 + number % 50, 1, number % 997, '{{}}', false, 1, '2026-01-30 12:00:00', "
    "'2026-01-30 12:00:00', "
    "'2026-01-30 12:00:00', 1.0 FROM ({numbers}) AS each",
    "INSERT INTO spent (guild_id, member_id, created_at, audio_seconds) SELECT 100000000000000001 + number % 50, "
    "number % 997, '2026-01-30 12:00:00', 1.0 FROM ({numbers}) AS each",
)


async def fill(storage: Storage) -> None:
    """Store 20,000 finished jobs of fifty servers, a month old, and what the planner needs to know of them."""
    sessions = storage._sessions
    numbers = _NUMBERS[sessions.engine.dialect.name]
    async with sessions.write() as session:
        await lock_guild(session, GUILD)
        for statement in _FILL:
            await session.execute(text(statement.format(numbers=numbers).replace(":", "\\:")))
    async with sessions.engine.connect() as connection:
        await connection.execute(text("ANALYZE"))
        await connection.commit()


class Plans:
    """Notes every statement and asks for its plan."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._noted: dict[str, Any] = {}
        event.listen(sessions.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH"):
            self._noted.setdefault(statement, parameters)

    async def scans(self) -> dict[str, str]:
        """Return the statements that read all of a large table, with their plans."""
        explain = "EXPLAIN QUERY PLAN " if self._sessions.engine.dialect.name == "sqlite" else "EXPLAIN "
        found = {}
        for statement, parameters in dict(self._noted).items():
            async with self._sessions.engine.connect() as connection:
                rows = await connection.exec_driver_sql(explain + statement, parameters)
                plan = "\n".join(str(row[-1]) for row in rows)
                await connection.rollback()
            if any(re.search(pattern, plan) for table in LARGE for pattern in _whole(table)):
                found[statement] = plan
        return found

    def __len__(self) -> int:
        return len(self._noted)


def _whole(table: str) -> tuple[str, str]:
    """Return what a plan says of a table that is read whole: on PostgreSQL, on SQLite."""
    return rf"Seq Scan on {table}\b", rf"SCAN {table}\b(?! USING (COVERING )?INDEX ix_jobs_without_answer)"


@pytest.fixture
async def full(address: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Storage]:
    storage = await Storage.open(address, tmp_path / "data", clock=clock, shards=OWN)
    await fill(storage)
    yield storage
    await storage.close()


async def test_no_statement_of_a_job_reads_a_whole_table(full: Storage, clock: Clock) -> None:
    plans = Plans(full._sessions)
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
    plans = Plans(full._sessions)
    async with full._sessions.read() as session:
        await session.execute(text("SELECT count(*) FROM jobs WHERE channel_id = 7"))
    assert len(await plans.scans()) == 1
