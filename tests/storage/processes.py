"""Several bot processes on one PostgreSQL: what their tests share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from errors import BarkeepError
from storage.database import Storage
from tests.storage.conftest import execute

LONG = 80.0
"""Seconds, on a busy machine."""

Open = Callable[..., Awaitable[Storage]]
"""The fixture `start`: takes the shards, and the machine by a name of its own."""


def never(error: BarkeepError) -> None:
    raise AssertionError(error.message)


async def drop_connections(address: str) -> None:
    """End every process's connection outside the pool."""
    named = "application_name LIKE 'barkeep, %'"
    await execute(address, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {named}")  # noqa: S608


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    async with asyncio.timeout(seconds):
        yield
