"""A file is written whole or not at all."""

from pathlib import Path

import pytest

from cloning.atomic_files import make_folder, replacing, write_atomically
from errors import Unavailable


def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "voice.npz"
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "voice.npz"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_disk_refuses_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="could not be saved"):
        write_atomically(tmp_path / "no folder" / "voice.npz", b"new")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    for refused in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(Unavailable, match="cannot be made"):
            make_folder(refused)
