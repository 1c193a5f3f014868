"""Copies an SQLite installation into an empty PostgreSQL database, and files into a bucket.

    python -m storage.move --to postgresql+asyncpg://user:password@host/database
    python -m storage.move        only files, into the bucket that FILES names

The source is the database that the settings name today, and DATA_DIR; it is only read, and must not be in use. All rows
are copied and compared in one transaction on the target: if the command is stopped, nothing is stored, and it can be
run again. With FILES=s3://... in the settings, voices, uploads and results are copied there and compared first;
otherwise they stay where they are. Exit codes are those of bot.py.
"""

import argparse
import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, delete, exists, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

import logs
from errors import BarkeepError, InvalidInput, NotFound, Unavailable
from logs import print_line
from settings import read_settings
from storage.bucket import Bucket, open_bucket
from storage.copying import TABLES, Content, content, continue_numbers, copy
from storage.files import FileStore
from storage.folder_locks import InUse
from storage.migrations.upgrade import is_newest, migrate
from storage.models import InstallationRow
from storage.moving_files import copy_files
from storage.sessions import AWAY, BUSY, FULL, Sessions, readable_errors
from storage.shared_files import SharedFiles

SETTINGS, STORAGE = 2, 3
"""Exit codes."""

Say = Callable[[str], None]

_NOTHING_CHANGED = "Nothing was changed."
_UNREACHABLE = (
    "The database that --to names cannot be used; the log says why. PostgreSQL must be running, and know the user, "
    f"password and database; the user must own the database. {_NOTHING_CHANGED}"
)
_IN_USE = (
    "Something else is using the database that --to names: another move, or a bot that starts. Stop it, and run this "
    f"again. {_NOTHING_CHANGED}"
)


_FULL = f"The disk of the machine that PostgreSQL runs on is full. {_NOTHING_CHANGED}"
_FOR_THE_OWNER = {AWAY: _UNREACHABLE, BUSY: _IN_USE, FULL: _FULL}


async def move(source: str, data_dir: Path, target: str, say: Say, bucket: Bucket | None = None) -> None:
    """Copy the database at the SQLAlchemy URL `source`, which belongs to `data_dir`, to the one at `target`.

    `bucket`: the files in `data_dir` are copied there first. If an earlier run copied the database, the two are only
    compared. Raises InvalidInput for an unsuitable URL, and Unavailable with a sentence for the owner; the target is
    unchanged then.
    """
    path = _sqlite_file(source)
    sessions = Sessions(_postgres(target), busy_timeout=10)
    try:
        async with _unused(data_dir), _snapshot(path) as reading:
            installation_id = await _check_source(reading, data_dir, bucket)
            if bucket is not None:
                await _copy_files(data_dir, bucket, installation_id, say)
            say(f"Copying {path} ...")
            with _errors_for_the_owner(), _errors_of_the_file():
                async with sessions.writing_engine.begin() as writing:
                    await writing.run_sync(_check_tables)
                    await writing.run_sync(migrate)
                    copied = await _is_filled(writing, installation_id)
                    contents = await (_compare if copied else _copy)(reading, writing)
    finally:
        await sessions.close()
    for name, found in contents.items():
        say(f"{name:18} {found.rows:11,} rows, digest {found.digest >> 192:016x}")
    what = "was moved before, and nothing differs" if copied else "is moved"
    say(f"The database {what}: {sum(found.rows for found in contents.values()):,} rows, compared by count and digest.")
    say(f"{path} was not changed; keep it as a backup. Files are in {bucket.url if bucket else data_dir}.")
    say("Set this in .env, with the password in place of ***, and start the bot:")
    say(f"DATABASE_URL={make_url(target).render_as_string(hide_password=True)}")


async def move_files(data_dir: Path, bucket: Bucket, say: Say) -> None:
    """Copy the files in `data_dir` to `bucket`. Raises as `move` does; another run continues."""
    async with _unused(data_dir):
        installation_id = await FileStore(data_dir).installation_id()
        if installation_id is None:
            raise InvalidInput(f"{data_dir} has no files of Barkeep's, so there is nothing to copy. Check DATA_DIR.")
        await _copy_files(data_dir, bucket, installation_id, say)


async def _copy_files(data_dir: Path, bucket: Bucket, installation_id: str, say: Say) -> None:
    say(f"Copying the files in {data_dir} to {bucket.url} ...")
    copied = await copy_files(data_dir, bucket, installation_id)
    say(
        f"{copied.files:,} files of {copied.size / 1e6:,.1f} MB are there and equal, {copied.before:,} of them from "
        f"before. Nothing in {data_dir} was changed; delete voices, uploads and results there once the bot runs."
    )


def _sqlite_file(url: str) -> Path:
    address = _parsed(url)
    if address is None or address.get_backend_name() != "sqlite" or not address.database:
        raise InvalidInput(
            "DATABASE_URL names no SQLite file, so there is nothing to move. To move the SQLite database in DATA_DIR, "
            "run this with an empty DATABASE_URL."
        )
    path = Path(address.database).absolute()
    if not path.is_file():
        raise InvalidInput(f"There is no SQLite database at {path}. Check DATA_DIR and DATABASE_URL.")
    return path


def _postgres(url: str) -> str:
    address = _parsed(url)
    if address is None or address.get_backend_name() not in ("postgresql", "postgres"):
        raise InvalidInput("Write --to like postgresql+asyncpg://user:password@host/database.")
    return url


def _parsed(url: str) -> URL | None:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        return None


@asynccontextmanager
async def _unused(data_dir: Path) -> AsyncIterator[None]:
    """Keep bots from opening the data folder. Raises Unavailable if one has it open."""
    try:
        in_use = InUse(data_dir)
    except NotFound as error:
        raise InvalidInput(f"There is no data folder at {data_dir}. Check DATA_DIR.") from error
    try:
        if not await in_use.alone():
            raise Unavailable(f"A bot is using {data_dir}. Stop it, and run this again. {_NOTHING_CHANGED}")
        yield
    finally:
        in_use.close()


@asynccontextmanager
async def _snapshot(path: Path) -> AsyncIterator[AsyncConnection]:
    """A read-only connection that sees one snapshot of the file."""
    read_only = URL.create("sqlite+aiosqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    engine = create_async_engine(read_only, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("BEGIN")
            yield connection
    finally:
        await engine.dispose()


async def _check_source(reading: AsyncConnection, data_dir: Path, bucket: Bucket | None) -> str:
    """Return the id of the installation. Raises Unavailable unless the data folder or the bucket has it, too."""
    places: list[FileStore] = [FileStore(data_dir)]
    if bucket is not None:
        await bucket.check()
        places.append(SharedFiles(data_dir, bucket))
    with _errors_of_the_file():
        newest = await reading.run_sync(is_newest)
        found = (await reading.execute(select(InstallationRow.id))).scalar() if newest else None
    if not newest or found is None:
        raise Unavailable(
            "The SQLite database was last opened by another version of Barkeep. Run `bot.py --check`, which upgrades "
            f"it, and then this again. {_NOTHING_CHANGED}"
        )
    if found not in [await place.installation_id() for place in places]:
        raise Unavailable(
            f"The SQLite database and the data folder {data_dir} do not belong together. Run `bot.py "
            f"--check`, which says more. {_NOTHING_CHANGED}"
        )
    return found


def _check_tables(connection: Connection) -> None:
    others = set(inspect(connection).get_table_names()) - {table.name for table in TABLES} - {"alembic_version"}
    if others:
        raise Unavailable(
            f"The database that --to names has other tables ({', '.join(sorted(others)[:5])}). Name an empty one. "
            f"{_NOTHING_CHANGED}"
        )


async def _is_filled(writing: AsyncConnection, installation_id: str) -> bool:
    """Return whether the target has rows of this installation. Raises Unavailable if it has those of another."""
    filled = [table.name for table in TABLES if (await writing.execute(select(exists(select(table))))).scalar()]
    ids = list(await writing.scalars(select(InstallationRow.id)))
    if filled and ids != [installation_id]:
        raise Unavailable(
            "The database that --to names has the data of another installation. Name an empty one. " + _NOTHING_CHANGED
        )
    if filled == [InstallationRow.__tablename__]:  # A bot was started with the target, and stored nothing else.
        await writing.execute(delete(InstallationRow))
        return False
    return bool(filled)


async def _copy(reading: AsyncConnection, writing: AsyncConnection) -> dict[str, Content]:
    read = {table.name: await copy(reading, writing, table) for table in TABLES}
    await continue_numbers(reading, writing)
    written = {table.name: await content(writing, table) for table in TABLES}
    if differing := [name for name in read if read[name] != written[name]]:
        raise Unavailable(
            f"After copying, these tables differ: {', '.join(differing)}. {_NOTHING_CHANGED} Please report this error."
        )
    return read


async def _compare(reading: AsyncConnection, writing: AsyncConnection) -> dict[str, Content]:
    here = {table.name: await content(reading, table) for table in TABLES}
    there = {table.name: await content(writing, table) for table in TABLES}
    if differing := [name for name in here if here[name] != there[name]]:
        raise Unavailable(
            f"The database that --to names was filled from this one before, and now they differ ({', '.join(differing)}"
            "): a bot has run with one of them since. To use what PostgreSQL has, set DATABASE_URL to it and start the "
            f"bot. To move again, name an empty database. {_NOTHING_CHANGED}"
        )
    return here


@contextmanager
def _errors_for_the_owner() -> Iterator[None]:
    """Turn database errors into sentences for the owner."""
    try:
        with readable_errors():
            yield
    except Unavailable as error:
        raise Unavailable(_FOR_THE_OWNER.get(error.message, error.message)) from error


@contextmanager
def _errors_of_the_file() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise
        raise Unavailable(f"The SQLite database cannot be read ({error.orig}). {_NOTHING_CHANGED}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        "python -m storage.move", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", metavar="URL", help="an empty PostgreSQL database")
    options = parser.parse_args(arguments)
    try:
        settings = read_settings()
        logs.configure(settings.log_level, settings.log_format, secrets=settings.secrets)
        bucket, data_dir = open_bucket(settings.files, settings.bucket_options), settings.data_dir.absolute()
        if options.to is not None:
            asyncio.run(move(settings.database, data_dir, options.to, print_line, bucket))
        elif bucket is not None:
            asyncio.run(move_files(data_dir, bucket, print_line))
        else:
            raise InvalidInput("Name a PostgreSQL database with --to, or a bucket with FILES in .env.")
    except BarkeepError as error:
        print_line(error.message)
        return SETTINGS if isinstance(error, InvalidInput) else STORAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
