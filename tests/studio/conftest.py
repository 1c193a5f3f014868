"""A real studio on a real SQLite file, with a stand-in for the worker and one for Discord, and three people."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import CoroutineType

import pytest

import studio
from storage.bucket import Bucket
from storage.database import RESERVE, Storage
from storage.records import JobRecord, JobState, Origin
from studio.channel.lines import Piece
from studio.queue.lease import LEASE
from studio.studio import Studio
from studio.values import Actor, CloneOrder, SayOrder
from tests.fake_voice import FakeVoice
from tests.fakes import MODEL, FakeCourier, FakeExecutor, sound_bytes
from tests.storage.build import stored_job

_STUDIO = Path(studio.__file__).parent
GUILD = 900
CHANNEL = 30
LOUNGE = 70
MAX_BYTES = 8 * 1024 * 1024


class FakeClock:
    """The time, which stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> None:
        self.now += timedelta(**span)


def person(member_id: int, *, guild_id: int = GUILD, roles: tuple[int, ...] = (), moderator: bool = False) -> Actor:
    return Actor(guild_id, member_id, CHANNEL, frozenset(roles), moderator)


ANN, BOB, MOD = person(1), person(2), person(3, moderator=True)
STRANGER = person(1, guild_id=901)
ANN_THERE, BOB_THERE = (replace(who, voice_channel_id=LOUNGE, channel_id=LOUNGE) for who in (ANN, BOB))


def origin(number: int, clock: FakeClock) -> Origin:
    return Origin(number, f"token-{number}", clock() + timedelta(minutes=14))


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool], what: str) -> None:
    """Wait a few seconds at most."""
    for _ in range(600):
        outcome = condition()
        if await outcome if isinstance(outcome, Awaitable) else outcome:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"waited in vain for {what}")


async def _nothing(*_: object, **__: object) -> None:
    """What a dead process does."""


def _is_of_studio(work: object) -> bool:
    return isinstance(work, CoroutineType) and Path(work.cr_code.co_filename).is_relative_to(_STUDIO)


class StudioHarness:
    """A studio with what stands around it. `studio` changes when it is restarted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.slept: list[float] = []
        self.nap: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)
        self.executor = FakeExecutor()
        self.courier = FakeCourier()
        self.model = MODEL
        self.reserves = False
        self.bucket: Bucket | None = None

    async def open(self) -> None:
        self.storage = await Storage.open(
            f"sqlite+aiosqlite:///{self.folder / 'barkeep.sqlite3'}",
            self.folder,
            clock=self.clock,
            reserves=self.reserves,
            bucket=self.bucket,
        )
        self.studio = Studio(self.storage, self.executor, self.courier, clock=self.clock, sleep=self._sleep)

    async def restart(self, *, capacity: int = 1) -> None:
        """Close, and open again with a new worker, a new process's memory, and the same files."""
        await self.studio.close()
        self.executor = FakeExecutor(capacity=capacity, model=self.model)
        await self.open()
        await self.studio.start()

    async def kill(self) -> None:
        """End the process without any farewell: nothing is given back, and only the files remain.

        Tasks end between two steps, or where a test holds them: threads cannot be killed in the middle of one.
        """
        self.storage.jobs.requeue = self.storage.files.drop_staging = _nothing  # type: ignore[method-assign]  # dead
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.studio.dispatcher.close(), 1)
        await self.executor.close()
        await self.storage.close()
        self.executor = FakeExecutor(model=self.model)

    async def job(self, job_id: str) -> JobRecord:
        return await stored_job(self.storage, job_id)

    async def ended(self, job_id: str, *, idle: bool = True) -> JobRecord:
        """The job once its answer is out and, with `idle`, nothing else is to be done."""

        async def is_answered() -> bool:
            return (await self.job(job_id)).answered_at is not None

        await until(is_answered, f"the answer to {job_id}")
        if idle:
            await until(lambda: not self.tasks(), "idle")
        return await self.job(job_id)

    async def left(self, job_id: str) -> JobRecord:
        """The job once it is clear that its answer could not be brought."""
        await self.reaches(job_id, JobState.READY)
        await until(lambda: not self.tasks(), "idle")
        return await self.job(job_id)

    async def reaches(self, job_id: str, state: JobState) -> JobRecord:
        async def is_there() -> bool:
            return (await self.job(job_id)).state is state

        await until(is_there, f"{job_id} to be {state}")
        return await self.job(job_id)

    def tasks(self) -> list[asyncio.Task[object]]:
        """The studio's own tasks at this moment."""
        return [task for task in asyncio.all_tasks() if _is_of_studio(task.get_coro())]

    async def begun(self, job_id: str) -> None:
        """Wait until the worker has told of the job."""

        async def is_begun() -> bool:
            return (await self.job(job_id)).started_at is not None

        await until(is_begun, f"{job_id} to begin")

    async def taken_over(self, job_id: str) -> JobRecord:
        """The job, while it is at work here, as it is after another process took it."""
        await self.begun(job_id)
        mine = (await self.job(job_id)).lease_owner
        assert await self.storage.jobs.requeue(job_id, mine) is not None
        theirs = await self.storage.jobs.claim(job_id, "elsewhere/1/ab", LEASE)
        assert theirs is not None
        return theirs

    async def clone(self, actor: Actor = ANN, name: str = "Ann") -> JobRecord:
        return await self.studio.clones.submit(actor, CloneOrder(name), sound_bytes(), None, attested=True)

    async def voice(self, actor: Actor = ANN, name: str = "Ann") -> str:
        """A voice that is ready; its key."""
        accepted = await self.clone(actor, name)
        await self.ended(accepted.id)
        return f"v:{accepted.voice_id}"

    async def say(self, text: str = "Good evening.", actor: Actor = ANN, voice: str | None = None) -> JobRecord:
        return await self.studio.speech.submit(actor, SayOrder(text, voice), {}, None, max_bytes=MAX_BYTES)

    def files(self) -> list[str]:
        """The files that are kept, the database and what belongs to the folder itself aside.

        Folders may be deleted meanwhile, which os.walk passes over and pathlib does not.
        """
        return sorted(
            str((Path(folder) / name).relative_to(self.folder))
            for folder, _, names in os.walk(self.folder)
            for name in names
            if "sqlite3" not in name and name not in ("in-use.lock", "installation-id", RESERVE)
        )

    async def traces(self, *words: str) -> set[str]:
        """Close, and look for words in every table and in every byte that is left on the disk.

        Tables are named "table x", files by their place; bytes of the database that no row owns any more count too.
        """
        await self.studio.close()
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        found = {
            str(path.relative_to(self.folder))
            for path in paths
            if path.suffix != ".sqlite3"
            and any(word in path.name or word.encode() in path.read_bytes() for word in words)
        }
        with contextlib.closing(sqlite3.connect(self.folder / "barkeep.sqlite3")) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                rows = str(database.execute(f'SELECT * FROM "{table}"').fetchall())  # noqa: S608 (our own names)
                found |= {f"table {table}" for word in words if word in rows}
        if not found:
            raw = (self.folder / "barkeep.sqlite3").read_bytes()
            found |= {"the database's free pages" for word in words if word.encode() in raw}
        return found

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.nap()


def hold_before_work(harness: "StudioHarness", monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Hold each job between claim and work. Return the events that it is held, and that it may go on."""
    held, go_on = asyncio.Event(), asyncio.Event()
    staging = harness.storage.files.staging

    async def slow(job_id: str) -> Path:
        held.set()
        await go_on.wait()
        return await staging(job_id)

    monkeypatch.setattr(harness.storage.files, "staging", slow)
    return held, go_on


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[StudioHarness]:
    harness = StudioHarness(tmp_path)
    await harness.open()
    await harness.studio.start()
    yield harness
    await harness.studio.close()


@pytest.fixture
async def voice(harness: StudioHarness) -> FakeVoice:
    """What speaks in voice channels."""
    voice = FakeVoice()
    harness.studio.channels.attend(voice, Piece(Path("notice.ogg")))
    return voice


@pytest.fixture
async def lounge(harness: StudioHarness, voice: FakeVoice) -> FakeVoice:
    """The bot sits in the lounge and reads its chat."""
    assert await harness.studio.reading.start(ANN_THERE, None) == LOUNGE
    return voice


@pytest.fixture
async def asks_for_speech(harness: StudioHarness) -> None:
    """The server asks for spoken consent."""
    await harness.studio.admin.change(MOD, consent="spoken")
