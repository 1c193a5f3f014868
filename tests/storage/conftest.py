"""A fresh storage for each test, on both databases."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.database import Storage
from storage.migrations.upgrade import upgrade
from storage.sessions import Sessions
from tests.storage.build import Clock

POSTGRES = os.environ.get("BARKEEP_TEST_POSTGRES")


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema and no rows, to be copied."""
    path = tmp_path_factory.mktemp("schema") / "barkeep.sqlite3"
    asyncio.run(migrate(sqlite_url(path)))
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sqlite_address(tmp_path: Path, migrated: Path) -> str:
    return sqlite_url(Path(shutil.copy(migrated, tmp_path)))


@pytest.fixture(scope="session")
def postgres_blank() -> str:
    """The test database: everything in it is removed first."""
    if POSTGRES is None:
        pytest.skip("BARKEEP_TEST_POSTGRES names no PostgreSQL database")
    asyncio.run(execute(POSTGRES, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public"))
    asyncio.run(migrate(POSTGRES))
    return POSTGRES


@pytest.fixture
async def postgres_address(postgres_blank: str) -> str:
    """The test database, with the newest schema and no rows."""
    await execute(postgres_blank, "TRUNCATE guilds RESTART IDENTITY CASCADE")
    return postgres_blank


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database without rows."""
    url: str = request.getfixturevalue(f"{request.param}_address")
    return url


@pytest.fixture
async def storage(address: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Storage]:
    opened = await Storage.open(address, tmp_path / "data", clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def twin(storage: Storage, address: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Storage]:
    """A second storage on the same database and files, as another process would have."""
    opened = await Storage.open(address, tmp_path / "data", clock=clock)
    yield opened
    await opened.close()


async def migrate(url: str) -> None:
    """Bring a database to the newest schema."""
    sessions = Sessions(url, busy_timeout=5)
    await upgrade(sessions)
    await sessions.close()


async def execute(url: str, *statements: str) -> None:
    """Run SQL in one transaction."""
    sessions = Sessions(url, busy_timeout=5)
    async with sessions.write() as session:
        for statement in statements:
            await session.execute(text(statement))
    await sessions.close()
