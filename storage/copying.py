"""Copies the rows of one database into another, table by table, and computes digests of tables."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncpg import DataError as PostgresDataError  # type: ignore[import-untyped]  # asyncpg ships no types
from sqlalchemy import Table, func, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from errors import Unavailable
from storage.models import SCHEMA

BATCH = 1000
"""How many rows are in memory at once."""
TABLES = SCHEMA.sorted_tables
"""All tables, each after those that its foreign keys refer to."""

_Row = dict[str, Any]


@dataclass(frozen=True)
class Content:
    """The content of a table: the number of rows, and a digest of their values that does not depend on their order."""

    rows: int = 0
    digest: int = 0

    def with_row(self, row: _Row) -> "Content":
        """Return the content with one more row."""
        line = json.dumps(row, default=_plain, sort_keys=True)
        value = int.from_bytes(hashlib.sha256(line.encode()).digest(), "big")
        return Content(self.rows + 1, (self.digest + value) % 2**256)


async def content(connection: AsyncConnection, table: Table) -> Content:
    """Read a table and return its content."""
    found = Content()
    async for rows in _batches(connection, table):
        for row in rows:
            found = found.with_row(row)
    return found


async def copy(source: AsyncConnection, target: AsyncConnection, table: Table) -> Content:
    """Insert all rows of a table into the same table of `target`. Return what was read.

    Raises Unavailable, with the key of the row, if a row does not fit the target.
    """
    found = Content()
    async for rows in _batches(source, table):
        await _insert(target, table, rows)
        for row in rows:
            found = found.with_row(row)
    return found


async def continue_numbers(source: AsyncConnection, target: AsyncConnection) -> None:
    """Set PostgreSQL's sequences beyond every row number that SQLite has ever assigned, also to deleted rows."""
    ever = await source.execute(text("SELECT name, seq FROM sqlite_sequence"))
    last = {row.name: row.seq for row in ever}
    for table in TABLES:
        column = table.autoincrement_column
        if column is None:
            continue
        highest = (await target.execute(select(func.max(column)))).scalar()
        number = max(highest or 0, last.get(table.name, 0))
        if number:
            await target.execute(
                select(func.setval(func.pg_get_serial_sequence(table.name, column.name), number)),
            )


async def _batches(connection: AsyncConnection, table: Table) -> AsyncIterator[list[_Row]]:
    async with connection.stream(select(table), execution_options={"yield_per": BATCH}) as result:
        async for rows in result.mappings().partitions():
            yield [dict(row) for row in rows]


async def _insert(target: AsyncConnection, table: Table, rows: list[_Row]) -> None:
    """Insert rows. If one is refused, they are inserted one by one, to name it."""
    try:
        async with target.begin_nested():
            await target.execute(table.insert(), rows)
    except DBAPIError as error:
        if not _is_refusal(error):
            raise
        if len(rows) > 1:
            for row in rows:
                await _insert(target, table, [row])
        key = ", ".join(f"{column.name} {rows[0][column.name]}" for column in table.primary_key)
        raise Unavailable(
            f"PostgreSQL refuses a row of the table {table.name} ({key}): {_reason(error)}. Change or delete that row "
            "in the SQLite database, and run this again."
        ) from error


def _is_refusal(error: DBAPIError) -> bool:
    """Return whether a value or a constraint caused the error."""
    cause = error.orig.__cause__ if error.orig else None
    return isinstance(error, IntegrityError | DataError) or isinstance(cause, PostgresDataError)


def _reason(error: DBAPIError) -> str:
    cause = error.orig.__cause__ if error.orig else None
    return str(cause or error.orig).partition("\n")[0]


def _plain(value: object) -> object:
    """Convert a value that JSON does not support."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"no canonical form for {type(value).__name__}")
