"""No other user of the machine can look at what Barkeep keeps, whatever the umask and whatever was there before."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from storage.database import Storage
from tests.storage.build import GUILD, add_voice
from tests.storage.conftest import sqlite_url


@pytest.fixture(autouse=True)
def _no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def open_to_others(folder: Path) -> list[str]:
    """What group or others may do anything with."""
    paths = [folder, *folder.rglob("*")]
    return [f"{stat.S_IMODE(path.stat().st_mode):o} {path.name}" for path in paths if path.stat().st_mode & 0o077]


def open_all(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


async def test_everything_new_is_closed_to_others(data_dir: Path) -> None:
    storage = await Storage.open(sqlite_url(data_dir / "barkeep.sqlite3"), data_dir)
    voice = await add_voice(storage)
    await storage.files.put_upload("key", b"x")
    await storage.files.put_voice_file(GUILD, voice.id, "prompt.npz", b"x")
    for name in ("clip.flac", "speech.ogg"):
        (await storage.files.staging("job") / name).write_bytes(b"as the worker writes it")
    await storage.files.adopt_voice(GUILD, voice.id, await storage.files.staging("job"), ["clip.flac"])
    await storage.files.keep_result("job", await storage.files.staging("job") / "speech.ogg")
    assert (data_dir / "barkeep.sqlite3-wal").exists()
    assert open_to_others(data_dir) == []
    await storage.close()


async def test_what_was_there_before_is_closed_too(data_dir: Path) -> None:
    url = sqlite_url(data_dir / "barkeep.sqlite3")
    first = await Storage.open(url, data_dir)
    await first.files.put_voice_file(GUILD, (await add_voice(first)).id, "prompt.npz", b"x")
    open_all(data_dir)
    assert len(open_to_others(data_dir)) > 10
    second = await Storage.open(url, data_dir)
    assert open_to_others(data_dir) == []
    await second.close()
    await first.close()


async def test_a_database_outside_of_the_data_folder_is_closed_too(data_dir: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    storage = await Storage.open(sqlite_url(elsewhere / "rows.sqlite3"), data_dir)
    await add_voice(storage)
    assert len(list(elsewhere.iterdir())) == 3
    assert open_to_others(elsewhere) == []
    await storage.close()


def link_to_folders(data_dir: Path, elsewhere: Path) -> None:
    """The data folder is a link to a disk, and in it is a link to a file that is none of Barkeep's."""
    (elsewhere / "theirs").write_text("x")
    (elsewhere / "theirs").chmod(0o644)
    data_dir.symlink_to(elsewhere / "disk")
    notes = elsewhere / "disk" / "trash" / "notes"
    notes.mkdir(0o755, parents=True)
    (notes / "link").symlink_to(elsewhere / "theirs")


async def test_a_folder_behind_a_link_is_closed_and_what_a_link_inside_points_at_is_left_alone(
    data_dir: Path, tmp_path: Path
) -> None:
    link_to_folders(data_dir, tmp_path)
    storage = await Storage.open(sqlite_url(data_dir / "barkeep.sqlite3"), data_dir)
    assert stat.S_IMODE((tmp_path / "disk").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "disk" / "trash" / "notes").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "theirs").stat().st_mode) == 0o644
    await storage.close()


async def test_a_folder_whose_mode_cannot_be_changed_is_no_reason_not_to_start(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(data_dir.mkdir, 0o755)
    monkeypatch.setattr(Path, "chmod", create_autospec(Path.chmod, side_effect=PermissionError(1, "not yours")))
    storage = await Storage.open(sqlite_url(data_dir / "barkeep.sqlite3"), data_dir)
    await storage.close()
