"""Room on the disk that is given up for deletions."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from storage.reserve import Reserve

SIZE = 1000


@pytest.fixture
def reserve(tmp_path: Path) -> Reserve:
    return Reserve(tmp_path / "reserve", size=SIZE)


def leave(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Let the disk have so many bytes left."""
    usage = shutil._ntuple_diskusage(10**9, 10**9 - free, free)
    monkeypatch.setattr("storage.reserve.shutil.disk_usage", lambda _: usage)


def test_it_is_private_and_taken_once(reserve: Reserve, tmp_path: Path) -> None:
    reserve.take()
    first = (tmp_path / "reserve").stat()
    assert (first.st_size, first.st_mode & 0o777) == (SIZE, 0o600)
    reserve.take()
    assert (tmp_path / "reserve").stat().st_ino == first.st_ino
    assert [path.name for path in tmp_path.iterdir()] == ["reserve"]


def test_it_is_given_up_on_a_full_disk_only_and_taken_again_when_there_is_enough(
    reserve: Reserve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve.take()
    reserve.give_up_if_full()
    assert (tmp_path / "reserve").exists()
    leave(monkeypatch, 0)
    for _ in range(2):
        reserve.give_up_if_full()
        assert not (tmp_path / "reserve").exists()
    leave(monkeypatch, 2 * SIZE - 1)
    reserve.take()
    assert not (tmp_path / "reserve").exists()
    leave(monkeypatch, 2 * SIZE)
    reserve.take()
    assert (tmp_path / "reserve").exists()


def test_a_disk_that_refuses_does_no_harm(reserve: Reserve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> bytes:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr("storage.reserve.os.urandom", refuse)
    reserve.take()
    assert list(tmp_path.iterdir()) == []
    tmp_path.rename(tmp_path.with_name("gone"))
    reserve.take()
    reserve.give_up_if_full()
