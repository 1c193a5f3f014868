"""Results that survive a kill."""

from pathlib import Path

import pytest

from errors import InvalidInput, Unavailable
from research.evaluate.store import Store, Value


class Maker:
    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> Value:
        self.made += 1
        return {"number": self.made}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "cells.jsonl"


def test_nothing_is_made_twice(path: Path) -> None:
    make = Maker()
    store = Store(path, "run")
    assert store.once("a", make) == store.once("a", make) == {"number": 1}
    again = Store(path, "run")
    assert "a" in again
    assert again.once("a", make) == {"number": 1}
    assert make.made == 1


def test_another_run_starts_anew_and_keeps_the_first(path: Path) -> None:
    make = Maker()
    Store(path, "one").once("a", make)
    assert Store(path, "two").once("a", make) == {"number": 2}
    assert Store(path, "one").once("a", make) == {"number": 1}


def test_a_line_that_was_cut_off_is_made_again(path: Path) -> None:
    make = Maker()
    store = Store(path, "run")
    store.once("a", make)
    store.once("b", make)
    path.write_bytes(path.read_bytes()[:-5])
    again = Store(path, "run")
    assert again.once("a", make) == {"number": 1}
    assert again.once("b", make) == {"number": 3}
    assert Store(path, "run").once("b", make) == {"number": 3}


def test_what_fails_is_not_kept(path: Path) -> None:
    def fail() -> Value:
        raise Unavailable("The model is missing.")

    store = Store(path, "run")
    with pytest.raises(Unavailable):
        store.once("a", fail)
    assert "a" not in Store(path, "run")


@pytest.mark.parametrize("content", ["hello\n", "[1]\n", '{"key": 1}\n', "7\n"])
def test_another_file_is_refused(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InvalidInput, match="is not a file of results"):
        Store(path, "run")


def test_a_disk_that_refuses_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be written"):
        Store(tmp_path / "file" / "cells.jsonl", "run").once("a", Maker())
