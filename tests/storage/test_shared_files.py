"""Files in a bucket keep the promises of files on disk, for several machines."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import NotFound, Unavailable
from storage.bucket import FILES_AWAY, Bucket
from storage.database import TRASH_KEPT, Storage
from storage.shared_files import SharedFiles, _result, _upload, _voice_file
from tests.storage.build import ANNA, GUILD, MODELS, NOON, Clock, add_voice, new_voice
from tests.storage.conftest import sqlite_url
from tests.storage.seaweed import ObjectStore


@pytest.fixture
async def files(tmp_path: Path, bucket: Bucket) -> SharedFiles:
    store = SharedFiles(tmp_path / "data", bucket)
    await store.prepare()
    return store


@pytest.fixture
async def elsewhere(tmp_path: Path, bucket: Bucket) -> SharedFiles:
    """The same files on another machine."""
    store = SharedFiles(tmp_path / "elsewhere", bucket)
    await store.prepare()
    return store


async def in_bucket(bucket: Bucket) -> list[str]:
    return sorted([name for folder in ("uploads", "voices", "results", "trash") for name in await bucket.names(folder)])


def on_disk(tmp_path: Path) -> list[str]:
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())


async def staged(files: SharedFiles, job_id: str, **contents: bytes) -> Path:
    folder = await files.staging(job_id)
    for name, content in contents.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder


@given(st.text(max_size=80) | st.sampled_from(["..", ".", "../../x", "a/b", "/etc/passwd", "a\0b", "x\n"]))
def test_no_key_and_no_name_leads_out_of_its_folder(word: str) -> None:
    names = [(_upload, "uploads"), (lambda name: _voice_file(GUILD, 1, name), f"voices/{GUILD}-1")]
    for name_of, home in [*names, (lambda word: _result(word).removesuffix(".ogg"), "results")]:
        try:
            name = name_of(word)
        except ValueError:
            continue
        assert name == f"{home}/{word}"
        assert "/" not in word and word not in (".", "..")


async def test_an_upload_is_there_for_a_job_on_any_machine_and_goes_with_it(
    files: SharedFiles, elsewhere: SharedFiles, bucket: Bucket, tmp_path: Path
) -> None:
    await files.put_upload("job-1", b"one")
    await files.put_upload("job-1", b"two")
    path = await elsewhere.upload_for_job("job-1")
    assert path.read_bytes() == b"two"
    async with elsewhere.upload_at_hand("job-1") as at_hand:
        assert at_hand.read_bytes() == b"two"
    assert on_disk(tmp_path) == ["elsewhere/staging/job-1/given/upload"]
    await elsewhere.drop_staging("job-1")
    for _ in range(2):
        await files.drop_upload("job-1")
    assert on_disk(tmp_path) == await in_bucket(bucket) == []
    with pytest.raises(NotFound):
        await elsewhere.upload_for_job("job-1")


async def test_a_voice_is_read_elsewhere_and_nothing_of_it_stays_anywhere(
    files: SharedFiles, elsewhere: SharedFiles, bucket: Bucket, tmp_path: Path
) -> None:
    folder = await staged(files, "job-1", prompt_npz=b"prompt", clip_flac=b"clip")
    for _ in range(2):
        await files.adopt_voice(GUILD, 1, folder, ["prompt.npz", "clip.flac"])
    await files.drop_staging("job-1")
    await files.adopt_voice(GUILD, 1, folder, ["prompt.npz", "clip.flac"])  # after a crash
    assert await elsewhere.voice_folders() == {(GUILD, 1)}
    assert await elsewhere.read_voice_file(GUILD, 1, "clip.flac") == b"clip"
    assert (await elsewhere.voice_file_for_job("job-2", GUILD, 1, "prompt.npz")).read_bytes() == b"prompt"
    await files.put_voice_file(GUILD, 1, "prompt.npz", b"made again")
    assert (await elsewhere.voice_file_for_job("job-3", GUILD, 1, "prompt.npz")).read_bytes() == b"made again"
    await files.put_voice_file(GUILD, 12, "prompt.npz", b"another voice")
    for _ in range(2):
        await files.drop_voice(GUILD, 1)
    with pytest.raises(NotFound):
        await elsewhere.voice_file_for_job("job-4", GUILD, 1, "prompt.npz")
    for job in ("job-2", "job-3", "job-4"):
        await elsewhere.drop_staging(job)
    assert await in_bucket(bucket) == [f"voices/{GUILD}-12/prompt.npz"]
    assert on_disk(tmp_path) == []


async def test_what_a_job_is_given_does_not_stand_where_it_writes(files: SharedFiles) -> None:
    await files.put_voice_file(GUILD, 1, "prompt.npz", b"prompt")
    given_file = await files.voice_file_for_job("job-1", GUILD, 1, "prompt.npz")
    assert given_file.parent.parent == await files.staging("job-1")


async def test_a_voice_without_its_files_cannot_be_adopted(files: SharedFiles) -> None:
    folder = await staged(files, "job-1", prompt_npz=b"prompt")
    with pytest.raises(Unavailable, match="were lost"):
        await files.adopt_voice(GUILD, 1, folder, ["prompt.npz", "clip.flac"])


async def test_a_result_is_fetched_elsewhere_until_it_is_dropped(
    files: SharedFiles, elsewhere: SharedFiles, bucket: Bucket, tmp_path: Path
) -> None:
    folder = await staged(files, "job-1", speech_ogg=b"sound")
    for _ in range(2):
        await files.keep_result("job-1", folder / "speech.ogg")
    await files.drop_staging("job-1")
    await files.keep_result("job-1", folder / "speech.ogg")
    for _ in range(2):
        kept = await elsewhere.result("job-1")
        assert kept is not None and kept.read_bytes() == b"sound" and kept.suffix == ".ogg"
    assert await elsewhere.result("job-12") is None
    await elsewhere.drop_result("job-1")
    assert on_disk(tmp_path) == await in_bucket(bucket) == []
    with pytest.raises(NotFound):
        await files.keep_result("job-1", folder / "speech.ogg")


async def test_a_copy_of_a_result_that_was_deleted_elsewhere_is_removed(
    files: SharedFiles, elsewhere: SharedFiles, tmp_path: Path
) -> None:
    folder = await staged(files, "job-1", speech_ogg=b"sound")
    await files.keep_result("job-1", folder / "speech.ogg")
    await files.drop_staging("job-1")
    await elsewhere.result("job-1")
    await files.drop_many({"job-1", "never-was"})
    assert await elsewhere.result("job-1") is None
    assert on_disk(tmp_path) == []


async def test_copies_of_results_that_could_not_be_sent_do_not_stay(
    files: SharedFiles, elsewhere: SharedFiles, tmp_path: Path
) -> None:
    for job_id in ("old", "new"):
        folder = await staged(files, job_id, speech_ogg=b"sound")
        await files.keep_result(job_id, folder / "speech.ogg")
        await elsewhere.result(job_id)
    os.utime(tmp_path / "elsewhere/tmp/old.ogg", (NOON.timestamp() - 1, NOON.timestamp() - 1))
    await files.drop_many(["old"])  # on this machine: the copy is on another one
    await elsewhere.drop_copies(NOON)
    assert [name for name in on_disk(tmp_path) if "tmp" in name] == ["elsewhere/tmp/new.ogg"]


async def test_what_nothing_refers_to_rests_in_the_trash_for_days(files: SharedFiles, bucket: Bucket) -> None:
    await files.put_upload("kept", b"x")
    await files.put_upload("lost", b"x")
    await files.put_voice_file(GUILD, 1, "prompt.npz", b"x")
    await files.put_voice_file(GUILD, 2, "prompt.npz", b"x")
    folder = await staged(files, "lost", speech_ogg=b"sound")
    await files.keep_result("lost", folder / "speech.ogg")
    assert await files.sweep({(GUILD, 1)}, {"job"}, {"kept"}, now=NOON) == 4  # with the staging folder
    left = await in_bucket(bucket)
    assert {"uploads/kept", f"voices/{GUILD}-1/prompt.npz"} < set(left)
    ends = ["results-lost.ogg", "uploads-lost", f"voices-{GUILD}-2-prompt.npz"]
    assert sorted(name.split("-", 2)[2] for name in left if name.startswith("trash/")) == ends
    await files.empty_trash(NOON)
    assert len(await in_bucket(bucket)) == 5
    await files.empty_trash(NOON + timedelta(seconds=1))
    assert await in_bucket(bucket) == ["uploads/kept", f"voices/{GUILD}-1/prompt.npz"]


async def test_voices_that_were_on_this_disk_before_stay_there(files: SharedFiles, tmp_path: Path) -> None:
    old = tmp_path / "data" / "voices" / f"{GUILD}-9" / "prompt.npz"
    old.parent.mkdir()
    old.write_bytes(b"prompt")
    await files.sweep(set(), set(), set(), now=NOON)
    assert old.exists()


@pytest.fixture
async def storage(sqlite_address: str, tmp_path: Path, bucket: Bucket, clock: Clock) -> AsyncIterator[Storage]:
    opened = await Storage.open(sqlite_address, tmp_path / "data", clock=clock, bucket=bucket)
    yield opened
    await opened.close()


async def test_a_bucket_belongs_to_one_database(
    storage: Storage, sqlite_address: str, tmp_path: Path, bucket: Bucket
) -> None:
    await add_voice(storage)
    await storage.files.put_voice_file(GUILD, 1, "prompt.npz", b"prompt")
    second = await Storage.open(sqlite_address, tmp_path / "elsewhere", bucket=bucket)
    assert await second.files.read_voice_file(GUILD, 1, "prompt.npz") == b"prompt"
    await second.close()
    with pytest.raises(Unavailable, match=r"^The file store s3://.* belongs to another database"):
        await Storage.open(sqlite_url(tmp_path / "other.sqlite3"), tmp_path / "other", bucket=bucket)


async def test_a_database_with_voices_is_not_opened_with_an_empty_bucket(
    storage: Storage, sqlite_address: str, tmp_path: Path, object_store: ObjectStore, bucket: Bucket
) -> None:
    await add_voice(storage)
    empty = Bucket(f"{bucket.url}-empty", object_store.options())
    with pytest.raises(Unavailable, match=r"file store s3://.* has files of none"):
        await Storage.open(sqlite_address, tmp_path / "new", bucket=empty)


async def test_a_row_is_not_stored_without_its_file(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Unavailable(FILES_AWAY)

    monkeypatch.setattr(Bucket, "put", away)
    with pytest.raises(Unavailable, match="cannot reach its files"):
        await storage.voices.add(
            new_voice(),
            MODELS,
            has_clip=False,
            member_limit=9,
            guild_limit=9,
            place=lambda placed: storage.files.put_voice_file(GUILD, placed.id, "prompt.npz", b"prompt"),
        )
    assert await storage.voices.of_person(GUILD, ANNA) == []


async def test_a_restart_cleans_up_after_a_crash(
    storage: Storage, sqlite_address: str, tmp_path: Path, bucket: Bucket, clock: Clock
) -> None:
    await storage.files.put_voice_file(GUILD, 7, "prompt.npz", b"no row")
    await storage.close()
    again = await Storage.open(sqlite_address, tmp_path / "data", clock=clock, bucket=bucket)
    (swept,) = await in_bucket(bucket)
    assert swept.startswith("trash/")
    clock.now += TRASH_KEPT + timedelta(minutes=1)
    await again.empty_trash()
    assert await in_bucket(bucket) == []
    await again.close()
