"""Which database and which data folder belong together: nothing of one installation is lost to another."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from errors import Conflict, Unavailable
from storage.database import FEW_VOICES, TRASH_KEPT, Storage
from storage.records import VoiceRecord
from tests.storage.build import GUILD, OTHER_GUILD, Clock, add_voice
from tests.storage.conftest import execute, sqlite_url


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def other_address(tmp_path: Path) -> str:
    return sqlite_url(tmp_path / "other.sqlite3")


async def with_voices(url: str, data_dir: Path, count: int = 3, *, guild: int = GUILD) -> list[VoiceRecord]:
    """An installation with so many voices more, closed again."""
    storage = await Storage.open(url, data_dir)
    voices = []
    for _ in range(count):
        _, known = await storage.voices.list(guild, None)
        voices.append(await add_voice(storage, f"voice {known}", guild=guild))
        await storage.files.put_voice_file(guild, voices[-1].id, "prompt.npz", b"prompt")
    await storage.close()
    return voices


def folders(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "voices").iterdir()}


def trash(data_dir: Path) -> list[Path]:
    return list((data_dir / "trash").iterdir())


async def refused(url: str, data_dir: Path, words: str) -> str:
    """The sentence with which this start is refused."""
    before = folders(data_dir)
    with pytest.raises(Unavailable, match=words) as said:
        await Storage.open(url, data_dir)
    assert folders(data_dir) == before
    return said.value.message


async def test_another_database_on_the_same_folder_is_refused_and_removes_nothing(
    address: str, other_address: str, data_dir: Path
) -> None:
    await with_voices(address, data_dir)
    for _ in range(2):
        assert str(data_dir) in await refused(other_address, data_dir, "belongs to another database")
    storage = await Storage.open(address, data_dir)
    assert len(folders(data_dir)) == 3
    await storage.close()


async def test_another_database_is_refused_too_if_the_folder_is_from_before_there_were_ids(
    address: str, other_address: str, data_dir: Path
) -> None:
    await with_voices(address, data_dir, 1)
    (data_dir / "installation-id").unlink()
    await refused(other_address, data_dir, "belongs to another database")


async def test_the_databases_of_two_installations_cannot_be_swapped(
    address: str, other_address: str, data_dir: Path, tmp_path: Path
) -> None:
    await with_voices(address, data_dir)
    await with_voices(other_address, tmp_path / "others")
    await refused(other_address, data_dir, "belongs to another database")
    await refused(address, tmp_path / "others", "belongs to another database")


async def test_a_new_folder_for_a_database_with_voices_is_refused_until_the_owner_says_that_the_files_are_lost(
    address: str, data_dir: Path, tmp_path: Path
) -> None:
    await with_voices(address, data_dir)
    empty = tmp_path / "empty"
    with pytest.raises(Unavailable, match="has 3 voices") as said:
        await Storage.open(address, empty)
    installation_id = (data_dir / "installation-id").read_text().strip()
    assert installation_id in said.value.message
    (empty / "installation-id").write_text(installation_id)
    storage = await Storage.open(address, empty)
    assert (await storage.voices.list(GUILD, None))[1] == 3
    await storage.close()


async def test_a_backup_of_database_and_voices_belongs_together(address: str, data_dir: Path, tmp_path: Path) -> None:
    await with_voices(address, data_dir)
    restored = tmp_path / "restored"
    shutil.copytree(data_dir / "voices", restored / "voices")
    storage = await Storage.open(address, restored)
    await storage.close()
    assert len(folders(restored)) == 3
    assert (restored / "installation-id").read_text() == (data_dir / "installation-id").read_text()


async def test_a_new_database_may_have_a_folder_without_voices(
    address: str, other_address: str, data_dir: Path
) -> None:
    await with_voices(address, data_dir, 0)
    await execute(address, "DELETE FROM installation")
    storage = await Storage.open(other_address, data_dir)
    await storage.close()


async def test_an_older_copy_of_the_database_is_refused_instead_of_sweeping_what_it_does_not_know(
    sqlite_address: str, data_dir: Path, tmp_path: Path
) -> None:
    await with_voices(sqlite_address, data_dir, 2)
    older = tmp_path / "older.sqlite3"
    shutil.copy(sqlite_address.removeprefix("sqlite+aiosqlite:///"), older)
    await with_voices(sqlite_address, data_dir, FEW_VOICES + 1)
    sentence = await refused(sqlite_url(older), data_dir, "may be an older copy")
    assert f"Of {FEW_VOICES + 3} voices" in sentence
    assert f"{FEW_VOICES + 1} are not in the database" in sentence
    assert trash(data_dir) == []


async def test_the_removal_of_a_server_is_finished_after_a_crash_however_many_voices_it_had(
    address: str, data_dir: Path
) -> None:
    await with_voices(address, data_dir, 1, guild=OTHER_GUILD)
    await with_voices(address, data_dir, FEW_VOICES + 2)
    storage = await Storage.open(address, data_dir)
    await storage.guilds.delete(GUILD)
    await storage.close()
    storage = await Storage.open(address, data_dir)
    await storage.close()
    assert len(folders(data_dir)) == 1


async def test_what_was_swept_rests_in_the_trash_for_days_and_then_goes(address: str, data_dir: Path) -> None:
    clock = Clock()
    (voice,) = await with_voices(address, data_dir, 1)
    storage = await Storage.open(address, data_dir, clock=clock)
    await storage.voices.delete(GUILD, voice.id)
    await storage.close()
    storage = await Storage.open(address, data_dir, clock=clock)
    (swept,) = trash(data_dir)
    assert swept.name.endswith(f"-voices-{GUILD}-{voice.id}")
    assert (swept / "prompt.npz").read_bytes() == b"prompt"
    clock.now += TRASH_KEPT - timedelta(minutes=1)
    await storage.empty_trash()
    assert trash(data_dir) == [swept]
    clock.advance(minutes=2)
    await storage.empty_trash()
    assert trash(data_dir) == []
    await storage.close()


async def test_what_a_member_deletes_does_not_rest_anywhere(storage: Storage, data_dir: Path) -> None:
    await storage.files.put_voice_file(GUILD, 1, "prompt.npz", b"prompt")
    await storage.files.drop_voice(GUILD, 1)
    assert trash(data_dir) == []
    assert folders(data_dir) == set()


async def test_the_trash_keeps_what_somebody_else_put_there(storage: Storage, data_dir: Path, clock: Clock) -> None:
    (data_dir / "trash" / "notes.txt").write_text("mine")
    clock.advance(days=1000)
    await storage.empty_trash()
    assert [path.name for path in trash(data_dir)] == ["notes.txt"]


async def test_the_data_belong_to_the_application_that_came_first(storage: Storage) -> None:
    assert not await storage.installation.claim(1)
    assert await storage.installation.claim(1)
    with pytest.raises(Conflict, match=r"another Discord application \(1\)"):
        await storage.installation.claim(2)
    assert await storage.installation.claim(1)
