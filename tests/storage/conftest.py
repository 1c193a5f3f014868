"""A fresh storage for each test, on both databases."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from storage.bucket import Bucket
from storage.database import Storage
from storage.migrations.upgrade import upgrade
from storage.sessions import Sessions
from storage.shards import ALL, Shards
from tests.storage.build import Clock
from tests.storage.postgres import find_programs, running_server
from tests.storage.seaweed import BUCKET, ObjectStore, find_program, running_store


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
def postgres_server() -> Iterator[str]:
    """The URL of a migrated database on a server of this process's own: two test processes share nothing."""
    with migrated_server() as url:
        yield url


@pytest.fixture
async def postgres_address(postgres_server: str) -> str:
    """The test database, with the newest schema and no rows."""
    await empty(postgres_server)
    return postgres_server


@pytest.fixture
async def empty_postgres(postgres_server: str) -> AsyncIterator[str]:
    """The URL of a database without tables."""
    name = f"empty_{uuid4().hex}"
    await _alone(postgres_server, f"CREATE DATABASE {name}")
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    await _alone(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """An S3-compatible store of this process's own."""
    program = find_program()
    if program is None:
        pytest.skip("SeaweedFS is not installed here (make development).")
    with running_store(program) as store:
        yield store


@pytest.fixture
def bucket(object_store: ObjectStore) -> Bucket:
    """A place in the store that no other test uses."""
    return Bucket(f"s3://{BUCKET}/tests/{uuid4().hex}", object_store.options())


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


@pytest.fixture
async def start(postgres_address: str, tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Storage]]]:
    """Opens a storage as another process would; `machine` has a folder of its own."""
    opened: list[Storage] = []

    async def start(shards: Shards = ALL, machine: str = "one") -> Storage:
        storage = await Storage.open(postgres_address, tmp_path / machine, shards=shards)
        opened.append(storage)
        return storage

    yield start
    for storage in opened:
        await storage.close()


@contextmanager
def migrated_server() -> Iterator[str]:
    """The URL of a database with the newest schema and no rows. Skips the test where there is no server to start."""
    with running_server(find_programs()) as url:
        asyncio.run(migrate(url))
        yield url


async def migrate(url: str) -> None:
    """Bring a database to the newest schema."""
    sessions = Sessions(url, busy_timeout=5)
    await upgrade(sessions)
    await sessions.close()


async def empty(url: str) -> None:
    """Delete the rows of all tables of a PostgreSQL database."""
    await execute(url, "TRUNCATE guilds, installation, asked, erasures RESTART IDENTITY CASCADE")


async def execute(url: str, *statements: str) -> None:
    """Run SQL in one transaction."""
    sessions = Sessions(url, busy_timeout=5)
    async with sessions.write() as session:
        for statement in statements:
            await session.execute(text(statement))
    await sessions.close()


async def _alone(server: str, statement: str) -> None:
    """Run a statement that cannot be in a transaction."""
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
