import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from errors import Unavailable
from storage.migrations import upgrade as upgrade_module
from storage.migrations.upgrade import upgrade
from storage.models import SCHEMA
from storage.sessions import BUSY, Sessions
from tests.storage.conftest import migrate, sqlite_url


def differences(connection: Connection) -> list[Any]:
    """What Alembic would change to make the database equal to the models."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, SCHEMA))


def described(connection: Connection) -> dict[str, Any]:
    """Every table but Alembic's own, in the database's words."""
    inspector = inspect(connection)
    tables = sorted(set(inspector.get_table_names()) - {"alembic_version"})
    return {
        table: {
            "columns": [{**column, "type": str(column["type"])} for column in inspector.get_columns(table)],
            "key": inspector.get_pk_constraint(table),
            "foreign keys": inspector.get_foreign_keys(table),
            "unique": sorted(inspector.get_unique_constraints(table), key=str),
            "indexes": sorted((_in_words(index) for index in inspector.get_indexes(table)), key=str),
        }
        for table in tables
    }


def _in_words(index: Any) -> dict[str, Any]:
    """An index, its condition as SQL: two conditions that SQLAlchemy read are never equal."""
    return {**index, "dialect_options": {key: str(value) for key, value in index.get("dialect_options", {}).items()}}


def made_by_models(connection: Connection) -> dict[str, Any]:
    SCHEMA.drop_all(connection)
    SCHEMA.create_all(connection)
    return described(connection)


def words(sql: str) -> set[str]:
    """The words of a statement, whatever the order in which constraints are listed."""
    return set(sql.replace(",", " ").split())


async def test_the_migrations_make_exactly_the_schema_of_the_models(address: str) -> None:
    sessions = Sessions(address, busy_timeout=1)
    async with sessions.writing_engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        migrated = await connection.run_sync(described)
        modelled = await connection.run_sync(made_by_models)
        await connection.rollback()
    await sessions.close()
    assert set(migrated) == set(SCHEMA.tables)
    assert migrated == modelled


async def test_sqlites_own_words_for_the_schema_are_equal_too(sqlite_address: str, tmp_path: Path) -> None:
    """The inspector does not tell of AUTOINCREMENT, and row numbers depend on it."""
    wanted = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' AND sql IS NOT NULL"
    with closing(sqlite3.connect(sqlite_address.removeprefix("sqlite+aiosqlite:///"))) as database:
        migrated = {name: words(sql) for name, sql in database.execute(wanted)}
    modelled_sessions = Sessions(sqlite_url(tmp_path / "modelled.sqlite3"), busy_timeout=1)
    async with modelled_sessions.writing_engine.begin() as connection:
        await connection.run_sync(SCHEMA.create_all)
        modelled = {name: words(sql) for name, sql in await connection.execute(text(wanted))}
    await modelled_sessions.close()
    assert migrated == modelled


def upgrade_to_before(connection: Connection, migration: str) -> None:
    """Run the migrations that come before the one in the file `migration`."""
    config = Config()
    config.set_main_option("script_location", str(Path(upgrade_module.__file__).parent))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    (before,) = [script.down_revision for script in scripts if script.path.endswith(migration)]
    command.upgrade(config, str(before))


async def test_voices_of_an_older_version_can_be_looked_for(tmp_path: Path) -> None:
    sessions = Sessions(sqlite_url(tmp_path / "older.sqlite3"), busy_timeout=1)
    async with sessions.writing_engine.begin() as connection:
        await connection.run_sync(upgrade_to_before, "large_servers.py")
        await connection.execute(text("INSERT INTO guilds VALUES (1, 1)"))
        await connection.execute(
            text(
                "INSERT INTO voices (guild_id, owner_id, name, name_key, language, description, state, visibility,"
                " has_clip, created_at)"
                " VALUES (1, 2, 'Old Zoë', 'old zoë', 'en', '', 'ready', 'everyone', 1, '2026-01-01')"
            )
        )
    await upgrade(sessions)
    async with sessions.read() as session:
        assert list(await session.scalars(text("SELECT name_folded FROM voices"))) == ["oldzoe"]
    await sessions.close()


async def test_running_them_again_changes_nothing(address: str) -> None:
    await migrate(address)


async def test_two_processes_that_start_together(tmp_path: Path) -> None:
    await asyncio.gather(*(migrate(sqlite_url(tmp_path / "new.sqlite3")) for _ in range(4)))


@pytest.mark.postgres
async def test_two_processes_that_start_together_on_postgresql(postgres_address: str) -> None:
    sessions = Sessions(postgres_address, busy_timeout=1)
    async with sessions.write() as session:
        await session.execute(text("DROP SCHEMA public CASCADE"))
        await session.execute(text("CREATE SCHEMA public"))
    await asyncio.gather(*(migrate(postgres_address) for _ in range(4)))
    async with sessions.writing_engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await sessions.close()


async def test_a_database_of_a_newer_barkeep_is_left_alone(address: str) -> None:
    sessions = Sessions(address, busy_timeout=1)
    async with sessions.write() as session:
        newest = await session.scalar(text("SELECT version_num FROM alembic_version"))
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(Unavailable, match="newer Barkeep"):
            await upgrade(sessions)
    finally:
        async with sessions.write() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": newest})
        await sessions.close()


async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(sqlite_url(tmp_path / "new.sqlite3"), busy_timeout=1)
    with monkeypatch.context() as broken, pytest.raises(KeyError):
        broken.setattr("alembic.op.create_index", _break)
        await upgrade(sessions)
    async with sessions.engine.connect() as connection:
        assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == []
    await upgrade(sessions)
    await sessions.close()


def _break(*_: object, **__: object) -> None:
    raise KeyError("a error in the middle")


async def test_a_locked_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "locked.sqlite3"
    other_process = sqlite3.connect(path, isolation_level=None)
    other_process.execute("PRAGMA journal_mode = WAL")
    other_process.execute("BEGIN IMMEDIATE")
    sessions = Sessions(sqlite_url(path), busy_timeout=0.1)
    with pytest.raises(Unavailable) as error:
        await upgrade(sessions)
    assert error.value.message == BUSY
    await sessions.close()
    other_process.close()
