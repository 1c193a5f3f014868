"""Downloads through a hub that is not there: what is asked of it, what is checked, and what is said when it fails."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from cloning.checkpoints import downloads, identity
from cloning.checkpoints.downloads import fetch_file, fetch_repository
from cloning.checkpoints.published import PublishedFile, Repository
from errors import Unavailable

WEIGHTS = b"weights " * 1000
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()
REVISION = "0123456789012345678901234567890123456789"
REPOSITORY = Repository(
    "owner/model",
    REVISION,
    ("config.json", "model.bin", "extra/*"),
    ("config.json", "model.bin"),
    {"model.bin": DIGEST},
)
FILE = PublishedFile("owner/quantizer", "q.pth", REVISION)


class FakeHub:
    """Keeps files in the hub's cache layout: blobs named by their etag, linked from a snapshot."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.content = {"config.json": b"{}", "model.bin": WEIGHTS, "q.pth": WEIGHTS}
        self.error: Exception | None = None

    def put(self, repo_id: str, revision: str, name: str) -> Path:
        folder = self.cache / f"models--{repo_id.replace('/', '--')}"
        content = self.content[name]
        etag = hashlib.sha256(WEIGHTS).hexdigest() if content != b"{}" else hashlib.sha1(content).hexdigest()  # noqa: S324  # git's
        link = folder / "snapshots" / revision / name
        blob = folder / "blobs" / etag
        for path in (link, blob):
            path.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            blob.write_bytes(content)
            link.symlink_to(blob)
        return link

    def snapshot(self, repo_id: str, *, revision: str, **_: Any) -> str:
        if self.error:
            raise self.error
        links = [self.put(repo_id, revision, name) for name in ("config.json", "model.bin") if name in self.content]
        return str(links[0].parent)

    def file(self, repo_id: str, filename: str, *, revision: str, local_files_only: bool, **_: Any) -> str:
        if self.error:
            raise self.error
        there = self.cache / f"models--{repo_id.replace('/', '--')}" / "snapshots" / revision / filename
        if local_files_only and not there.exists():
            raise LocalEntryNotFoundError("raw")
        return str(self.put(repo_id, revision, filename))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub(tmp_path)
    for name, method in (("snapshot_download", fake.snapshot), ("hf_hub_download", fake.file)):
        real: Callable[..., Any] = getattr(huggingface_hub, name)
        monkeypatch.setattr(downloads, name, mock.create_autospec(real, side_effect=method))
    return fake


def test_only_the_files_needed_are_asked_for_at_the_pinned_revision(hub: FakeHub, tmp_path: Path) -> None:
    folder = fetch_repository(REPOSITORY, tmp_path, offline=False)

    assert (folder / "model.bin").read_bytes() == WEIGHTS
    downloads.snapshot_download.assert_called_once_with(  # type: ignore[attr-defined]  # a mock
        "owner/model",
        revision=REVISION,
        cache_dir=tmp_path,
        allow_patterns=["config.json", "model.bin", "extra/*"],
        local_files_only=False,
    )


def test_one_file_is_asked_for_at_its_revision(hub: FakeHub, tmp_path: Path) -> None:
    assert fetch_file(FILE, tmp_path, offline=False).read_bytes() == WEIGHTS
    downloads.hf_hub_download.assert_called_with(  # type: ignore[attr-defined]  # a mock
        "owner/quantizer", "q.pth", revision=REVISION, cache_dir=tmp_path, local_files_only=False
    )


@pytest.mark.parametrize("revision", [REVISION, "main"])
def test_the_hub_is_asked_for_a_file_once(hub: FakeHub, tmp_path: Path, revision: str) -> None:
    """A quantizer is fetched at every clone: what `main` was at first stays what it is."""
    file = PublishedFile("owner/quantizer", "q.pth", revision)
    paths = {fetch_file(file, tmp_path, offline=False) for _ in range(3)}

    asked = [call.kwargs["local_files_only"] for call in downloads.hf_hub_download.call_args_list]  # type: ignore[attr-defined]  # a mock
    assert asked == [True, False, True, True]
    assert len(paths) == 1


@pytest.mark.parametrize("revision", [REVISION, "main"])
def test_the_hub_is_asked_for_a_repository_once(hub: FakeHub, tmp_path: Path, revision: str) -> None:
    repository = Repository("owner/model", revision, REPOSITORY.files, REPOSITORY.required)
    folders = {fetch_repository(repository, tmp_path, offline) for offline in (False, False, True)}

    assert downloads.snapshot_download.call_count == 1  # type: ignore[attr-defined]  # a mock
    assert len(folders) == 1
    (folders.pop() / "config.json").unlink()
    assert (fetch_repository(repository, tmp_path, offline=False) / "config.json").is_file()


def test_what_is_wanted_besides_is_asked_for(hub: FakeHub, tmp_path: Path) -> None:
    fetch_repository(REPOSITORY, tmp_path, offline=False)
    fetch_repository(replace(REPOSITORY, files=(*REPOSITORY.files, "more.json")), tmp_path, offline=False)

    assert downloads.snapshot_download.call_count == 2  # type: ignore[attr-defined]  # a mock


def test_a_large_file_is_hashed_once(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = mock.create_autospec(identity._hashed, side_effect=identity._hashed)
    monkeypatch.setattr(identity, "_hashed", hashed)
    for _ in range(3):
        fetch_repository(REPOSITORY, tmp_path, offline=False)

    assert hashed.call_count == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_damaged_file_is_named_with_what_to_delete(hub: FakeHub, tmp_path: Path, known: bool) -> None:
    """Against the known checksum, and against the hub's own where none is known."""
    hub.content["model.bin"] = WEIGHTS[:-3] + b"???"
    repository = REPOSITORY if known else Repository("owner/model", REVISION, (), REPOSITORY.required)

    with pytest.raises(Unavailable, match=r"model\.bin is damaged\. Delete .*blobs") as raised:
        fetch_repository(repository, tmp_path, offline=False)
    assert DIGEST in raised.value.message


def test_a_file_that_changed_after_it_was_checked_is_checked_again(hub: FakeHub, tmp_path: Path) -> None:
    path = fetch_file(FILE, tmp_path, offline=False)
    path.resolve().write_bytes(b"rotten")

    with pytest.raises(Unavailable, match=r"q\.pth is damaged"):
        fetch_file(FILE, tmp_path, offline=False)


def test_a_read_only_cache_works(hub: FakeHub, tmp_path: Path) -> None:
    for name in (".digests", ".whole"):
        (tmp_path / name).write_text("in the way of the folder")

    assert fetch_file(FILE, tmp_path, offline=False).is_file()
    assert fetch_repository(REPOSITORY, tmp_path, offline=False).is_dir()


def test_a_file_that_a_partial_snapshot_lacks_is_named(hub: FakeHub, tmp_path: Path) -> None:
    del hub.content["model.bin"]

    with pytest.raises(Unavailable, match=r"model\.bin of owner/model is not complete"):
        fetch_repository(REPOSITORY, tmp_path, offline=True)


@pytest.mark.parametrize("offline", [True, False])
def test_a_download_is_announced_where_there_is_one(
    hub: FakeHub, tmp_path: Path, caplog: pytest.LogCaptureFixture, offline: bool
) -> None:
    caplog.set_level("INFO", logger=downloads.__name__)
    fetch_repository(REPOSITORY, tmp_path, offline)
    assert ("Downloading owner/model" in caplog.text) is not offline


@pytest.mark.parametrize("error", [LocalEntryNotFoundError("raw"), OSError(28, "raw"), RuntimeError("raw")])
@pytest.mark.parametrize(("offline", "advice"), [(True, "OFFLINE=false"), (False, "Check the network")])
def test_a_failing_download_says_what_to_do(
    hub: FakeHub, tmp_path: Path, error: Exception, offline: bool, advice: str
) -> None:
    hub.error = error

    with pytest.raises(Unavailable, match=advice) as of_repository:
        fetch_repository(REPOSITORY, tmp_path, offline)
    with pytest.raises(Unavailable, match=advice) as of_file:
        fetch_file(FILE, tmp_path, offline)
    assert "raw" not in of_repository.value.message + of_file.value.message
