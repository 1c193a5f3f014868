"""A finished model is gathered whole or not at all, and never heavier than the repository can bear."""

from pathlib import Path

import pytest

from errors import LimitReached, Unavailable
from research.bundled import package
from research.bundled.package import CHECKSUMS, gather, install


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "made" / "bark" / "deep").mkdir(parents=True)
    (tmp_path / "made" / "bark" / "deep" / "a.npy").write_bytes(b"a" * 70)
    (tmp_path / "made" / "q").write_bytes(b"q" * 30)
    (tmp_path / "made" / "q").chmod(0o600)
    return {"bark": tmp_path / "made" / "bark", "quantizer.pth": tmp_path / "made" / "q"}


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_parts_are_gathered_listed_and_weighed(
    parts: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gather(parts, tmp_path / "model")

    made = files(tmp_path / "model")
    listed = made.pop(CHECKSUMS).decode().splitlines()
    assert made == {"bark/deep/a.npy": b"a" * 70, "quantizer.pth": b"q" * 30}
    assert [line.split("  ")[1] for line in listed] == ["bark/deep/a.npy", "quantizer.pth"]
    assert (tmp_path / "model" / "quantizer.pth").stat().st_mode & 0o044
    assert "0.0 MB (bark 0.0 MB, quantizer.pth 0.0 MB)" in capsys.readouterr().out


def test_a_heavy_or_unfinished_model_leaves_the_one_before(
    parts: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather(parts, tmp_path / "model")
    before = files(tmp_path / "model")
    parts["quantizer.pth"].write_bytes(b"q" * 31)

    with pytest.raises(Unavailable, match="codebook is missing"):
        gather({**parts, "codebook.safetensors": tmp_path / "codebook"}, tmp_path / "model")
    monkeypatch.setattr(package, "LARGEST", 100)
    with pytest.raises(LimitReached, match="more than the limit"):
        gather(parts, tmp_path / "model")

    assert files(tmp_path / "model") == before
    assert {path.name for path in tmp_path.iterdir()} == {"made", "model"}


def test_a_model_takes_the_place_of_another(parts: dict[str, Path], tmp_path: Path) -> None:
    gather(parts, tmp_path / "model")
    place = tmp_path / "models" / "bundled"
    place.mkdir(parents=True)
    (place / "old.txt").touch()

    install(tmp_path / "model", place)

    assert files(place) == files(tmp_path / "model")
    assert [path.name for path in place.parent.iterdir()] == ["bundled"]


def test_what_is_missing_or_damaged_is_not_installed(parts: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "bundled"
    place.mkdir()
    (place / "old.txt").touch()

    with pytest.raises(Unavailable, match="run the step export first"):
        install(tmp_path / "model", place)
    gather(parts, tmp_path / "model")
    (tmp_path / "model" / "quantizer.pth").write_bytes(b"x")
    with pytest.raises(Unavailable, match="do not match its SHA256SUMS"):
        install(tmp_path / "model", place)

    assert files(place) == {"old.txt": b""}


def test_what_a_killed_process_put_aside_comes_back(parts: dict[str, Path], tmp_path: Path) -> None:
    gather(parts, tmp_path / "model")
    (tmp_path / "model").rename(tmp_path / ".model.old")

    with pytest.raises(Unavailable):
        gather({"hubert": tmp_path / "nothing"}, tmp_path / "model")

    assert CHECKSUMS in files(tmp_path / "model")


def test_a_place_that_cannot_be_written_is_named(parts: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Unavailable, match="could not be saved"):
        gather(parts, tmp_path / "file" / "model")
