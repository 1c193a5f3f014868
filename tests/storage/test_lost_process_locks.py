"""Processes on one PostgreSQL that lose their connection: they stop in time, and come back with what they had."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from errors import BarkeepError, Conflict, Unavailable
from storage import process_locks
from storage.database import Storage
from storage.process_locks import PAUSES
from storage.shards import Notice, NoticeKind, Shards
from tests.storage.build import PLENTY, new_job
from tests.storage.conftest import execute
from tests.storage.postgres import find_programs, restart, running_server
from tests.storage.processes import LONG, Open, drop_connections, never, within
from tests.storage.test_shards import FIRST, SECOND

pytestmark = pytest.mark.postgres


class Proxy:
    """A proxy before the server. After `silence` it passes nothing on, and the connections stay open."""

    def __init__(self, server: Path, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        self._listener = await asyncio.start_unix_server(self._connect, self._folder / ".s.PGSQL.5432")
        return f"postgresql+asyncpg://postgres@/postgres?host={self._folder}"

    def silence(self) -> None:
        self._open.clear()

    async def end(self) -> None:
        """End what was silent. New connections work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._open.set()

    async def close(self) -> None:
        self._listener.close()
        await self.end()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, there = await asyncio.open_unix_connection(self._server / ".s.PGSQL.5432")
        for source, target in ((reader, there), (back, writer)):
            task = asyncio.create_task(self._pass(source, target))
            self._tasks.add(task)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while sent := await source.read(65536):
                await self._open.wait()
                target.write(sent)
        finally:
            target.close()


@pytest.fixture
async def proxy(postgres_address: str, tmp_path: Path) -> AsyncIterator[tuple[Proxy, str]]:
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket is short
        proxy = Proxy(Path(parse_qs(urlsplit(postgres_address).query)["host"][0]), Path(folder))
        yield proxy, await proxy.start()
        await proxy.close()


async def test_a_process_that_gets_no_answer_stops_before_its_shards_are_free(
    proxy: tuple[Proxy, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_locks, "PROVEN", 2.0)
    monkeypatch.setattr(process_locks, "_BEAT_SECONDS", 0.2)
    monkeypatch.setattr(process_locks, "_ANSWER_SECONDS", 1.0)
    storage = await Storage.open(proxy[1], tmp_path, shards=Shards((0,), 2))
    await storage.claim_shards(never)
    assert await storage.jobs.find("none") is None
    await asyncio.sleep(0.5)
    proxy[0].silence()
    async with within(LONG):
        await asyncio.sleep(2.5)
        with pytest.raises(Unavailable, match="cannot use its database right now"):
            await storage.jobs.find("none")  # at once: it is not even asked
        await proxy[0].end()

        await until_it_works(storage)
    await storage.close()


async def until_it_works(storage: Storage) -> None:
    while True:
        with suppress(Unavailable):
            assert await storage.jobs.find("none") is None
            return
        await asyncio.sleep(0.1)


def test_a_silence_is_noticed_and_the_process_stops_before_postgresql_frees_its_locks() -> None:
    assert process_locks._BEAT_SECONDS + process_locks._ANSWER_SECONDS < process_locks.PROVEN < process_locks.VANISHED


async def test_an_answer_proves_nothing_while_the_shards_are_not_claimed_again(
    start: Open, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_locks, "PROVEN", 2.0)
    monkeypatch.setattr(process_locks, "_BEAT_SECONDS", 0.2)
    first, second = await start(Shards((0,), 2)), await start(Shards((0,), 2))
    await first.claim_shards(lambda _: None)
    async with within(LONG):
        await (await taken_meanwhile(first, second, postgres_address))
        await asyncio.sleep(3)
        with pytest.raises(Unavailable):
            await first.jobs.find("none")
        assert await second.jobs.find("none") is None


async def test_an_unexpected_error_ends_neither_the_questions_nor_the_return(
    start: Open, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_locks, "_BEAT_SECONDS", 0.05)
    process = (await start(Shards((0,), 1)))._locks
    assert process is not None
    asked: asyncio.Queue[str] = asyncio.Queue()
    errors = [RuntimeError("at a question"), RuntimeError("at the return")]
    value, restore = process._value, process._restore

    async def asks(query: str, *values: int) -> object:
        asked.put_nowait(query)
        if len(errors) == 2:
            raise errors.pop(0)
        return await value(query, *values)

    async def restores() -> None:
        if errors:
            raise errors.pop(0)
        await restore()
        asked.put_nowait("restored")

    monkeypatch.setattr(process, "_value", asks)
    monkeypatch.setattr(process, "_restore", restores)
    async with within(LONG):
        assert [await asked.get(), await asked.get()] == ["SELECT 1", "SELECT 1"]
        await drop_connections(postgres_address)
        while await asked.get() != "restored":
            pass
    assert errors == []


async def test_a_lost_connection_comes_back_with_everything(start: Open, postgres_address: str) -> None:
    first, second = await start(Shards((1,), 2)), await start(Shards((0,), 2))
    heard: asyncio.Queue[Notice | None] = asyncio.Queue()
    await first.claim_shards(never)
    await first.listen(heard.put_nowait)
    assert await first.leads()
    await drop_connections(postgres_address)
    async with within(LONG):
        assert await heard.get() is None  # some may have been missed
        await second.acceptance.accept_speech(new_job("new", guild=SECOND), PLENTY)
        assert await heard.get() == Notice(NoticeKind.JOB, SECOND, "new")
    with pytest.raises(Conflict, match="already has shard 1"):
        await (await start(Shards((1,), 2))).claim_shards(never, patience=0)
    assert [await first.leads(), await second.leads()].count(True) == 1


async def test_a_process_whose_shard_was_taken_while_its_connection_was_lost_is_told(
    start: Open, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, although the other one has the same host name and process id, as in a container started again."""
    monkeypatch.setattr(process_locks, "VANISHED", 10 * LONG)  # how long an earlier connection of its own is waited for
    refused: asyncio.Queue[BarkeepError] = asyncio.Queue()
    first, second = await start(Shards((0,), 2)), await start(Shards((0,), 2))
    await first.claim_shards(refused.put_nowait)
    async with within(LONG):
        await (await taken_meanwhile(first, second, postgres_address))
        assert "already has shard 0" in (await refused.get()).message


async def test_a_process_waits_for_the_end_of_its_earlier_connection(start: Open, postgres_address: str) -> None:
    """PostgreSQL notices later than the process that a connection was lost, and keeps its locks until then."""
    refused: asyncio.Queue[BarkeepError] = asyncio.Queue()
    heard: asyncio.Queue[Notice | None] = asyncio.Queue()
    first, earlier = await start(Shards((0,), 2)), await start(Shards((0,), 2))
    make_earlier(earlier, first)
    await first.claim_shards(refused.put_nowait)
    await first.listen(heard.put_nowait)
    async with within(LONG):
        await (await taken_meanwhile(first, earlier, postgres_address))
        await asyncio.sleep(2 * PAUSES[0])
        assert refused.empty()
        await earlier.close()
        assert await heard.get() is None
    assert refused.empty()
    with pytest.raises(Conflict, match="already has shard 0"):
        await (await start(Shards((0,), 2))).claim_shards(never, patience=0)


async def test_an_earlier_connection_is_not_waited_for_without_end(
    start: Open, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_locks, "VANISHED", -process_locks._SPARE_SECONDS)
    refused: asyncio.Queue[BarkeepError] = asyncio.Queue()
    first, earlier = await start(Shards((0,), 2)), await start(Shards((0,), 2))
    make_earlier(earlier, first)
    await first.claim_shards(refused.put_nowait)
    async with within(LONG):
        await (await taken_meanwhile(first, earlier, postgres_address))
        assert "already has shard 0" in (await refused.get()).message


def make_earlier(earlier: Storage, process: Storage) -> None:
    """Make the connection of `earlier` one that `process` had before its own."""
    assert earlier._locks is not None
    assert process._locks is not None
    process._locks._backends |= earlier._locks._backends


async def taken_meanwhile(first: Storage, second: Storage, address: str) -> "asyncio.Task[None]":
    """End the connection of `first`, and let `second` take its shard before it comes back."""
    claiming = asyncio.create_task(second.claim_shards(never, patience=LONG))
    await asyncio.sleep(0.1)
    assert first._locks is not None
    first._locks._turn = Held()
    holder = "FROM pg_locks WHERE locktype = 'advisory' AND objid = 0 AND classid = x'6261726d'::int"
    await execute(address, f"SELECT pg_terminate_backend(pid) {holder}")
    claiming.add_done_callback(lambda _: first._locks._turn.release())  # type: ignore[union-attr]  # it is there
    return claiming


class Held(asyncio.Lock):
    """A lock that is taken until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self._locked = True


async def test_a_server_that_restarts_is_used_again_with_everything(tmp_path: Path) -> None:
    programs = find_programs()
    heard: asyncio.Queue[Notice | None] = asyncio.Queue()
    with running_server(programs) as url:
        storage = await Storage.open(url, tmp_path, shards=Shards((0,), 2))
        await storage.claim_shards(never)
        await storage.listen(heard.put_nowait)
        await storage.acceptance.accept_speech(new_job("kept", guild=FIRST), PLENTY)
        await asyncio.to_thread(restart, programs, Path(parse_qs(urlsplit(url).query)["host"][0]))
        async with within(LONG):
            assert await heard.get() is None
        assert [job.id for job in await storage.jobs.queued()] == ["kept"]
        second = await Storage.open(url, tmp_path, shards=Shards((0,), 2))
        with pytest.raises(Conflict, match="already has shard 0"):
            await second.claim_shards(never, patience=0)
        await second.close()
        await storage.close()
