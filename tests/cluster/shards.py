"""Two bot processes on one PostgreSQL, each with half of Discord: start, kill, and count what they did."""

import asyncio
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from errors import Unavailable
from storage.sessions import Sessions

ROOT = Path(__file__).parents[2]
UNSENT = """
    SELECT count(*) FROM jobs WHERE substring("order"::text from 'Line (\\d{12})') NOT IN (SELECT line FROM sent)
"""


class Process:
    """A bot process that can be killed and started again."""

    def __init__(self, url: str, folder: Path, shard: int, jobs: int, address: str | None = None) -> None:
        """As the arguments of `shard_process`."""
        module, options = "tests.cluster.shard_process", [] if address is None else [address]
        self._command = [sys.executable, "-u", "-m", module, url, str(folder), str(shard), str(jobs), *options]
        self._log = folder / f"log-{shard}"
        self.killed: set[int] = set()
        self.start()

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kill it, without any warning."""
        self.killed.add(self.process.pid)
        self.process.kill()
        self.process.wait()

    def answers(self, sent: list[list[str]]) -> int:
        """Return how many answers it has given since it was started."""
        return sum(process == str(self.process.pid) for _, process, _ in sent)

    def said(self) -> str:
        """What it logged last."""
        return self._log.read_text()[-2000:]


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


def none_is_lost_or_doubled(url: str, sent: list[list[str]], killed: set[int]) -> int:
    """Check that every job was answered by one message. Return how many answers were brought twice all the same.

    That can happen in one case: a process was killed after Discord had the edit of the waiting message, and before
    storage did. killed: processes.
    """
    asyncio.run(store_sent(url, sent))
    # Lost: accepted and not answered, or answered without a message.
    assert asyncio.run(number(url, "SELECT count(*) FROM jobs WHERE state <> 'delivered'")) == 0
    assert asyncio.run(number(url, UNSENT)) == 0
    # Doubled: more than one message, where the edit of the waiting message is none of its own.
    assert asyncio.run(number(url, "SELECT count(*) FROM sent WHERE way = 'message'")) == 0
    senders: dict[str, list[int]] = {}
    for line, process, _ in sent:
        senders.setdefault(line, []).append(int(process))
    repeated = {line: by for line, by in senders.items() if len(by) > 1}
    assert all(set(by[:-1]) <= killed and len(set(by)) == len(by) for by in repeated.values()), repeated
    return len(repeated)
