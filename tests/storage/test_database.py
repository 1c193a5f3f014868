import asyncio
import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from errors import Unavailable
from storage.database import COPY_KEPT, RESERVE, Storage
from storage.records import JobState, VoiceState
from storage.sessions import FULL, Sessions
from tests.storage.build import GUILD, OTHER_GUILD, PLENTY, Clock, add_voice, new_job, reserve, speech_in
from tests.storage.conftest import sqlite_url

ROOT = Path(__file__).parents[2]
CRASH = """
import asyncio, os, signal, sys
from pathlib import Path
from unittest.mock import create_autospec
from storage.database import Storage
from storage.records import JobKind, JobState
from tests.storage.build import *

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    opened = await Storage.open(sys.argv[1], Path(sys.argv[2]))
    files = opened.files
"""


def crash(url: str, data_dir: Path, steps: str) -> None:
    """Let another process take these steps and kill itself in the middle of its work."""
    script = CRASH + textwrap.indent(textwrap.dedent(steps), "    ") + "\n    die()\n\nasyncio.run(main())\n"
    done = subprocess.run(
        [sys.executable, "-c", script, url, str(data_dir)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def kept_files(data_dir: Path) -> list[str]:
    folders = ("tmp", "uploads", "staging", "voices", "results")
    return sorted(str(path.relative_to(data_dir)) for folder in folders for path in (data_dir / folder).rglob("*.*"))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def test_opening_makes_what_is_missing(tmp_path: Path) -> None:
    data_dir = tmp_path / "deep" / "data"
    for _ in range(2):
        storage = await Storage.open(sqlite_url(data_dir / "barkeep.sqlite3"), data_dir)
        assert await storage.guilds.all_ids() == []
        await storage.close()


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        pytest.param("await files.put_upload('lost', b'x'); (files._tmp / 'x.y').write_bytes(b'x')", [], id="no-row"),
        pytest.param(
            "import storage.files; storage.files.os.fsync = die; await files.put_upload('lost', b'x')",
            [],
            id="half-file",
        ),
        pytest.param(
            """
            async def place(voice):
                await files.put_voice_file(GUILD, voice.id, 'prompt.npz', b'x')
                die()
            await opened.voices.add(
                new_voice(), MODELS, has_clip=False, member_limit=9, guild_limit=9, place=place
            )
            """,
            [],
            id="import-before-its-row",
        ),
        pytest.param(
            """
            voice = await add_voice(opened)
            await files.put_voice_file(GUILD, voice.id, 'prompt.npz', b'x')
            await opened.voices.delete(GUILD, voice.id)
            """,
            [],
            id="row-deleted-first",
        ),
        pytest.param(
            """
            job = await speech_in(opened, JobState.READY)
            (await files.staging(job.id) / 'speech.ogg').write_bytes(b'x')
            await files.keep_result(job.id, await files.staging(job.id) / 'speech.ogg')
            await opened.jobs.answered(job.id, 1)
            """,
            [],
            id="answered-before-its-result-is-dropped",
        ),
        pytest.param(
            """
            await reserve(opened, 'Anna')
            await opened.jobs.fail((await opened.jobs.queued())[0].id, 'Unavailable', 'x', owner=None)
            """,
            [],
            id="failed-before-the-name-is-free",
        ),
    ],
)
async def test_a_kill_leaves_nothing_behind(address: str, data_dir: Path, steps: str, left: list[str]) -> None:
    crash(address, data_dir, steps)
    storage = await Storage.open(address, data_dir)
    try:
        assert kept_files(data_dir) == left
        assert list((data_dir / "uploads").iterdir()) == []
        assert await storage.voices.list(GUILD, None, ready_only=False) == ([], 0)
    finally:
        await storage.close()


async def test_a_kill_loses_nothing(address: str, data_dir: Path, clock: Clock) -> None:
    crash(
        address,
        data_dir,
        """
        voice, job = await reserve(opened, 'Anna')
        await files.put_upload(job.id, b'upload')
        await opened.jobs.claim(job.id, 'bot', timedelta(minutes=1))
        folder = await files.staging(job.id)
        (folder / 'prompt.npz').write_bytes(b'prompt')
        (folder / 'clip.flac').write_bytes(b'clip')
        await files.adopt_voice(GUILD, voice.id, folder, ['prompt.npz', 'clip.flac'])
        said = await speech_in(opened, JobState.RUNNING, 'said')
        (await files.staging('said') / 'speech.ogg').write_bytes(b'speech')
        await files.keep_result('said', await files.staging('said') / 'speech.ogg')
        await opened.jobs.ready('said', {'seconds': 1.0}, 'bot')
        await speech_in(opened, JobState.QUEUED, 'waiting')
        """,
    )
    storage = await Storage.open(address, data_dir)
    try:
        (clone,) = await storage.jobs.running()
        assert clone.voice_id is not None
        voice = await storage.voices.get(GUILD, clone.voice_id)
        assert voice.state is VoiceState.CLONING
        assert storage.files.upload(clone.id).read_bytes() == b"upload"
        assert await storage.files.read_voice_file(GUILD, voice.id, "prompt.npz") == b"prompt"
        assert [job.id for job in await storage.jobs.queued()] == ["waiting"]
        assert await storage.jobs.unanswered() == ["said"]
        result = await storage.files.result("said")
        assert result is not None and result.read_bytes() == b"speech"
    finally:
        await storage.close()


async def test_a_kill_between_accept_and_commit_accepts_nothing(address: str, data_dir: Path) -> None:
    crash(
        address,
        data_dir,
        """
        import storage.acceptance as acceptance
        acceptance._row_of = die
        await reserve(opened, 'Anna')
        """,
    )
    storage = await Storage.open(address, data_dir)
    assert await storage.jobs.queued() == []
    assert await storage.voices.list(GUILD, None, ready_only=False) == ([], 0)
    await storage.close()


async def test_work_in_progress_of_a_job_that_ended_elsewhere_leaves_the_disk(storage: Storage, clock: Clock) -> None:
    """The process that ran it was killed, and a process of another machine took the job."""
    old = (clock() - 2 * COPY_KEPT).timestamp()
    staged = {}
    for name, state in (("ended", JobState.FAILED), ("at-work", JobState.RUNNING), ("to-send", JobState.READY)):
        staged[name] = await storage.files.staging((await speech_in(storage, state, name)).id)
    staged["deleted"] = await storage.files.staging("deleted")
    for folder in staged.values():
        (folder / "clip").write_bytes(b"sound")
        os.utime(folder, (old, old))
    staged["new"] = await storage.files.staging("new")  # its job may not be stored yet
    os.utime(staged["new"], (clock().timestamp(),) * 2)
    await storage.drop_copies()
    assert {name for name, folder in staged.items() if folder.exists()} == {"at-work", "to-send", "new"}


async def test_the_files_of_a_running_storage_are_not_swept(storage: Storage, address: str, data_dir: Path) -> None:
    await storage.files.put_upload("on-its-way", b"the row follows")
    voice, job = await reserve(storage)
    await storage.jobs.fail(job.id, "Unavailable", "x", owner=None)
    second = await Storage.open(address, data_dir)
    await second.close()
    third = await Storage.open(address, data_dir)
    await third.close()
    assert storage.files.upload("on-its-way").read_bytes() == b"the row follows"
    assert (await storage.voices.get(GUILD, voice.id)).id == voice.id


async def test_storages_that_open_at_once_do_not_block_each_other(sqlite_address: str, data_dir: Path) -> None:
    opened = await asyncio.gather(*(Storage.open(sqlite_address, data_dir) for _ in range(4)))
    for storage in opened:
        await storage.close()
        await storage.close()


async def test_a_reserved_name_stays_while_its_job_waits_or_runs(address: str, data_dir: Path) -> None:
    storage = await Storage.open(address, data_dir)
    waiting, _ = await reserve(storage, "waiting")
    running, job = await reserve(storage, "running", guild=OTHER_GUILD)
    await storage.jobs.claim(job.id, "bot", job.created_at - job.created_at)
    over, cancelled = await reserve(storage, "over")
    await storage.jobs.cancel(cancelled.id)
    speaking = await add_voice(storage, "ready")
    await speech_in(storage, JobState.QUEUED, voice_id=speaking.id)
    await storage.close()
    storage = await Storage.open(address, data_dir)
    assert await storage.voices.get(GUILD, waiting.id) == waiting
    assert await storage.voices.get(OTHER_GUILD, running.id) == running
    assert await storage.voices.get(GUILD, speaking.id) == speaking
    assert await storage.voices.find(GUILD, over.name) is None
    await storage.close()


async def test_a_locked_database_is_said_and_the_next_command_works(sqlite_address: str, data_dir: Path) -> None:
    storage = await Storage.open(sqlite_address, data_dir, busy_timeout=0.1)
    other_process = sqlite3.connect(sqlite_address.removeprefix("sqlite+aiosqlite:///"), isolation_level=None)
    other_process.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(*(reserve(storage, f"{n}") for n in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert await storage.jobs.queued() == []
    other_process.execute("ROLLBACK")
    other_process.close()
    await reserve(storage)
    await storage.close()


async def test_a_database_that_cannot_be_opened_leaves_the_folder_free(tmp_path: Path, data_dir: Path) -> None:
    broken = tmp_path / "broken.sqlite3"
    broken.write_bytes(b"this is not a database" * 200)
    with pytest.raises(Unavailable, match="SQLite file must be whole"):
        await Storage.open(sqlite_url(broken), data_dir)
    (data_dir / "uploads" / "lost").write_bytes(b"x")
    storage = await Storage.open(sqlite_url(tmp_path / "good.sqlite3"), data_dir)
    assert list((data_dir / "uploads").iterdir()) == []
    await storage.close()


@pytest.mark.parametrize("error", [NotADirectoryError(20, "Not a directory"), FileNotFoundError(2, "No such file")])
async def test_a_data_folder_that_cannot_be_made_is_said_to_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    monkeypatch.setattr(Path, "mkdir", create_autospec(Path.mkdir, side_effect=error))
    with pytest.raises(Unavailable, match="set DATA_DIR to another folder") as said:
        await Storage.open(sqlite_url(tmp_path / "x.sqlite3"), tmp_path / "data")
    assert str(tmp_path / "data") in said.value.message


async def test_a_full_disk_is_said_to_the_owner(
    sqlite_address: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as disk:
        disk.setattr("storage.files.os.fsync", create_autospec(os.fsync, side_effect=full))
        with pytest.raises(Unavailable, match="Free some space and start again") as said:
            await Storage.open(sqlite_address, data_dir)
    assert str(data_dir) in said.value.message
    await (await Storage.open(sqlite_address, data_dir)).close()


async def test_a_start_on_a_full_disk_gives_the_reserve_up(
    sqlite_address: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = create_autospec(shutil.disk_usage)
    monkeypatch.setattr("storage.reserve.shutil.disk_usage", disk)
    for free, reserved in ((10**9, True), (0, False)):
        disk.return_value = shutil._ntuple_diskusage(10**9, 10**9 - free, free)
        await (await Storage.open(sqlite_address, data_dir, reserves=True)).close()
        assert (data_dir / RESERVE).exists() is reserved


async def test_a_database_that_does_not_answer_is_said_to_the_owner(data_dir: Path) -> None:
    with pytest.raises(Unavailable, match="of DATABASE_URL") as said:
        await Storage.open("postgresql://barkeep:not-for-the-log@127.0.0.1:1/barkeep", data_dir)
    assert "not-for-the-log" not in said.value.message


async def test_a_full_disk_does_not_undo_a_deletion(
    sqlite_address: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = await Storage.open(sqlite_address, data_dir)
    job = await storage.acceptance.accept_speech(new_job(), PLENTY)
    await storage.jobs.delete_of_member(GUILD, job.member_id)
    full = create_autospec(Sessions.empty_log, side_effect=Unavailable(FULL))
    with monkeypatch.context() as disk:
        disk.setattr(Sessions, "empty_log", full)
        await storage.finish_deleting()
    assert full.await_count == 1
    await storage.finish_deleting()
    assert job.id.encode() not in b"".join(path.read_bytes() for path in data_dir.parent.glob("barkeep.sqlite3*"))
    await storage.close()


async def test_what_a_member_had_deleted_is_not_in_the_file(sqlite_address: str, data_dir: Path) -> None:
    storage = await Storage.open(sqlite_address, data_dir)
    job = await storage.acceptance.accept_speech(new_job(), PLENTY)
    await storage.jobs.delete_of_member(GUILD, job.member_id)
    await storage.close()
    folder = Path(sqlite_address.removeprefix("sqlite+aiosqlite:///")).parent
    kept = b"".join(path.read_bytes() for path in folder.glob("barkeep.sqlite3*"))
    assert job.id.encode() not in kept
