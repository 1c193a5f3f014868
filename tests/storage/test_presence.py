"""Several processes on one PostgreSQL: who has which shards, who does what only one has to do."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from errors import BarkeepError, Conflict, Unavailable
from storage import database, presence
from storage.database import Storage
from storage.presence import PAUSES
from storage.shards import ALL, Notice, NoticeKind, Shards
from tests.storage.build import PLENTY, new_job
from tests.storage.conftest import execute
from tests.storage.postgres import find_programs, restart, running_server
from tests.storage.test_shards import FIRST, SECOND

pytestmark = pytest.mark.postgres
LONG = 80.0
"""Seconds, on a busy machine."""
ME = f"{socket.gethostname()}, process {os.getpid()}"

Open = Callable[..., Awaitable[Storage]]


def never(error: BarkeepError) -> None:
    raise AssertionError(error.message)


@pytest.fixture
async def start(postgres_address: str, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a storage as another process would; `machine` has a folder of its own."""
    opened: list[Storage] = []

    async def start(shards: Shards = ALL, machine: str = "one") -> Storage:
        storage = await Storage.open(postgres_address, tmp_path / machine, shards=shards)
        opened.append(storage)
        return storage

    yield start
    for storage in opened:
        await storage.close()


async def drop_connections(address: str) -> None:
    """End every process's connection outside the pool."""
    named = "application_name LIKE 'barkeep, %'"
    await execute(address, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {named}")  # noqa: S608


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    async with asyncio.timeout(seconds):
        yield


async def test_two_processes_take_disjoint_shards(start: Open) -> None:
    for ids in ((0, 2), (1,)):
        await (await start(Shards(ids, 3))).claim_shards(never)


async def test_a_shard_that_another_process_has_is_named(start: Open) -> None:
    await (await start(Shards((0, 2), 4))).claim_shards(never)
    second = await start(Shards((1, 2), 4))
    with pytest.raises(Conflict) as refused:
        await second.claim_shards(never, patience=0)
    assert f"Another bot process already has shard 2 (barkeep, {ME}" in refused.value.message
    third = await start(Shards((1, 3), 4))
    await third.claim_shards(never, patience=0)  # the refused one kept nothing


async def test_two_processes_with_all_servers_are_refused(start: Open) -> None:
    await (await start()).claim_shards(never)
    with pytest.raises(Conflict, match="already serves all servers with this database"):
        await (await start()).claim_shards(never, patience=0)


async def test_another_number_of_shards_is_refused(start: Open) -> None:
    await (await start(Shards((0,), 2))).claim_shards(never)
    with pytest.raises(Conflict, match="SHARD_COUNT is 4 in this process, and 2 in a process that is running"):
        await (await start(Shards((3,), 4))).claim_shards(never, patience=0)


async def test_shards_are_free_again_when_their_process_ends(start: Open) -> None:
    first = await start(Shards((0,), 2))
    await first.claim_shards(never)
    claiming = asyncio.create_task((await start(Shards((0,), 2))).claim_shards(never, patience=LONG))
    await asyncio.sleep(0.1)
    assert not claiming.done()
    await first.close()
    async with within(LONG):
        await claiming


async def test_one_process_leads_and_another_follows_it(start: Open) -> None:
    first, second = await start(), await start()
    assert [await first.leads(), await second.leads(), await first.leads()] == [True, False, True]
    await first.close()
    assert await second.leads()


async def test_turns_do_not_overlap(start: Open) -> None:
    inside = 0
    worked = 0

    async def work(storage: Storage) -> None:
        nonlocal inside, worked
        async with storage.in_turn():
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.05)
            inside -= 1
            worked += 1

    await asyncio.gather(*[work(await start()) for _ in range(3)])
    assert worked == 3


async def test_a_process_on_another_machine_keeps_files_from_being_swept(start: Open) -> None:
    first = await start(machine="one")
    await first.files.put_upload("on-its-way", b"the row follows")
    await first.close()
    await start(machine="two")
    await start(machine="one")
    assert first.files.upload("on-its-way").read_bytes() == b"the row follows"


async def test_a_start_whose_connection_is_lost_while_it_sweeps_stops(
    start: Open, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may start then, be alone too, and store files that this one does not know."""
    swept: list[str] = []

    async def slow(*_: object) -> None:
        await drop_connections(postgres_address)
        await asyncio.sleep(LONG)
        swept.append("files of another process")

    monkeypatch.setattr(database, "_tidy", slow)
    async with within(LONG / 2):
        with pytest.raises(Unavailable, match="lost while Barkeep started"):
            await start()
    assert swept == []
    monkeypatch.undo()
    await start()


class Line:
    """The way to the server, which can go silent: what is sent then gets no answer, and no end either."""

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
async def line(postgres_address: str, tmp_path: Path) -> AsyncIterator[tuple[Line, str]]:
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket is short
        line = Line(Path(parse_qs(urlsplit(postgres_address).query)["host"][0]), Path(folder))
        yield line, await line.start()
        await line.close()


async def test_a_process_that_gets_no_answer_stops_before_its_shards_are_free(
    line: tuple[Line, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "PROVEN", 2.0)
    monkeypatch.setattr(presence, "_BEAT_SECONDS", 0.2)
    monkeypatch.setattr(presence, "_ANSWER_SECONDS", 1.0)
    storage = await Storage.open(line[1], tmp_path, shards=Shards((0,), 2))
    await storage.claim_shards(never)
    assert await storage.jobs.find("none") is None
    await asyncio.sleep(0.5)
    line[0].silence()
    async with within(LONG):
        await asyncio.sleep(2.5)
        with pytest.raises(Unavailable, match="cannot use its database right now"):
            await storage.jobs.find("none")  # at once: it is not even asked
        await line[0].end()

        await until_it_works(storage)
    await storage.close()


async def until_it_works(storage: Storage) -> None:
    while True:
        with suppress(Unavailable):
            assert await storage.jobs.find("none") is None
            return
        await asyncio.sleep(0.1)


def test_a_silence_is_noticed_and_the_process_stops_before_postgresql_frees_its_locks() -> None:
    assert presence._BEAT_SECONDS + presence._ANSWER_SECONDS < presence.PROVEN < presence.VANISHED


async def test_an_answer_proves_nothing_while_the_shards_are_not_claimed_again(
    start: Open, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "PROVEN", 2.0)
    monkeypatch.setattr(presence, "_BEAT_SECONDS", 0.2)
    first, second = await start(Shards((0,), 2)), await start(Shards((0,), 2))
    await first.claim_shards(lambda _: None)
    async with within(LONG):
        await (await taken_meanwhile(first, second, postgres_address))
        await asyncio.sleep(3)
        with pytest.raises(Unavailable):
            await first.jobs.find("none")
        assert await second.jobs.find("none") is None


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
    refused: asyncio.Queue[BarkeepError] = asyncio.Queue()
    first = await start(Shards((0,), 2))
    monkeypatch.setattr(database, "process_name", lambda: "elsewhere, process 1")
    second = await start(Shards((0,), 2))
    await first.claim_shards(refused.put_nowait)
    async with within(LONG):
        await (await taken_meanwhile(first, second, postgres_address))
        assert "already has shard 0" in (await refused.get()).message


async def test_a_process_waits_for_the_end_of_its_earlier_connection(start: Open, postgres_address: str) -> None:
    """PostgreSQL notices later than the process that a connection was lost, and keeps its locks until then."""
    refused: asyncio.Queue[BarkeepError] = asyncio.Queue()
    heard: asyncio.Queue[Notice | None] = asyncio.Queue()
    first, earlier = await start(Shards((0,), 2)), await start(Shards((0,), 2))  # by their name the same process
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
    """Containers may have the same host name and process id."""
    monkeypatch.setattr(presence, "VANISHED", -presence._SPARE_SECONDS)
    refused: asyncio.Queue[BarkeepError] = asyncio.Queue()
    first, other = await start(Shards((0,), 2)), await start(Shards((0,), 2))
    await first.claim_shards(refused.put_nowait)
    async with within(LONG):
        await (await taken_meanwhile(first, other, postgres_address))
        assert "already has shard 0" in (await refused.get()).message


async def taken_meanwhile(first: Storage, second: Storage, address: str) -> "asyncio.Task[None]":
    """End the connection of `first`, and let `second` take its shard before it comes back."""
    claiming = asyncio.create_task(second.claim_shards(never, patience=LONG))
    await asyncio.sleep(0.1)
    assert first._presence is not None
    first._presence._turn = Held()
    holder = "FROM pg_locks WHERE locktype = 'advisory' AND objid = 0 AND classid = x'6261726d'::int"
    await execute(address, f"SELECT pg_terminate_backend(pid) {holder}")
    claiming.add_done_callback(lambda _: first._presence._turn.release())  # type: ignore[union-attr]  # it is there
    return claiming


class Held(asyncio.Lock):
    """A lock that is taken until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self._locked = True


async def test_a_server_that_is_away_at_the_start_is_said_to_the_owner(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="PostgreSQL must be running and know the user"):
        await Storage.open(f"postgresql+asyncpg://postgres@/postgres?host={tmp_path}", tmp_path / "data")


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
