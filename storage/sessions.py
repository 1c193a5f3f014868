"""Connections and transactions, and the translation of database errors into sentences."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types
import structlog
from asyncpg import (
    DataError as PostgresDataError,
)
from asyncpg import (
    DeadlockDetectedError,
    DiskFullError,
    InterfaceError,
    LockNotAvailableError,
    PostgresError,
    SerializationError,
)
from sqlalchemy import Select, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, DisconnectionError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.util import await_only

from errors import Unavailable
from storage.columns import Clock, Value
from storage.models import GuildRow
from storage.modes import close_to_others, private_opener
from storage.reserve import Reserve

BUSY = "Barkeep's database is busy right now. Please try again in a moment."
FULL = (
    "The disk of the machine that Barkeep runs on is full, so this could not be done. "
    "Please tell the person who runs Barkeep."
)
AWAY = (
    "Barkeep cannot use its database right now. Please try again in a few minutes; "
    "if that does not help, tell the person who runs Barkeep."
)

_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
"""SQLite's error codes on a full disk. The second one: at the first connection, the index of the log cannot grow."""
_SWITCH_SECONDS = 0.02

_log = structlog.get_logger(__name__)


class Sessions:
    """Transactions on one database.

    On SQLite a write transaction takes the write lock when it begins (BEGIN IMMEDIATE), so that two writers wait for
    each other instead of failing half-way. The writers of one process queue for a lock of their own first, because
    SQLite waits by polling, which is slow and unfair. `busy_timeout`: how many seconds a transaction waits for a lock
    on either database. `reserve`: disk space that is released for transactions that delete, if the disk is full.
    """

    def __init__(self, url: str, *, busy_timeout: float, reserve: Reserve | None = None) -> None:
        self._reserve = reserve
        self.engine = _engine(url, busy_timeout)
        self.writing_engine = self.engine.execution_options(writes=True)
        self._autocommit = self.engine
        if self.engine.dialect.name == "postgresql":
            self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._readers = async_sessionmaker(self._autocommit, expire_on_commit=False)
        self._writers = async_sessionmaker(self.writing_engine, expire_on_commit=False)
        self._busy_timeout = busy_timeout
        self._one_writer = asyncio.Lock()
        self.usable: Callable[[], bool] = lambda: True
        """Whether this process may use the database now. If not, every transaction raises Unavailable."""

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for reading: one snapshot for each statement on PostgreSQL, and for all statements on SQLite.

        Raises Unavailable if the database is locked, full or unreachable.
        """
        self._check()
        with readable_errors():
            async with self._readers.begin() as session:
                yield session

    async def values(self, kind: type[Value], rows: Select[Any]) -> list[Value]:
        """Return the rows of a query as values of a dataclass. Raises Unavailable as `read` does."""
        async with self.read() as session:
            return [row.as_value(kind) for row in await session.scalars(rows)]

    @asynccontextmanager
    async def write(self, *, deletes: bool = False) -> AsyncIterator[AsyncSession]:
        """A transaction, committed at the end and rolled back by any exception. Raises Unavailable as `read` does.

        deletes: the transaction deletes data, and on a full disk may use the space reserved for that.
        """
        self._check()
        if deletes and self._reserve is not None:
            await asyncio.to_thread(self._reserve.give_up_if_full)
        with readable_errors():
            async with self._turn(), self._writers.begin() as session:
                yield session

    @asynccontextmanager
    async def once(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        """A connection for one statement without the ORM, at a third of the cost of a session.

        On PostgreSQL the statement runs in autocommit mode, in one round trip instead of three. Raises Unavailable as
        `read` does.
        """
        self._check()
        with readable_errors():
            if self.engine.dialect.name == "sqlite":
                engine = self.writing_engine if writes else self.engine
                async with self._turn() if writes else nullcontext(), engine.begin() as connection:
                    yield connection
            else:
                async with self._autocommit.connect() as connection:
                    yield connection

    def _check(self) -> None:
        if not self.usable():
            raise Unavailable(AWAY)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self.engine.dialect.name != "sqlite":
            yield
            return
        try:
            async with asyncio.timeout(self._busy_timeout):
                await self._one_writer.acquire()
        except TimeoutError as error:
            raise Unavailable(BUSY) from error
        try:
            yield
        finally:
            self._one_writer.release()

    async def empty_log(self) -> None:
        """Write SQLite's write-ahead log into the database and truncate the log.

        Until then deleted data can still be read from the log. It stays while another connection reads; the next call
        retries.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with readable_errors():
            async with self._turn(), self.engine.connect() as connection:
                raw = await connection.get_raw_connection()
                if raw.driver_connection is not None:
                    await raw.driver_connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    async def own_connection(self) -> Any:  # asyncpg ships no types
        """Return an asyncpg connection to PostgreSQL outside the pool. The caller closes it."""
        _, address = self.engine.dialect.create_connect_args(self.engine.url)
        with readable_errors():
            return await asyncpg.connect(**address, **_postgres_options(self._busy_timeout))

    async def close(self) -> None:
        """Close every connection of the pool."""
        await self.engine.dispose()


class Repository:
    """The base class of repositories, which read and store the rows of some tables."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock


async def lock_guild(session: AsyncSession, guild_id: int) -> None:
    """Take the server's write lock until the transaction ends, and create the server's row if needed.

    Code that counts before it inserts takes this lock first, so that two commands cannot both take the last free place.
    """
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    row = insert(GuildRow).values(guild_id=guild_id, revision=1)
    await session.execute(
        row.on_conflict_do_update(index_elements=[GuildRow.guild_id], set_={"revision": GuildRow.revision + 1})
    )


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn database errors into Unavailable and log the reason. IntegrityError passes: callers handle it."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout, PostgresError, InterfaceError, OSError) as error:
        _log.error("database_error", kind=type(error).__name__, reason=_reason(error))
        raise Unavailable(_sentence(error)) from error


def is_refusal(error: Exception) -> bool:
    """Return whether the database refused a statement or could not be sent one of its values, so nothing was changed.

    False also if this is unknown because the connection was lost.
    """
    cause = error.__cause__ if isinstance(error, Unavailable) else error
    if isinstance(cause, DBAPIError):
        return not cause.connection_invalidated
    return isinstance(cause, StatementError | UnicodeEncodeError | OverflowError)


def _sentence(error: BaseException) -> str:
    causes = list(_causes(error))
    codes = {cause.sqlite_errorcode for cause in causes if isinstance(cause, sqlite3.Error) and _has_code(cause)}
    if {code & 0xFF for code in codes} & {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return BUSY
    if any(isinstance(cause, LockNotAvailableError | DeadlockDetectedError | SerializationError) for cause in causes):
        return BUSY
    if codes & _NO_ROOM or any(isinstance(cause, DiskFullError) for cause in causes):
        return FULL
    return AWAY


def _reason(error: BaseException) -> str:
    """Return the reason for the log. A value that does not fit its column is omitted, because a member wrote it."""
    causes = list(_causes(error))
    refused = any(isinstance(cause, PostgresDataError | DataError) for cause in causes)
    return "a value that does not fit its column" if refused else str(causes[-1])


def _has_code(error: sqlite3.Error) -> bool:
    """Return whether SQLite gave an error code. Python's own errors, such as for a closed database, have none."""
    return hasattr(error, "sqlite_errorcode")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error, what the driver raised, and what that was raised from."""
    while error is not None:
        yield error
        error = getattr(error, "orig", None) or error.__cause__


def _engine(url: str, busy_timeout: float) -> AsyncEngine:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise Unavailable(_BAD_URL) from error
    backend = address.get_backend_name()
    if backend == "sqlite" and address.database not in (None, "", ":memory:"):
        return _sqlite_engine(address, busy_timeout)
    if backend in ("postgresql", "postgres"):
        return _postgres_engine(address, busy_timeout)
    raise Unavailable(_BAD_URL)


_BAD_URL = (
    "DATABASE_URL cannot be used. Leave it empty for SQLite, or write it like "
    "postgresql+asyncpg://user:password@host/database."
)


def _make_private(database: Path) -> None:
    """Create the file, or close an existing one to others. SQLite gives its log and index files the same mode."""
    with suppress(OSError):  # SQLite reports what is wrong with the path
        os.close(private_opener(str(database), os.O_RDWR | os.O_CREAT))
    for path in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm", "-journal"))):
        close_to_others(path)


def _sqlite_engine(url: URL, busy_timeout: float) -> AsyncEngine:
    if url.database and not url.database.startswith("file:"):
        _make_private(Path(url.database))
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"), connect_args={"timeout": busy_timeout}, hide_parameters=True
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: object) -> None:  # an adapter of SQLAlchemy without a public type
        connection.isolation_level = None  # otherwise the driver begins transactions itself, and too late
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {round(busy_timeout * 1000)}")
        _log_ahead(cursor, time.monotonic() + busy_timeout)
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")  # overwrites deleted data instead of only unlinking it
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _log_ahead(cursor: Any, deadline: float) -> None:
    """Switch a new file to write-ahead logging. While another connection does so, SQLite fails at once: retry."""
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
        await_only(asyncio.sleep(_SWITCH_SECONDS))


def _postgres_engine(url: URL, busy_timeout: float) -> AsyncEngine:
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}  # asyncpg's name for it
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg", query=query),
        connect_args=_postgres_options(busy_timeout),
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def replace_if_ended(connection: Any, *_: object) -> None:
        """Let the pool replace a connection that the server has closed, which asyncpg knows without a query."""
        if connection.driver_connection.is_closed():
            raise DisconnectionError

    return engine


def _postgres_options(busy_timeout: float) -> dict[str, Any]:
    settings = {"application_name": "barkeep", "lock_timeout": str(round(busy_timeout * 1000))}
    return {"timeout": 10, "command_timeout": 60, "server_settings": settings}
