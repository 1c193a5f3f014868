"""Two bot processes on one PostgreSQL, each with half of Discord: killed at random, and PostgreSQL restarts."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from sqlalchemy import text

from errors import Unavailable
from storage.sessions import Sessions
from tests.storage.conftest import migrated_server
from tests.storage.postgres import find_programs, restart

ROOT = Path(__file__).parents[2]
JOBS = 1000
log = structlog.get_logger(__name__)
PATIENCE = 900.0
"""Seconds for everything, on a machine that others use too."""
UNSENT = """
    SELECT count(*) FROM jobs WHERE substring("order"::text from 'Line (\\d{12})') NOT IN (SELECT line FROM sent)
"""


class Process:
    """A bot process that can be killed and started again."""

    def __init__(self, url: str, folder: Path, shard: int) -> None:
        self._command = [sys.executable, "-u", "-m", "tests.cluster.shard_process", url, str(folder), str(shard)]
        self._log = folder / f"log-{shard}"
        self.killed: set[int] = set()
        self.start()

    def start(self) -> None:
        """Start it. It is killed some time after it gave its first answers, or it would never come to any."""
        self._life = random.randint(10, JOBS // 8)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen([*self._command, str(JOBS // 2)], cwd=ROOT, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kill it, without any warning."""
        self.killed.add(self.process.pid)
        self.process.kill()
        self.process.wait()

    def is_due(self, sent: list[list[str]]) -> bool:
        """Return whether it has given as many answers as it may."""
        return sum(process == str(self.process.pid) for _, process, _ in sent) >= self._life

    def said(self) -> str:
        """What it logged last."""
        return self._log.read_text()[-2000:]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with migrated_server() as url:
        yield url


async def number(url: str, query: str) -> int:
    """Return what a query counts. The machine may be too busy to answer in time, so this asks again."""
    for attempt in range(10):
        sessions = Sessions(url, busy_timeout=10)
        try:
            async with sessions.read() as session:
                return int(await session.scalar(text(query)) or 0)
        except Unavailable:
            await asyncio.sleep(attempt)
        finally:
            await sessions.close()
    raise AssertionError("PostgreSQL did not answer")


async def store_sent(url: str, lines: list[list[str]]) -> None:
    """Put what Discord was sent beside the jobs."""
    sessions = Sessions(url, busy_timeout=10)
    async with sessions.write() as session:
        await session.execute(text("CREATE TABLE sent (line text, process int, way text)"))
        rows = [{"line": line, "process": int(process), "way": way} for line, process, way in lines]
        await session.execute(text("INSERT INTO sent VALUES (:line, :process, :way)"), rows)
    await sessions.close()


def sent_by(folder: Path) -> list[list[str]]:
    """Return what Discord was sent: line, process and way."""
    path = folder / "sent"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.timeout(PATIENCE + 60)
def test_nothing_is_lost_or_doubled(url: str, tmp_path: Path) -> None:
    programs = find_programs()
    both = [Process(url, tmp_path, shard) for shard in (0, 1)]
    began, kills, restarted = time.monotonic(), 0, False
    unanswered = "SELECT count(*) FROM jobs WHERE answered_at IS NULL"
    accepted = 0
    try:
        while accepted < JOBS or asyncio.run(number(url, unanswered)):
            assert time.monotonic() - began < PATIENCE, "\n".join(each.said() for each in both)
            time.sleep(random.uniform(1, 3))
            accepted = asyncio.run(number(url, "SELECT count(*) FROM jobs"))
            for each in both:
                if each.process.poll() is not None:  # PostgreSQL was away when it started; a supervisor restarts it
                    each.start()
            if accepted >= JOBS // 2 and not restarted:
                restart(programs, Path(parse_qs(urlsplit(url).query)["host"][0]))
                restarted = True
            for victim in both:
                if accepted < JOBS and victim.is_due(sent_by(tmp_path)):
                    victim.kill()
                    victim.start()
                    kills += 1
    finally:
        for each in both:
            each.kill()
    lines = sent_by(tmp_path)
    asyncio.run(store_sent(url, lines))

    assert restarted
    assert kills >= 3
    assert asyncio.run(number(url, "SELECT count(DISTINCT guild_id) FROM jobs")) == 20
    assert asyncio.run(number(url, "SELECT count(DISTINCT member_id) FROM jobs")) == 200
    # Lost: accepted and not answered, or answered without a message.
    assert asyncio.run(number(url, "SELECT count(*) FROM jobs WHERE state <> 'delivered'")) == 0
    assert asyncio.run(number(url, UNSENT)) == 0
    # Doubled: more than one message, where the edit of the waiting message is none of its own.
    assert asyncio.run(number(url, "SELECT count(*) FROM sent WHERE way = 'message'")) == 0
    # The same edit twice is possible in one case only: killed after Discord had it, and before storage did.
    senders: dict[str, list[int]] = {}
    for line, process, _ in lines:
        senders.setdefault(line, []).append(int(process))
    killed = both[0].killed | both[1].killed
    repeated = {line: by for line, by in senders.items() if len(by) > 1}
    assert all(set(by[:-1]) <= killed and len(set(by)) == len(by) for by in repeated.values()), repeated
    log.info("counted", jobs=accepted, kills=kills, repeated_edits=len(repeated), seconds=time.monotonic() - began)
