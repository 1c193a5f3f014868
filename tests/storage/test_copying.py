"""Rows of any content are the same after they were copied from SQLite to PostgreSQL."""

import asyncio
import enum
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, BigInteger, Boolean, Column, Enum, Float, Integer, String, Table

from storage.columns import IdSet, UtcDateTime
from storage.copying import TABLES, Content, content, copy
from storage.sessions import Sessions
from tests.storage.conftest import empty, sqlite_url

LARGE = st.integers(0, 2**63 - 1)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=16)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner),
)
ROWS = 2

Both = tuple[Sessions, Sessions]


def values(column: Column[Any]) -> st.SearchStrategy[Any]:
    """What a column can hold."""
    kind = column.type
    if isinstance(kind, UtcDateTime):
        return st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
    if isinstance(kind, IdSet):
        return st.frozensets(LARGE, max_size=3)
    if isinstance(kind, Enum):
        kinds: list[enum.StrEnum] = list(kind.enum_class or ())
        return st.sampled_from(kinds)
    if isinstance(kind, Boolean):
        return st.booleans()
    if isinstance(kind, BigInteger):
        return LARGE
    if isinstance(kind, Integer):
        return st.integers(-(2**31), 2**31 - 1)
    if isinstance(kind, Float):
        return st.floats(allow_nan=False)
    if isinstance(kind, JSON):
        return st.dictionaries(WORDS, DOCUMENTS, max_size=3)
    if isinstance(kind, String):
        return WORDS
    raise TypeError(f"{column} has a type without values for tests")


@st.composite
def contents(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Some rows for every table. Their foreign keys exist; rows may have a key twice."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in TABLES:
        found[table.name] = [_row(draw, table, found) for _ in range(ROWS)]
    return found


def _row(draw: st.DrawFn, table: Table, found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    row = {}
    for column in table.columns:
        parents = [key.column for key in column.foreign_keys]
        keys = [found[parent.table.name][0][parent.name] for parent in parents]  # the first row is never left out
        possible = st.sampled_from(keys) if keys else values(column)
        row[column.name] = draw(st.none() | possible if column.nullable else possible)
    return row


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as loop:
        yield loop


@pytest.fixture
def databases_of_both(runner: asyncio.Runner, migrated: Path, tmp_path: Path, postgres_server: str) -> Iterator[Both]:
    runner.run(empty(postgres_server))
    urls = sqlite_url(Path(shutil.copy(migrated, tmp_path))), postgres_server
    both = [Sessions(url, busy_timeout=5) for url in urls]
    yield both[0], both[1]
    for sessions in both:
        runner.run(sessions.close())


async def _copy_all(both: Both, rows: dict[str, list[dict[str, Any]]]) -> None:
    async with both[0].engine.connect() as source, both[1].engine.connect() as target:
        for table in TABLES:
            await source.execute(table.insert().prefix_with("OR IGNORE"), rows[table.name])
        for table in TABLES:
            copied = await copy(source, target, table)
            assert 1 <= copied.rows <= ROWS
            assert copied == await content(source, table) == await content(target, table)


@pytest.mark.postgres
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(rows=contents())
def test_any_content_is_the_same_on_both_sides(
    runner: asyncio.Runner, databases_of_both: Both, rows: dict[str, list[dict[str, Any]]]
) -> None:
    """Nothing is committed."""
    runner.run(_copy_all(databases_of_both, rows))


def test_the_digest_tells_rows_apart_but_not_their_order() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    there = Content().with_row(rows[0]).with_row(rows[1])
    assert there == Content().with_row(rows[1]).with_row(rows[0])
    assert there != Content().with_row(rows[0]).with_row(rows[0])
    assert there != Content().with_row({"a": 1, "b": "x"}).with_row({"a": 2, "b": None})
    assert Content().with_row({"a": 1}) != Content().with_row({"a": "1"})
