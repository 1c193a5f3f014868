"""The disk is full, or the database locked, at each write of a command in turn: a sentence, and nothing half-done."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BarkeepError, Unavailable
from storage import disk, files
from storage.database import RESERVE
from storage.records import JobState, VoiceState
from storage.sessions import BUSY, FULL, Sessions
from studio.queue.lease import LEASE
from tests.fakes import prompt_bytes
from tests.studio.conftest import ANN, GUILD, MOD, StudioHarness, until

OVER = (JobState.DELIVERED, JobState.FAILED, JobState.CANCELLED)


class Trouble:
    """Lets every write pass but one. `met`: whether that one came."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        self.met = False
        write, put, in_thread = Sessions.write, files.FileStore._put, disk.in_thread
        quickly, move = disk.QuickWork.do, disk.DurableMoves.do

        @asynccontextmanager
        async def writing(sessions: Sessions, *, deletes: bool = False) -> AsyncIterator[AsyncSession]:
            self._pass(BUSY)
            async with write(sessions, deletes=deletes) as session:
                yield session

        async def putting(store: files.FileStore, *arguments: Any) -> Any:
            self._pass(FULL)
            return await put(store, *arguments)

        async def working(work: Callable[..., Any], *arguments: object) -> Any:
            self._pass(FULL)
            return await in_thread(work, *arguments)

        async def working_quickly(quick: disk.QuickWork, *arguments: Any) -> Any:
            self._pass(FULL)
            return await quickly(quick, *arguments)

        async def moving(moves: disk.DurableMoves, *arguments: Any) -> None:
            self._pass(FULL)
            await move(moves, *arguments)

        monkeypatch.setattr(Sessions, "write", writing)
        monkeypatch.setattr(files.FileStore, "_put", putting)
        monkeypatch.setattr(files, "in_thread", working)
        monkeypatch.setattr(disk.QuickWork, "do", working_quickly)
        monkeypatch.setattr(disk.DurableMoves, "do", moving)

    @contextlib.contextmanager
    def at(self, number: int) -> Iterator[None]:
        """The write with this number fails, once."""
        self._left, self.met = number, False
        try:
            yield
        finally:
            self._left = None

    def _pass(self, sentence: str) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left == 0:
            self.met = True
            raise Unavailable(sentence)


async def clone(harness: StudioHarness) -> None:
    await harness.clone(name="New")


async def say(harness: StudioHarness) -> None:
    await harness.say(voice="Ann")


async def bring(harness: StudioHarness) -> None:
    await harness.studio.voice_files.import_(ANN, "New", prompt_bytes(), attested=True)


async def delete(harness: StudioHarness) -> None:
    await harness.studio.library.delete(ANN, "Ann")


@pytest.mark.parametrize("act", [clone, say, bring, delete])
async def test_each_write_may_fail(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, act: Callable[[StudioHarness], Awaitable[None]]
) -> None:
    await harness.voice()
    trouble = Trouble(monkeypatch)
    number = 0
    while True:
        number += 1
        with trouble.at(number):
            told = None
            try:
                await act(harness)
            except BarkeepError as error:
                told = error.message
            await until(lambda: not harness.tasks(), "idle")
        if not trouble.met:
            break
        assert told in (None, BUSY, FULL)
        if told is not None and act is not delete:
            assert [path for path in harness.files() if not path.startswith(("voices/900-", "trash/"))] == []
            assert {voice.name for voice in await harness.storage.voices.of_person(GUILD, ANN.member_id)} == {"Ann"}
        harness.clock.now += 2 * LEASE  # What could not even be noted is taken up when its lease lapses.
        await harness.studio.upkeep()
        await until(lambda: not harness.tasks(), "idle")
        await harness.restart()
        await until(lambda: not harness.tasks(), "idle")
        jobs = await harness.storage.jobs.of_member(GUILD, ANN.member_id)
        assert all(job.state in OVER and job.answered_at is not None for job in jobs)
        voices = await harness.storage.voices.of_person(GUILD, ANN.member_id)
        assert all(voice.state is VoiceState.READY for voice in voices)
        kept = {f"voices/{GUILD}-{voice.id}" for voice in voices}
        assert {path.rpartition("/")[0] for path in harness.files() if not path.startswith("trash/")} == kept
        names = {voice.name for voice in voices}
        if "New" in names:
            await harness.studio.library.delete(ANN, "New")
        if "Ann" not in names:
            await harness.voice()
    assert number > 2


DELETIONS: list[Callable[[StudioHarness], Awaitable[object]]] = [
    delete,
    lambda harness: harness.studio.privacy.forget(ANN),
    lambda harness: harness.studio.privacy.revoke(ANN),
    lambda harness: harness.studio.admin.purge(MOD, older_than_days=0),
    lambda harness: harness.studio.admin.purge(MOD, member_id=ANN.member_id),
    lambda harness: harness.studio.admin.guild_removed(GUILD),
]


@pytest.mark.parametrize("act", DELETIONS)
async def test_whoever_deletes_is_not_stopped_by_a_full_disk(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, act: Callable[[StudioHarness], Awaitable[object]]
) -> None:
    harness.reserves = True
    await harness.restart()
    await harness.voice()
    write, reserve = Sessions.write, harness.folder / RESERVE

    @asynccontextmanager
    async def writing(sessions: Sessions, *, deletes: bool = False) -> AsyncIterator[AsyncSession]:
        async with write(sessions, deletes=deletes) as session:
            if reserve.exists():
                raise Unavailable(FULL)  # Not a byte is free.
            yield session

    monkeypatch.setattr(Sessions, "write", writing)
    monkeypatch.setattr("storage.reserve.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(Unavailable, match="full"):
        await harness.clone(name="New")
    assert reserve.exists()
    await act(harness)
    assert not reserve.exists()
    monkeypatch.undo()
    await harness.studio.upkeep()
    assert reserve.exists()


async def test_a_clone_under_way_is_deleted_on_a_full_disk(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.reserves = True
    await harness.restart()
    harness.executor.hold()
    accepted = await harness.clone(name="Ann")
    await harness.begun(accepted.id)
    monkeypatch.setattr("storage.reserve.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    await delete(harness)
    await until(lambda: not harness.tasks(), "idle")
    assert not (harness.folder / RESERVE).exists()
    assert harness.files() == []
