import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from errors import Unavailable
from storage.models import GuildRow
from storage.sessions import AWAY, BUSY, FULL, Sessions, lock_guild, readable_errors
from tests.storage.build import GUILD
from tests.storage.conftest import sqlite_url


@pytest.fixture
async def sessions(address: str) -> AsyncIterator[Sessions]:
    opened = Sessions(address, busy_timeout=10)
    yield opened
    await opened.close()


async def revision(session: AsyncSession) -> int | None:
    return await session.scalar(select(GuildRow.revision).where(GuildRow.guild_id == GUILD))


async def test_a_transaction_is_kept_or_undone_whole(sessions: Sessions) -> None:
    async with sessions.write() as session:
        await lock_guild(session, GUILD)
    with pytest.raises(KeyError):
        async with sessions.write() as session:
            await lock_guild(session, GUILD)
            raise KeyError
    async with sessions.read() as session:
        assert await revision(session) == 1


async def test_the_guild_lock_makes_writers_take_turns(sessions: Sessions) -> None:
    async def count_up() -> None:
        async with sessions.write() as session:
            await lock_guild(session, GUILD)
            seen = await revision(session)
            await asyncio.sleep(0)
            assert await revision(session) == seen

    await asyncio.gather(*(count_up() for _ in range(10)))
    async with sessions.read() as session:
        assert await revision(session) == 10


async def test_a_broken_constraint_is_no_error_of_the_database(sessions: Sessions) -> None:
    with pytest.raises(IntegrityError):
        async with sessions.write() as session:
            session.add_all([GuildRow(guild_id=GUILD, revision=1)])
            await session.flush()
            await session.execute(text("INSERT INTO guilds SELECT * FROM guilds"))


async def test_foreign_keys_hold(sessions: Sessions) -> None:
    with pytest.raises(IntegrityError):
        async with sessions.write() as session:
            await session.execute(text("INSERT INTO consents VALUES (1, 1, 1, '2026-01-01 00:00:00.000000')"))


async def test_sqlite_keeps_its_promises(sqlite_address: str) -> None:
    sessions = Sessions(sqlite_address, busy_timeout=1.5)
    async with sessions.read() as session:
        settings = {
            name: await session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "secure_delete", "synchronous")
        }
    await sessions.close()
    full_sync = 2
    assert settings == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 1500,
        "secure_delete": 1,
        "synchronous": full_sync,
    }


async def test_a_reader_is_not_kept_waiting_and_sees_one_state(sqlite_address: str) -> None:
    sessions = Sessions(sqlite_address, busy_timeout=10)
    async with sessions.read() as reader:
        assert await revision(reader) is None
        async with sessions.write() as session:
            await lock_guild(session, GUILD)
        assert await revision(reader) is None
    await sessions.close()


async def test_a_locked_sqlite_file_is_said_after_the_timeout(sqlite_address: str) -> None:
    other_process = sqlite3.connect(Path(sqlite_address.removeprefix("sqlite+aiosqlite:///")), isolation_level=None)
    other_process.execute("BEGIN IMMEDIATE")
    sessions = Sessions(sqlite_address, busy_timeout=0.1)
    async with sessions.read() as session:
        assert await revision(session) is None
    with pytest.raises(Unavailable) as error:
        async with sessions.write() as session:
            await lock_guild(session, GUILD)
    assert error.value.message == BUSY
    other_process.execute("ROLLBACK")
    other_process.close()
    async with sessions.write() as session:
        await lock_guild(session, GUILD)
    await sessions.close()


async def test_a_writer_that_never_ends_keeps_the_next_only_so_long(sqlite_address: str) -> None:
    sessions = Sessions(sqlite_address, busy_timeout=0.1)
    async with sessions.write():
        with pytest.raises(Unavailable) as error:
            async with sessions.write():
                pass
    assert error.value.message == BUSY
    async with sessions.write():
        pass
    await sessions.close()


async def test_a_full_disk_is_said(sqlite_address: str) -> None:
    sessions = Sessions(sqlite_address, busy_timeout=1)
    with pytest.raises(Unavailable) as error:
        async with sessions.write() as session:
            await session.execute(text("PRAGMA max_page_count = 1"))
            await session.execute(text("CREATE TABLE big AS SELECT randomblob(1000000) AS bytes"))
    assert error.value.message == FULL
    await sessions.close()


def test_a_full_disk_at_the_first_connection_is_said() -> None:
    """SQLite reports it as an I/O error: the index of its log cannot grow."""
    refused = sqlite3.OperationalError("disk I/O error")
    refused.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    with pytest.raises(Unavailable) as error, readable_errors():
        raise OperationalError("PRAGMA journal_mode = WAL", None, refused)
    assert error.value.message == FULL


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "barkeep.sqlite3"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    sessions = Sessions(sqlite_url(path), busy_timeout=0.1)
    with pytest.raises(Unavailable) as error:
        async with sessions.read() as session:
            await session.execute(text("SELECT 1"))
    assert error.value.message == AWAY
    await sessions.close()


async def test_a_server_that_does_not_answer() -> None:
    sessions = Sessions("postgresql+asyncpg://barkeep@127.0.0.1:1/barkeep", busy_timeout=0.1)
    with pytest.raises(Unavailable) as error:
        async with sessions.read() as session:
            await session.execute(text("SELECT 1"))
    assert error.value.message == AWAY
    await sessions.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite+aiosqlite:///:memory:",
        "mysql+aiomysql://host/db",
        "sqlite",
        "oracle://host",
        "postgresql+asyncpg://h:port/db",
    ],
)
def test_a_url_of_another_kind_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(Unavailable, match=r"DATABASE_URL .* postgresql\+asyncpg"):
        Sessions(url, busy_timeout=1)


@pytest.mark.parametrize("prefix", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
def test_any_way_to_write_postgresql_means_asyncpg(prefix: str) -> None:
    sessions = Sessions(f"{prefix}://barkeep:pw@host/db", busy_timeout=1)
    assert sessions.engine.url.drivername == "postgresql+asyncpg"


def test_libpqs_name_for_encryption_is_understood() -> None:
    sessions = Sessions("postgresql://barkeep@host/db?sslmode=require", busy_timeout=1)
    assert dict(sessions.engine.url.query) == {"ssl": "require"}


@pytest.mark.postgres
async def test_a_locked_row_in_postgresql_is_said_after_the_timeout(postgres_address: str) -> None:
    holder = Sessions(postgres_address, busy_timeout=5)
    sessions = Sessions(postgres_address, busy_timeout=0.1)
    async with holder.write() as holding:
        await lock_guild(holding, GUILD)
        await holding.commit()
    async with holder.write() as holding:
        await lock_guild(holding, GUILD)
        with pytest.raises(Unavailable) as error:
            async with sessions.write() as session:
                await lock_guild(session, GUILD)
    assert error.value.message == BUSY
    await holder.close()
    await sessions.close()


@pytest.mark.postgres
async def test_the_log_does_not_repeat_what_a_member_wrote(postgres_address: str, tmp_path: Path) -> None:
    sessions = Sessions(postgres_address, busy_timeout=1)
    for value in ("secret\0words", 2**70):
        with capture_logs() as log, pytest.raises(Unavailable):
            async with sessions.write() as session:
                await session.execute(
                    text("INSERT INTO audit VALUES (1, 1, 1, :value, '', '', now())"), {"value": value}
                )
        assert [line["event"] for line in log] == ["database_error"]
        assert "secret" not in str(log) and str(2**70) not in str(log)
    await sessions.close()


@pytest.mark.postgres
async def test_a_database_that_is_not_there(postgres_address: str) -> None:
    sessions = Sessions(postgres_address.rsplit("/", 1)[0] + "/no_such_database", busy_timeout=1)
    with pytest.raises(Unavailable) as error:
        async with sessions.read() as session:
            await session.execute(text("SELECT 1"))
    assert error.value.message == AWAY
    await sessions.close()


@pytest.mark.postgres
async def test_connections_that_the_server_cut_are_replaced(postgres_address: str) -> None:
    sessions = Sessions(postgres_address, busy_timeout=1)
    other = Sessions(postgres_address, busy_timeout=1)
    async with sessions.read() as session:
        pooled = await (await session.connection()).get_raw_connection()
        connection = pooled.driver_connection
        assert connection is not None
    async with other.write() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    async with asyncio.timeout(30):
        while not connection.is_closed():  # noqa: ASYNC110 (asyncpg has no event for it)
            await asyncio.sleep(0.01)
    async with sessions.read() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await sessions.close()
    await other.close()
