import asyncio
import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import NotFound, Unavailable
from storage.files import FileStore
from tests.storage.build import GUILD, NOON


@pytest.fixture
async def files(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "data")
    await store.prepare()
    return store


def found(tmp_path: Path) -> list[str]:
    """Every file in the store, by its path."""
    root = tmp_path / "data"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


async def staged(files: FileStore, job_id: str, **contents: bytes) -> Path:
    folder = await files.staging(job_id)
    for name, content in contents.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@given(st.text(max_size=80) | st.sampled_from(["..", ".", "../../etc/passwd", "a/b", "/etc/passwd", "a\0b", "x\n"]))
def test_no_key_and_no_name_leads_out_of_its_folder(word: str) -> None:
    files = FileStore(Path("/data"))
    homes: list[tuple[Callable[[str], Path], str]] = [
        (files.upload, "/data/uploads"),
        (lambda name: files.voice_file(GUILD, 1, name), f"/data/voices/{GUILD}-1"),
    ]
    for where, home in homes:
        try:
            path = where(word)
        except ValueError:
            continue
        assert str(path) == os.path.normpath(path) == f"{home}/{word}"


async def test_only_the_owner_of_the_process_may_look_into_the_store(files: FileStore, tmp_path: Path) -> None:
    for folder in (tmp_path / "data", *(tmp_path / "data").iterdir()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_what_is_heard_is_not_removed_while_it_is_kept(
    files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line can be skipped at that moment: the removal waits, and leaves nothing."""
    job = await staged(files, "j", part_ogg=b"sound")
    keeping, removing = threading.Event(), threading.Event()
    hardlink, rename = Path.hardlink_to, Path.rename

    def slow_hardlink(kept: Path, file: Path) -> None:
        keeping.set()
        assert not removing.wait(0.2), "removed between making its folder and its name"
        hardlink(kept, file)

    def noted_rename(folder: Path, target: Path) -> Path:
        removing.set()
        return rename(folder, target)

    monkeypatch.setattr(Path, "hardlink_to", slow_hardlink)
    monkeypatch.setattr(Path, "rename", noted_rename)
    kept = asyncio.create_task(files.keep_aloud("j", job / "part.ogg"))
    assert await asyncio.to_thread(keeping.wait, 30)
    await asyncio.gather(kept, files.drop_aloud("j"))
    assert found(tmp_path) == ["staging/j/part.ogg"]


async def test_an_upload_is_kept_replaced_read_and_dropped(files: FileStore, tmp_path: Path) -> None:
    await files.put_upload("job-1", b"one")
    assert files.upload("job-1").read_bytes() == b"one"
    await files.put_upload("job-1", b"two")
    assert files.upload("job-1").read_bytes() == b"two"
    assert found(tmp_path) == ["uploads/job-1"]
    for _ in range(2):
        await files.drop_upload("job-1")
    assert found(tmp_path) == []


async def test_a_brief_file_is_gone_afterwards_whatever_happened(files: FileStore, tmp_path: Path) -> None:
    async with files.briefly(b"sound") as path:
        assert path.read_bytes() == b"sound"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await files.sweep(set(), set(), set(), now=NOON) == 1  # what a crash leaves goes with the next start
        assert found(tmp_path) == []
    with pytest.raises(ZeroDivisionError):
        async with files.briefly(b"sound"):
            raise ZeroDivisionError
    assert found(tmp_path) == []


async def test_staging_is_one_folder_until_it_is_dropped(files: FileStore, tmp_path: Path) -> None:
    folder = await staged(files, "job-1", speech_ogg=b"sound")
    assert await files.staging("job-1") == folder
    assert found(tmp_path) == ["staging/job-1/speech.ogg"]
    for _ in range(2):
        await files.drop_staging("job-1")
    assert not folder.exists() and found(tmp_path) == []


async def test_a_new_voice_appears_with_all_its_files(files: FileStore, tmp_path: Path) -> None:
    folder = await staged(files, "job-1", prompt_npz=b"p", clip_flac=b"c", other_txt=b"o")
    for _ in range(2):
        await files.adopt_voice(GUILD, 1, folder, ("prompt.npz", "clip.flac"))
        assert {path.name for path in files.voice_dir(GUILD, 1).iterdir()} == {"prompt.npz", "clip.flac"}
    assert await files.read_voice_file(GUILD, 1, "prompt.npz") == b"p"
    assert await files.read_voice_file(GUILD, 1, "clip.flac") == b"c"
    assert found(tmp_path) == ["staging/job-1/other.txt", f"voices/{GUILD}-1/clip.flac", f"voices/{GUILD}-1/prompt.npz"]


async def test_an_adopted_prompt_replaces_the_old_one_and_the_clip_stays(files: FileStore, tmp_path: Path) -> None:
    await files.put_voice_file(GUILD, 1, "clip.flac", b"c")
    await files.put_voice_file(GUILD, 1, "prompt.npz", b"old")
    await files.adopt_voice(GUILD, 1, await staged(files, "job-1", prompt_npz=b"new"), ["prompt.npz"])
    assert await files.read_voice_file(GUILD, 1, "prompt.npz") == b"new"
    assert await files.read_voice_file(GUILD, 1, "clip.flac") == b"c"


async def test_a_voice_is_not_adopted_in_part(files: FileStore, tmp_path: Path) -> None:
    folder = await staged(files, "job-1", prompt_npz=b"p")
    with pytest.raises(Unavailable, match="clone it again"):
        await files.adopt_voice(GUILD, 1, folder, ("prompt.npz", "clip.flac"))
    assert found(tmp_path) == ["staging/job-1/prompt.npz"]


async def test_a_voice_is_dropped_whole_and_alone(files: FileStore, tmp_path: Path) -> None:
    await files.put_voice_file(GUILD, 1, "prompt.npz", b"1")
    await files.put_voice_file(GUILD, 12, "prompt.npz", b"12")
    for _ in range(2):
        await files.drop_voice(GUILD, 1)
    assert found(tmp_path) == [f"voices/{GUILD}-12/prompt.npz"]
    with pytest.raises(NotFound, match="no longer exists"):
        await files.read_voice_file(GUILD, 1, "prompt.npz")


async def test_a_result_waits_until_it_is_dropped(files: FileStore, tmp_path: Path) -> None:
    folder = await staged(files, "job-1", speech_ogg=b"sound")
    for _ in range(2):
        await files.keep_result("job-1", folder / "speech.ogg")
        kept = await files.result("job-1")
        assert kept is not None and kept.read_bytes() == b"sound" and kept.suffix == ".ogg"
    assert await files.result("job-12") is None
    for _ in range(2):
        await files.drop_result("job-1")
    assert await files.result("job-1") is None and found(tmp_path) == []


async def test_a_result_that_never_was_cannot_be_kept(files: FileStore) -> None:
    with pytest.raises(NotFound):
        await files.keep_result("job-1", (await files.staging("job-1")) / "speech.ogg")


@pytest.mark.parametrize(
    "failing", ["storage.files.os.fsync", "storage.files.Path.replace", "storage.files.aiofiles.open"]
)
async def test_a_full_disk_is_said_and_nothing_is_left(
    files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    await files.put_upload("job-1", b"before")
    with monkeypatch.context() as disk, pytest.raises(Unavailable, match=r"disk .* is full"):
        disk.setattr(failing, no_space)
        await files.put_upload("job-1", b"after")
    assert found(tmp_path) == ["uploads/job-1"]
    assert files.upload("job-1").read_bytes() == b"before"


async def test_a_full_disk_leaves_no_empty_folder_of_a_voice(
    files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await files.put_voice_file(1, 1, "prompt.npz", b"before")
    with monkeypatch.context() as disk:
        disk.setattr("storage.files.aiofiles.open", no_space)
        for voice_id in (1, 2):
            with pytest.raises(Unavailable, match=r"disk .* is full"):
                await files.put_voice_file(1, voice_id, "prompt.npz", b"after")
    assert [path.name for path in (tmp_path / "data" / "voices").iterdir()] == ["1-1"]
    assert await files.read_voice_file(1, 1, "prompt.npz") == b"before"


async def test_a_full_disk_while_a_voice_is_adopted(
    files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = await staged(files, "job-1", prompt_npz=b"p", clip_flac=b"c")
    with monkeypatch.context() as disk, pytest.raises(Unavailable, match=r"disk .* is full"):
        disk.setattr("storage.files.os.fsync", no_space)
        await files.adopt_voice(GUILD, 1, folder, ("prompt.npz", "clip.flac"))
    assert not files.voice_dir(GUILD, 1).exists()
    assert list((tmp_path / "data" / "tmp").iterdir()) == []


async def test_a_disk_that_refuses_is_said_without_its_words(files: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/srv/secret")

    monkeypatch.setattr("storage.files.os.fsync", refuse)
    with pytest.raises(Unavailable, match="data folder") as error:
        await files.put_upload("job-1", b"x")
    assert "secret" not in error.value.message


async def test_bytes_are_synced_before_a_name_appears_and_the_name_after(
    files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace = os.fsync, Path.replace

    def watched_sync(descriptor: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def watched_replace(source: Path, target: Path) -> Path:
        events.append("name")
        return replace(source, target)

    monkeypatch.setattr("storage.files.os.fsync", watched_sync)
    monkeypatch.setattr("storage.files.Path.replace", watched_replace)
    await files.put_upload("job-1", b"x")
    assert events == ["file", "name", "folder"]
    events.clear()
    await files.keep_result("job-1", await _written(await files.staging("job-1")))
    assert events == ["file", "name", "folder"]


async def test_results_that_are_kept_at_the_same_time_share_syncs_of_their_folder(
    files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [f"job-{number}" for number in range(40)]
    folders = [await staged(files, job, **({} if job == "job-7" else {"speech_ogg": b"x"})) for job in jobs]
    synced: list[bool] = []
    sync = os.fsync

    def watched_sync(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr("storage.files.os.fsync", watched_sync)
    keeping = (files.keep_result(job, folder / "speech.ogg") for job, folder in zip(jobs, folders, strict=True))
    outcomes = await asyncio.gather(*keeping, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [NotFound]
    assert outcomes[7] is not None
    assert found(tmp_path) == sorted(f"results/{job}.ogg" for job in jobs if job != "job-7")
    assert synced.count(False) == 39
    assert synced.count(True) < 20


async def _written(folder: Path) -> Path:
    path = folder / "speech.ogg"
    path.write_bytes(b"sound")
    return path


async def test_uploads_and_results_of_many_jobs_go_at_once(files: FileStore, tmp_path: Path) -> None:
    for job in ("job-1", "job-2", "job-12"):
        await files.put_upload(job, b"x")
        await files.keep_result(job, await staged(files, job, speech_ogg=b"x") / "speech.ogg")
        await files.drop_staging(job)
    await files.drop_many(["job-1", "job-2", "job-3"])
    assert found(tmp_path) == ["results/job-12.ogg", "uploads/job-12"]
    with pytest.raises(ValueError, match="not a key"):
        await files.drop_many(["../voices"])


async def test_a_sweep_removes_what_nothing_claims(files: FileStore, tmp_path: Path) -> None:
    for job in ("kept", "gone"):
        await files.put_upload(job, b"x")
        folder = await staged(files, job, speech_ogg=b"x", part_ogg=b"x")
        await files.keep_result(job, folder / "speech.ogg")
    await files.put_voice_file(GUILD, 1, "prompt.npz", b"x")
    await files.put_voice_file(GUILD, 2, "prompt.npz", b"x")
    await files.put_voice_file(GUILD + 1, 1, "prompt.npz", b"x")
    (tmp_path / "data" / "tmp" / "half").write_bytes(b"x")
    (tmp_path / "data" / "tmp" / "folder").mkdir()
    assert await files.sweep({(GUILD, 1)}, {"kept"}, {"kept"}, now=NOON) == 7
    assert [name for name in found(tmp_path) if not name.startswith("trash/")] == [
        "results/kept.ogg",
        "staging/kept/part.ogg",
        "uploads/kept",
        f"voices/{GUILD}-1/prompt.npz",
    ]
    assert len(list((tmp_path / "data" / "trash").iterdir())) == 5
    assert await files.sweep({(GUILD, 1)}, {"kept"}, {"kept"}, now=NOON) == 0
