"""Files of a data folder are copied into a bucket, compared, and never replaced."""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from errors import InvalidInput, Unavailable
from storage import move
from storage.bucket import Bucket
from storage.database import Storage
from storage.moving_files import Copied, copy_files
from tests.storage.build import GUILD, add_voice
from tests.storage.seaweed import BUCKET, OWNER, READER, ObjectStore, secret_of

ID = "an-id"
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def data_dir(tmp_path: Path, sqlite_address: str) -> Path:
    """A folder with a file of each kind, and its database beside it."""
    storage = await Storage.open(sqlite_address, tmp_path / "data")
    await add_voice(storage)
    await storage.files.put_voice_file(GUILD, 1, "prompt.npz", b"prompt")
    await storage.files.put_voice_file(GUILD, 1, "clip.flac", b"clip" * 1_000_000)
    await storage.files.put_upload("job-1", b"upload")
    (await storage.files.staging("job-2") / "speech.ogg").write_bytes(b"sound")
    await storage.files.keep_result("job-2", await storage.files.staging("job-2") / "speech.ogg")
    (await storage.files.staging("job-3") / "half.ogg").write_bytes(b"half")
    await storage.close()
    return tmp_path / "data"


def command(settings: dict[str, str]) -> subprocess.Popen[str]:
    """The command in another process, as an owner starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "storage.move"], cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, text=True
    )


def on_disk(data_dir: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


async def test_all_lasting_files_are_copied_and_the_bot_finds_them(
    data_dir: Path, sqlite_address: str, bucket: Bucket
) -> None:
    before = on_disk(data_dir)
    lines: list[str] = []
    await move.move_files(data_dir, bucket, lines.append)
    assert "4 files of 4.0 MB are there and equal, 0 of them from before" in lines[-1]
    assert on_disk(data_dir) == before
    assert len(await bucket.names("staging")) == 0
    storage = await Storage.open(sqlite_address, data_dir, bucket=bucket)
    assert await storage.files.read_voice_file(GUILD, 1, "clip.flac") == b"clip" * 1_000_000
    await storage.close()


async def test_a_run_goes_on_where_the_last_one_was_killed(data_dir: Path, bucket: Bucket) -> None:
    await bucket.put("installation-id", ID.encode())
    await bucket.put(f"voices/{GUILD}-1/prompt.npz", b"prompt")
    assert await copy_files(data_dir, bucket, ID) == Copied(4, 1, 4_000_017)
    assert await copy_files(data_dir, bucket, ID) == Copied(4, 4, 4_000_017)


async def test_a_file_that_differs_is_not_replaced(data_dir: Path, bucket: Bucket) -> None:
    await copy_files(data_dir, bucket, ID)
    await bucket.put(f"voices/{GUILD}-1/prompt.npz", b"made again")
    with pytest.raises(Unavailable, match=r"prompt\.npz in s3://.* differs"):
        await copy_files(data_dir, bucket, ID)
    assert await bucket.get(f"voices/{GUILD}-1/prompt.npz") == b"made again"


@pytest.mark.parametrize("theirs", ["installation-id", "voices/1-1/prompt.npz"])
async def test_the_bucket_of_another_installation_is_refused(data_dir: Path, bucket: Bucket, theirs: str) -> None:
    await bucket.put(theirs, b"theirs")
    with pytest.raises(Unavailable, match="files of another installation"):
        await copy_files(data_dir, bucket, ID)
    assert await bucket.get(theirs) == b"theirs"
    assert await bucket.names("uploads") == []


async def test_a_bucket_that_cannot_be_written_is_said(data_dir: Path, object_store: ObjectStore) -> None:
    with pytest.raises(Unavailable, match="may not use the bucket"):
        await copy_files(data_dir, Bucket(f"s3://{BUCKET}", object_store.options(READER)), ID)


async def test_a_bot_that_runs_is_noticed(data_dir: Path, sqlite_address: str, bucket: Bucket) -> None:
    storage = await Storage.open(sqlite_address, data_dir)
    with pytest.raises(Unavailable, match="A bot is using"):
        await move.move_files(data_dir, bucket, print)
    await storage.close()


async def test_a_folder_of_something_else_is_refused(tmp_path: Path, bucket: Bucket) -> None:
    with pytest.raises(InvalidInput, match="nothing to copy"):
        await move.move_files(tmp_path, bucket, print)


@pytest.mark.postgres
async def test_rows_and_files_move_together(
    data_dir: Path, sqlite_address: str, empty_postgres: str, bucket: Bucket
) -> None:
    lines: list[str] = []
    await move.move(sqlite_address, data_dir, empty_postgres, lines.append, bucket)
    assert f"Files are in {bucket.url}" in "\n".join(lines)
    storage = await Storage.open(empty_postgres, data_dir.parent / "elsewhere", bucket=bucket)
    assert (await storage.voices.get(GUILD, 1)).name == "Anna"
    assert await storage.files.read_voice_file(GUILD, 1, "prompt.npz") == b"prompt"
    await storage.close()


def test_without_a_target_the_choice_is_said(own_process: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert move.main([]) == move.SETTINGS
    assert "--to, or a bucket with FILES" in capsys.readouterr().out


@pytest.mark.postgres
async def test_rows_move_where_the_files_are_in_the_bucket_already(
    tmp_path: Path, sqlite_address: str, empty_postgres: str, bucket: Bucket
) -> None:
    storage = await Storage.open(sqlite_address, tmp_path / "data", bucket=bucket)
    await add_voice(storage)
    await storage.files.put_voice_file(GUILD, 1, "prompt.npz", b"prompt")
    await storage.close()
    await move.move(sqlite_address, tmp_path / "data", empty_postgres, print, bucket)
    storage = await Storage.open(empty_postgres, tmp_path / "data", bucket=bucket)
    assert await storage.files.read_voice_file(GUILD, 1, "prompt.npz") == b"prompt"
    await storage.close()


async def test_killed_at_any_moment_another_run_completes_it(
    data_dir: Path, sqlite_address: str, bucket: Bucket, object_store: ObjectStore
) -> None:
    storage = await Storage.open(sqlite_address, data_dir)
    for number in range(60):
        await storage.files.put_voice_file(GUILD, 1, f"part-{number}", bytes([number]) * 100_000)
    await storage.close()
    names = {"ENDPOINT_URL": object_store.endpoint, "ACCESS_KEY_ID": OWNER, "SECRET_ACCESS_KEY": secret_of(OWNER)}
    own = {"DATA_DIR": str(data_dir), "FILES": bucket.url} | {f"AWS_{name}": value for name, value in names.items()}
    for _ in range(3):
        process = command(own)
        assert process.stdout is not None
        assert "Copying" in await asyncio.to_thread(process.stdout.readline)
        await asyncio.sleep(random.uniform(0, 0.3))
        process.kill()
        process.communicate()
    report, _ = await asyncio.to_thread(command(own).communicate)
    assert "62 files of 10.0 MB are there and equal" in report  # upload and result had no row
    for number in range(60):
        assert await bucket.get(f"voices/{GUILD}-1/part-{number}") == bytes([number]) * 100_000
