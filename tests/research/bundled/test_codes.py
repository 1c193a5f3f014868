"""Codes are the teacher's, are found by their clip, and survive a stop."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from errors import InvalidInput, NotFound
from research.bundled import codes as codes_module
from research.bundled.codes import Codes, encode_clip, write_codes
from research.bundled.teacher import BOOKS, CODEBOOK_SIZE
from tests.research.bundled import material

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("codes")
    material.write_corpus(work / "corpus", ["one", "two", "three"])
    encode = partial(encode_clip, encode=material.teacher().encode, device=CPU)
    write_codes(work / "corpus", work / "codec", encode)
    return work


def test_every_clip_has_the_teachers_codes(written: Path) -> None:
    codes = Codes(written / "codec")
    clip = material.clip("two-1", "two", "Text 1.")
    assert clip.audio is not None
    samples = torch.from_numpy(clip.audio / np.float32(32_768))

    expected = material.teacher().encode(samples[None])[0]

    assert len(codes) == 6
    assert "two-1" in codes
    assert codes["two-1"].dtype == np.uint16
    assert codes["two-1"].shape == (BOOKS, len(clip.semantic))
    assert codes["two-1"].max() < CODEBOOK_SIZE
    assert np.array_equal(codes["two-1"], expected.numpy())


def test_an_unknown_clip_is_named(written: Path) -> None:
    with pytest.raises(NotFound, match="four-0"):
        Codes(written / "codec")["four-0"]


def test_only_new_clips_are_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes_module, "_CLIPS_A_FILE", 3)
    corpus, folder = tmp_path / "corpus", tmp_path / "codec"
    encode = partial(encode_clip, encode=material.teacher().encode, device=CPU)
    material.write_corpus(corpus, ["one", "two"])
    write_codes(corpus, folder, encode)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}

    material.write_corpus(corpus, ["three"])
    write_codes(corpus, folder, encode)

    assert len(before) == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(Codes(folder)) == 6


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x03\x04broken"])
def test_damaged_codes_are_named(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "codes-00000.npz").write_bytes(damage)

    with pytest.raises(InvalidInput, match="codes-00000"):
        Codes(tmp_path)


def test_codes_of_another_length_are_named(tmp_path: Path) -> None:
    path = tmp_path / "codes-00000.npz"
    np.savez(path, keys=np.array(["a"]), lengths=np.array([4]), codes=np.zeros((8, 5), np.uint16))

    with pytest.raises(InvalidInput, match="codes-00000"):
        Codes(tmp_path)
