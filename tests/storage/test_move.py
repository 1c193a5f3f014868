"""Moving an SQLite installation into PostgreSQL: all of it or nothing, and only into a database that is empty."""

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from errors import InvalidInput, Unavailable
from storage import move
from storage.copying import BATCH, TABLES, Content, content
from storage.database import Storage
from storage.records import JobState, Visibility
from storage.sessions import Sessions
from tests.storage.build import ANNA, GUILD, OTHER_GUILD, ROLE, add_voice, attest, reserve, speech_in
from tests.storage.conftest import execute, migrate, sqlite_url

ROOT = Path(__file__).parents[2]
KILLS = 3
ONE_GUILD = "INSERT INTO guilds VALUES (1, 3)"
MANY_LINES = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 12000) "
    "INSERT INTO audit (guild_id, actor_id, action, target, detail, at) "
    "SELECT (SELECT min(guild_id) FROM guilds), i, 'a', i, i, '2026-03-01' FROM n"
)
pytestmark = pytest.mark.postgres


@pytest.fixture
def target(empty_postgres: str) -> str:
    return empty_postgres


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def source(sqlite_address: str, data_dir: Path) -> str:
    """An installation with something in most tables, closed."""
    storage = await Storage.open(sqlite_address, data_dir)
    voice, _ = await reserve(storage)
    await attest(storage, GUILD, ANNA)
    await storage.voices.share(
        GUILD, voice.id, visibility=Visibility.CHOSEN, member_ids=frozenset(), role_ids=frozenset({ROLE})
    )
    for state in JobState:
        await speech_in(storage, state)
    await speech_in(storage, JobState.QUEUED, guild=OTHER_GUILD)
    await storage.installation.claim(42)
    await storage.close()
    return sqlite_address


async def contents(url: str) -> dict[str, Content]:
    sessions = Sessions(url, busy_timeout=5)
    async with sessions.engine.connect() as connection:
        found = {table.name: await content(connection, table) for table in TABLES}
    await sessions.close()
    return found


async def tables(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
    await engine.dispose()
    return set(names)


async def said(source: str, data_dir: Path, target: str) -> str:
    lines: list[str] = []
    await move.move(source, data_dir, target, lines.append)
    return "\n".join(lines)


def sqlite_file(url: str) -> Path:
    return Path(url.removeprefix("sqlite+aiosqlite:///"))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def command(source: str, data_dir: Path, target: str) -> subprocess.Popen[str]:
    """The command in another process, as an owner starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "storage.move", "--to", target],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": source, "DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def test_everything_is_there_afterwards_and_the_source_is_as_it_was(
    source: str, data_dir: Path, target: str
) -> None:
    before, file_before = await contents(source), digest(sqlite_file(source))
    report = await said(source, data_dir, target)
    assert "The database is moved" in report
    assert "DATABASE_URL=postgresql+asyncpg://" in report
    assert before == await contents(source) == await contents(target)
    assert file_before == digest(sqlite_file(source))
    assert all(before[name].rows for name in ("installation", "guilds", "voices", "voice_shares", "jobs", "consents"))
    storage = await Storage.open(target, data_dir)
    assert (await storage.voices.find(GUILD, "Anna")) is not None
    assert await storage.installation.claim(42)
    await storage.close()


async def test_new_rows_get_numbers_that_were_never_used(sqlite_address: str, data_dir: Path, target: str) -> None:
    """A voice's number names its folder, also that of a deleted one."""
    storage = await Storage.open(sqlite_address, data_dir)
    await add_voice(storage, "first")
    last = await add_voice(storage, "last")
    await storage.voices.delete(GUILD, last.id)
    await storage.close()
    await said(sqlite_address, data_dir, target)
    storage = await Storage.open(target, data_dir)
    assert (await add_voice(storage, "new")).id == last.id + 1
    assert (await speech_in(storage, JobState.QUEUED)).private is False
    await storage.close()


async def test_a_second_run_compares(source: str, data_dir: Path, target: str) -> None:
    await said(source, data_dir, target)
    assert "moved before, and nothing differs" in await said(source, data_dir, target)


async def test_a_target_that_was_used_since_is_left_alone(source: str, data_dir: Path, target: str) -> None:
    await said(source, data_dir, target)
    storage = await Storage.open(target, data_dir)
    await add_voice(storage, "since then")
    await storage.close()
    used = await contents(target)
    with pytest.raises(Unavailable, match=r"now they differ \(.*voices"):
        await said(source, data_dir, target)
    assert await contents(target) == used


async def test_a_target_of_another_installation_is_refused(
    source: str, data_dir: Path, target: str, tmp_path: Path
) -> None:
    storage = await Storage.open(target, tmp_path / "others")
    await storage.close()
    theirs = await contents(target)
    with pytest.raises(Unavailable, match="data of another installation"):
        await said(source, data_dir, target)
    assert await contents(target) == theirs


async def test_a_target_with_rows_and_no_installation_is_refused(source: str, data_dir: Path, target: str) -> None:
    await migrate(target)
    await execute(target, ONE_GUILD)
    with pytest.raises(Unavailable, match="data of another installation"):
        await said(source, data_dir, target)


async def test_a_target_with_other_tables_is_refused(source: str, data_dir: Path, target: str) -> None:
    await execute(target, "CREATE TABLE invoices (number int)")
    with pytest.raises(Unavailable, match=r"other tables \(invoices\)"):
        await said(source, data_dir, target)
    assert await tables(target) == {"invoices"}


async def test_a_target_that_this_installation_opened_but_never_used_is_filled(
    sqlite_address: str, data_dir: Path, target: str
) -> None:
    for url in (sqlite_address, target):
        storage = await Storage.open(url, data_dir)
        await storage.close()
    await execute(sqlite_address, ONE_GUILD)
    assert "The database is moved" in await said(sqlite_address, data_dir, target)
    assert await contents(sqlite_address) == await contents(target)


async def test_a_bot_on_the_source_is_noticed(source: str, data_dir: Path, target: str) -> None:
    storage = await Storage.open(source, data_dir)
    with pytest.raises(Unavailable, match="A bot is using"):
        await said(source, data_dir, target)
    await storage.close()
    assert await tables(target) == set()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        pytest.param("UPDATE voices SET description = char(65, 0, 66) WHERE id = 2", r"voices \(id 2\)", id="NUL"),
        pytest.param("UPDATE voices SET language = printf('%20s', 'x') WHERE id = 2", r"voices \(id 2\)", id="long"),
        pytest.param("UPDATE guilds SET revision = 1 << 40", r"guilds \(guild_id \d+\)", id="large"),
        pytest.param(
            "UPDATE jobs SET result = '{\"seconds\": NaN}' WHERE sequence = 3",
            r"jobs \(sequence 3\)",
            id="not-a-number",
        ),
        pytest.param(
            "INSERT INTO voice_shares VALUES (99, 0, 1)", r"voice_shares \(voice_id 99, .*\)", id="no-such-voice"
        ),
    ],
)
async def test_a_row_that_postgresql_refuses_is_named_and_nothing_is_stored(
    source: str, data_dir: Path, target: str, statement: str, named: str
) -> None:
    engine = create_async_engine(source)  # without foreign keys
    async with engine.begin() as connection:
        await connection.exec_driver_sql(statement)
    await engine.dispose()
    with pytest.raises(Unavailable, match=f"refuses a row of the table {named}"):
        await said(source, data_dir, target)
    assert await tables(target) == set()


async def test_an_older_schema_is_not_upgraded_by_the_way(source: str, data_dir: Path, target: str) -> None:
    await execute(source, "UPDATE alembic_version SET version_num = '0003'")
    with pytest.raises(Unavailable, match=r"bot\.py --check"):
        await said(source, data_dir, target)


async def test_a_database_and_a_folder_that_do_not_belong_together_are_refused(
    source: str, data_dir: Path, target: str
) -> None:
    (data_dir / "installation-id").write_text("another")
    with pytest.raises(Unavailable, match="do not belong together"):
        await said(source, data_dir, target)


async def test_a_damaged_file_is_said(source: str, data_dir: Path, target: str) -> None:
    path = sqlite_file(source)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    with pytest.raises(Unavailable, match="SQLite database cannot be read"):
        await said(source, data_dir, target)


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite+aiosqlite:///x", "mysql://a/b", "://"])
async def test_what_is_no_postgresql_is_refused(source: str, data_dir: Path, url: str) -> None:
    with pytest.raises(InvalidInput, match="like postgresql"):
        await said(source, data_dir, url)


async def test_what_is_no_sqlite_is_refused(data_dir: Path, target: str, tmp_path: Path) -> None:
    for url in (target, "nonsense", "sqlite+aiosqlite://"):
        with pytest.raises(InvalidInput, match="nothing to move"):
            await said(url, data_dir, target)
    with pytest.raises(InvalidInput, match="no SQLite database at"):
        await said(sqlite_url(tmp_path / "none"), data_dir, target)
    assert not (tmp_path / "none").exists()


async def test_a_missing_data_folder_is_not_made(source: str, tmp_path: Path, target: str) -> None:
    with pytest.raises(InvalidInput, match="no data folder"):
        await said(source, tmp_path / "none", target)
    assert not (tmp_path / "none").exists()


async def test_a_server_that_is_away_or_does_not_let_us_in_is_said(source: str, data_dir: Path, target: str) -> None:
    for wrong in (make_url(target).update_query_dict({"host": "127.0.0.1:1"}), make_url(target).set(username="nobody")):
        with pytest.raises(Unavailable, match="that --to names cannot be used"):
            await said(source, data_dir, wrong.render_as_string(hide_password=False))


async def test_a_path_with_marks_of_an_address_is_a_path(source: str, data_dir: Path, target: str) -> None:
    odd = sqlite_file(source).rename(sqlite_file(source).with_name("a?b#c%20d.sqlite3"))
    url = make_url("sqlite+aiosqlite://").set(database=str(odd)).render_as_string()
    assert "The database is moved" in await said(url, data_dir, target)


async def test_killed_at_any_moment_it_stores_all_or_nothing_and_can_be_run_again(
    source: str, data_dir: Path, target: str
) -> None:
    await execute(source, MANY_LINES)
    before = await contents(source)
    assert before["audit"].rows > 10 * BATCH
    killed = 0
    for _ in range(KILLS):
        process = command(source, data_dir, target)
        assert process.stdout is not None
        assert "Copying" in await asyncio.to_thread(process.stdout.readline)
        await asyncio.sleep(random.uniform(0, 1.5))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if await tables(target):
            assert await contents(target) == before
    assert killed
    report, _ = command(source, data_dir, target).communicate()
    assert "compared by count and digest" in report
    assert await contents(target) == before == await contents(source)


def test_a_wrong_argument_has_its_exit_code(own_process: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert move.main(["--to", "nonsense"]) == move.SETTINGS
    assert "no SQLite database" in capsys.readouterr().out
