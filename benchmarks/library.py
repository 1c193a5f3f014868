"""Measure operations on a large server: pages of the audit log, autocompletion, a purge. Uses SQLite and no speech.

    python -m benchmarks.library [--audit 100000] [--voices 5000] [--jobs 100000]

Fills a database in a temporary folder, then runs each operation through the studio, as a command would. Prints a table
in Markdown: milliseconds, and the longest time for which the event loop was blocked.
"""

import argparse
import asyncio
import resource
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import cast

from cloning.worker.executor import SubprocessExecutor
from storage.database import Storage
from storage.names import fold
from storage.records import GuildSettings
from studio.studio import Studio
from studio.values import Actor, Courier

GUILD = 900
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MODERATOR = Actor(GUILD, 1, 2, frozenset(), True)
MEMBER = Actor(GUILD, 7, 2, frozenset(), False)
ADJECTIVES = ["quiet", "warm", "bright", "old", "young", "deep", "soft", "rough", "clear", "tired", "merry", "grave"]
_TICK = 0.001


async def main() -> None:
    """Fill a database, measure the operations and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="barkeep-library-") as folder:
        storage = await Storage.open(f"sqlite+aiosqlite:///{folder}/barkeep.sqlite3", Path(folder), clock=lambda: NOW)
        await storage.guilds.change(GUILD, text_length=GuildSettings(GUILD).text_length)
        await asyncio.to_thread(_fill, Path(folder) / "barkeep.sqlite3", options)
        executor = SubprocessExecutor(["false"], job_timeout=1)
        studio = Studio(storage, executor, cast(Courier, None), clock=lambda: NOW)
        await _measure(studio, options)
        await storage.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.library", description=__doc__)
    for name, count in (("audit", 100_000), ("voices", 5_000), ("jobs", 100_000)):
        parser.add_argument(f"--{name}", type=int, default=count)
    return parser.parse_args()


async def _measure(studio: Studio, options: argparse.Namespace) -> None:
    pages = -(-options.audit // 10)
    print("| what | ms | loop blocked, ms | memory, MB |\n|---|---|---|---|")
    for number in (1, pages // 2, pages):
        await _row(f"audit page {number:,} of {pages:,}", partial(studio.admin.audit, MODERATOR, number))
    for typed in ("", "wa", "voice 4321", "qiet voice 77"):
        await _row(f"a key typed: {typed!r}", partial(studio.library.search, MEMBER, typed))
    await _row(
        f"purge of {options.jobs:,} jobs", lambda: studio.admin.purge(MODERATOR, older_than_days=0), repeat=False
    )


async def _row(name: str, work: Callable[[], Awaitable[object]], *, repeat: bool = True) -> None:
    if repeat:
        await work()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, blocked = [], 0.0
    for _ in range(5 if repeat else 1):
        with _loop_gaps() as gaps:
            await asyncio.sleep(0.01)
            started = perf_counter()
            await work()
            seconds.append(perf_counter() - started)
            await asyncio.sleep(0.01)
        blocked = max(blocked, *gaps)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    median = sorted(seconds)[len(seconds) // 2]
    print(f"| {name} | {1000 * median:,.0f} | {1000 * blocked:,.0f} | +{grown:.0f} |", flush=True)


@contextmanager
def _loop_gaps() -> Iterator[list[float]]:
    """Yield a list that receives the seconds between the turns of the event loop."""
    gaps: list[float] = []

    async def tick() -> None:
        last = perf_counter()
        while True:
            await asyncio.sleep(_TICK)
            now = perf_counter()
            gaps.append(now - last)
            last = now

    ticking = asyncio.create_task(tick())
    try:
        yield gaps
    finally:
        ticking.cancel()


def _fill(path: Path, options: argparse.Namespace) -> None:
    """Insert rows as the repositories write them, one kind at a time."""
    begin = (NOW - timedelta(days=30)).replace(tzinfo=None)
    moments = [str(begin + timedelta(seconds=number)) for number in range(100_000)]
    names = [f"{ADJECTIVES[number % len(ADJECTIVES)]} voice {number}" for number in range(options.voices)]
    words = '{"text": "' + "words " * 20 + '"}'
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "INSERT INTO audit (guild_id, actor_id, action, target, detail, at)"
            " VALUES (900, ?, 'voice.share', 'Ada', 'everyone', ?)",
            ((number % 500, moments[number % len(moments)]) for number in range(options.audit)),
        )
        database.executemany(
            "INSERT INTO voices (guild_id, owner_id, name, name_key, name_folded, created_at, language, description,"
            " state, visibility, has_clip) VALUES (900, ?, ?, ?, ?, ?, 'en', '', 'ready', 'everyone', 1)",
            ((number % 500, name, name, fold(name), moments[0]) for number, name in enumerate(names)),
        )
        database.executemany(
            'INSERT INTO jobs (id, member_id, "order", created_at, finished_at, answered_at, kind, state, guild_id,'
            " channel_id, private, attempts, audio_seconds)"
            " VALUES (?, ?, ?, ?, ?, ?, 'speech', 'delivered', 900, 2, 0, 1, 2.5)",
            (
                (f"{number:020x}", number % 500, words, *[moments[number % len(moments)]] * 3)
                for number in range(options.jobs)
            ),
        )


if __name__ == "__main__":
    asyncio.run(main())
