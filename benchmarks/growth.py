"""Measure how the cost of a job grows with the number of stored rows: `python -m benchmarks.growth`.

    python -m benchmarks.growth [--rows 1000 100000 1000000] [--postgres postgresql://user@host/database]

Stores ROWS finished jobs, voices and audit lines each, in 1,000 servers and over 30 days, then submits lines in cloned
voices to a stand-in for the worker. For each job it measures the number of statements, the rows that PostgreSQL reads
by scans and by index, and the processor time, which does not depend on other programs: of the bot and, if PostgreSQL
runs on this machine, of its backends. SQLite is measured in a temporary folder; --postgres measures a PostgreSQL server
instead, on which databases named barkeep_growth_* are created and dropped. Prints a table in Markdown.
"""

import argparse
import asyncio
import logging
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types

import logs
from benchmarks.queue import LIMIT, Counter, InstantWorker
from cloning.worker.protocol import PROMPT_FILE
from storage.database import Storage
from storage.records import GuildSettings, NewVoice, VoiceModels, VoiceRecord
from studio.studio import Studio
from studio.values import Actor, SayOrder

SERVERS = 1000
"""The number of servers to which the stored rows belong."""
MEASURED = 20
"""The number of servers, the first ones, to which the measured jobs belong."""
JOBS = 100
DAYS = 30
MODELS = VoiceModels("stand-in", "stand-in", "stand-in", None)
ENGINE = "sqlalchemy.engine.Engine"
_TICK = 0.01
"""Seconds per tick in /proc/PID/stat."""

NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {rows}) SELECT i FROM n)",
    "postgresql": "(SELECT i::bigint FROM generate_series(1, {rows}) AS i) AS n",
}
MOMENTS = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || (i * {days} * 86400 / {rows}) || ' seconds') || '000'",
    "postgresql": "now() - make_interval(secs => i * {days} * 86400.0 / {rows})",
}
FILL = (
    "INSERT INTO guilds (guild_id, revision) SELECT i, 1 FROM {servers} ON CONFLICT DO NOTHING",
    'INSERT INTO jobs (id, kind, state, guild_id, channel_id, member_id, "order", private, attempts, created_at, '
    "started_at, finished_at, answered_at, audio_seconds, hourly) "
    "SELECT 'job-' || i, 'speech', 'delivered', 1 + i % 1000, 1, 1000 * (1 + i % 1000) + i / 1000 % 50, "
    '\'{{"text": "Good evening."}}\', {false}, 1, {moment}, {moment}, {moment}, {moment}, 3.0, {true} FROM {numbers}',
    "INSERT INTO voices (guild_id, owner_id, name, name_key, name_folded, language, description, state, visibility, "
    "has_clip, created_at) "
    "SELECT 1 + i % 1000, 1000 * (1 + i % 1000) + i / 1000 % 50, 'Voice ' || i, 'voice ' || i, 'voice ' || i, 'en', "
    "'', 'ready', 'everyone', {false}, {moment} FROM {numbers}",
    "INSERT INTO audit (guild_id, actor_id, action, target, detail, at) "
    "SELECT 1 + i % 1000, 1000 * (1 + i % 1000) + i / 1000 % 50, 'speech.say', 'Voice ' || i, '', {moment} "
    "FROM {numbers}",
    "ANALYZE",
)


@dataclass(frozen=True)
class Spent:
    """Running totals: milliseconds of processor time, and rows that PostgreSQL read."""

    bot: float
    database: float = 0.0
    scanned: int = 0
    by_index: int = 0


@dataclass(frozen=True)
class Cost:
    """The cost of one job in a phase."""

    statements: float
    bot: float
    database: float | None
    scanned: float | None
    by_index: float | None

    def cells(self) -> list[str]:
        """Return the cells of its table row; unknown figures are empty."""
        numbers = (self.statements, self.bot, self.database, self.scanned, self.by_index)
        return ["" if number is None else f"{number:.1f}" for number in numbers]


class Sqlite:
    """An SQLite database in a folder. Its work is done in the bot's process."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "growth.sqlite3"
        self.url = f"sqlite+aiosqlite:///{self._path}"

    async def run(self, statements: list[str]) -> None:
        """Run statements."""
        with sqlite3.connect(self._path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    async def spent(self) -> Spent:
        """Return the totals so far."""
        return Spent(1000 * process_time())

    async def drop(self) -> None:
        """Do nothing: the folder is temporary."""


class Postgres:
    """A database on a PostgreSQL server of this machine, for `rows` rows."""

    name = "postgresql"

    def __init__(self, server: str, rows: int) -> None:
        self._server = server
        self._database = f"barkeep_growth_{rows}"
        address, mark, query = server.partition("?")
        self._address = f"{address.rpartition('/')[0]}/{self._database}{mark}{query}"
        self.url = self._address.replace("postgresql:", "postgresql+asyncpg:", 1)

    async def create(self) -> None:
        """Create the database."""
        await self.drop()
        await self._once(self._server, [f"CREATE DATABASE {self._database}"])

    async def run(self, statements: list[str]) -> None:
        """Run statements."""
        await self._once(self._address, statements)

    async def spent(self) -> Spent:
        """Return the totals so far. Waits until the backends, which report once a second, have reported them."""
        await asyncio.sleep(2.0)
        bot = 1000 * process_time()
        connection = await asyncpg.connect(self._address)
        try:
            backends = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'barkeep' AND datname = current_database()"
            )
            scanned, by_index = await connection.fetchrow(
                "SELECT sum(seq_tup_read)::bigint, sum(coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables"
            )
        finally:
            await connection.close()
        return Spent(bot, sum(_processor_ms(row["pid"]) for row in backends), scanned, by_index)

    async def drop(self) -> None:
        """Drop the database."""
        await self._once(self._server, [f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)"])

    async def _once(self, address: str, statements: list[str]) -> None:
        connection = await asyncpg.connect(address)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


class Statements(logging.Handler):
    """Counts the statements that SQLAlchemy logs, except those that begin or end transactions."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a statement; lines in brackets are parameters."""
        words = record.getMessage()
        self.count += not words.startswith(("[", "BEGIN", "COMMIT", "ROLLBACK"))


@contextmanager
def counted() -> Iterator[Statements]:
    """Count the statements of the SQLAlchemy engines that are created inside `with`."""
    handler, logger = Statements(), logging.getLogger(ENGINE)
    level, propagates = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


async def measure(database: Sqlite | Postgres, folder: Path, rows: int, jobs: int) -> dict[str, Cost]:
    """Fill an empty database; return the cost of accepting a job, and of its dispatch and delivery, by phase."""
    storage = await Storage.open(database.url, folder)
    await storage.close()
    await database.run(statements(database.name, rows))
    with counted() as log:
        counts, _ = await _phases(database, folder, jobs, log)
    _, spent = await _phases(database, folder, jobs, Statements())
    return {
        phase: _cost(jobs, counts[number + 1] - counts[number], spent[number], spent[number + 1], database.name)
        for number, phase in enumerate(("accept", "dispatch and deliver"))
    }


def statements(dialect: str, rows: int) -> list[str]:
    """Return the SQL that fills a database."""
    fields = {
        "false": "0" if dialect == "sqlite" else "false",
        "true": "1" if dialect == "sqlite" else "true",
        "moment": MOMENTS[dialect].format(days=DAYS, rows=rows),
        "numbers": NUMBERS[dialect].format(rows=rows),
        "servers": NUMBERS[dialect].format(rows=SERVERS),
    }
    return [statement.format(**fields).replace("ON CONFLICT", "WHERE true ON CONFLICT") for statement in FILL]


async def _phases(
    database: Sqlite | Postgres, folder: Path, jobs: int, log: Statements
) -> tuple[list[int], list[Spent]]:
    """Accept `jobs` lines, then dispatch and deliver them. Return statements and totals before, between and after."""
    storage = await Storage.open(database.url, folder)
    voices = [await voice_of_server(storage, guild) for guild in range(1, MEASURED + 1)]
    worker, courier = InstantWorker(), Counter()
    studio = Studio(storage, worker, courier)
    await studio.start()
    await asyncio.sleep(0.5)
    spent, counts = [await database.spent()], [log.count]
    for number in range(jobs):
        await say(studio, voices[number % MEASURED], number)
    spent.append(await database.spent())
    counts.append(log.count)
    worker.open.set()
    for _ in range(jobs):
        await courier.answers.get()
    spent.append(await database.spent())
    counts.append(log.count)
    await studio.close()
    return counts, spent


async def voice_of_server(storage: Storage, guild: int) -> VoiceRecord:
    """Lift a server's limits, and return a cloned voice in it."""
    limits = {
        name: LIMIT for name in GuildSettings.__dataclass_fields__ if name.startswith(("jobs_", "seconds_", "voices_"))
    }
    await storage.guilds.change(guild, **limits)
    known = await storage.voices.find(guild, "Measured")
    if known is not None:
        return known
    new = NewVoice(guild, 1000 * guild, 1000 * guild, "Measured", "en", "")
    voice = await storage.voices.add(new, MODELS, has_clip=False, member_limit=LIMIT, guild_limit=LIMIT)
    await storage.files.put_voice_file(guild, voice.id, PROMPT_FILE, b"prompt")
    return voice


async def say(studio: Studio, voice: VoiceRecord, number: int) -> None:
    """Submit a line in a voice, as its owner."""
    actor = Actor(voice.guild_id, voice.owner_id, 1, frozenset(), is_moderator=False)
    order = SayOrder(f"Good evening, number {number}.", f"v:{voice.id}")
    await studio.speech.submit(actor, order, {}, None, max_bytes=1 << 23)


def _cost(jobs: int, count: int, before: Spent, after: Spent, dialect: str) -> Cost:
    bot = (after.bot - before.bot) / jobs
    if dialect == "sqlite":
        return Cost(count / jobs, bot, None, None, None)
    return Cost(
        count / jobs,
        bot,
        (after.database - before.database) / jobs,
        (after.scanned - before.scanned) / jobs,
        (after.by_index - before.by_index) / jobs,
    )


def _processor_ms(process: int) -> float:
    """Return the processor time of a process on this machine; 0 if it is on another one."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return 1000 * _TICK * (int(fields[11]) + int(fields[12]))


async def _row(rows: int, server: str | None, jobs: int) -> dict[str, Cost]:
    with tempfile.TemporaryDirectory() as folder:
        if server is None:
            return await measure(Sqlite(Path(folder)), Path(folder), rows, jobs)
        database = Postgres(server, rows)
        await database.create()
        try:
            return await measure(database, Path(folder), rows, jobs)
        finally:
            await database.drop()


def main(arguments: list[str] | None = None) -> None:
    """Print the rows of the table, two for each number of stored rows."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 100_000, 1_000_000], help="rows of each kind")
    parser.add_argument("--jobs", type=int, default=JOBS, help="jobs to measure")
    parser.add_argument("--postgres", metavar="URL", help="a server whose user may create databases")
    options = parser.parse_args(arguments)
    logs.configure("ERROR", "text", secrets=[])
    print("| database | rows of each kind | | statements | bot, ms | database, ms | scanned rows | rows by index |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    name = "PostgreSQL" if options.postgres else "SQLite"
    for rows in options.rows:
        for phase, cost in asyncio.run(_row(rows, options.postgres, options.jobs)).items():
            print(f"| {name} | {rows:,} | {phase} | " + " | ".join(cost.cells()) + " |", flush=True)


if __name__ == "__main__":
    main()
