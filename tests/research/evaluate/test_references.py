"""Folders of recordings."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import BarkeepError, InvalidInput, NotFound
from research.evaluate.references import MANIFEST, digest, read_references, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.wav", "a2.wav", "b.wav"):
        (tmp_path / name).write_bytes(name.encode())
    lines = ["file,speaker,transcript", "a.wav,Ann,Hello, I am here", 'b.wav,Bob,"Hi, you"', "a2.wav,Ann,"]
    (tmp_path / MANIFEST).write_text("\n".join(lines), encoding="utf-8-sig")
    return tmp_path


def test_the_first_recording_is_cloned_and_others_follow(folder: Path) -> None:
    ann, bob = read_references(folder)
    assert (ann.speaker, ann.take.path.name, [take.path.name for take in ann.others]) == ("Ann", "a.wav", ["a2.wav"])
    assert (bob.speaker, bob.take.transcript, bob.others) == ("Bob", "Hi, you", ())


def test_what_is_written_reads_the_same(folder: Path) -> None:
    references = read_references(folder)
    write_manifest(folder, references)
    assert read_references(folder) == references


def test_the_digest_follows_files_and_words(folder: Path) -> None:
    before = digest(read_references(folder))
    assert digest(read_references(folder)) == before
    (folder / "a2.wav").write_bytes(b"other")
    assert digest(read_references(folder)) != before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "lists no recordings"),
        ("name,who\na.wav,Ann\n", "Line 2"),
        ("file,speaker,transcript\na.wav,,Hi\n", "Line 2"),
        ("file,speaker,transcript\ngone.wav,Ann,Hi\n", "gone.wav"),
    ],
)
def test_a_list_that_cannot_be_used_says_why(folder: Path, text: str, problem: str) -> None:
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=problem):
        read_references(folder)


def test_a_folder_without_a_list_is_told_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="file, speaker, transcript"):
        read_references(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_any_bytes_are_a_list_or_a_sentence(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(BarkeepError):
        read_references(folder)
