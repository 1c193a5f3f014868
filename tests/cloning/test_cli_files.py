"""The command line and its files: their names and their folders."""

import errno
import json
from pathlib import Path

import pytest

from tests.cloning.test_cli import run
from tests.cloning.tones import ToneEngine


def test_file_names_that_are_not_utf_8_are_told_as_escapes(engine: ToneEngine, voice: Path, tmp_path: Path) -> None:
    copy, output = tmp_path / "anna\udcff.npz", tmp_path / "out\udcff.wav"
    copy.write_bytes(voice.read_bytes())
    code, out, _ = run("say", "Hello there.", "--voice", copy, "-o", output)
    assert code == 0
    assert "out\\udcff.wav: " in out
    code, out, _ = run("say", "Hello there.", "--voice", copy, "-o", output, "--json")
    assert json.loads(out)["output"] == str(output)
    code, _, err = run("say", "Hello there.", "--voice", tmp_path / "bea\udcff.npz", "-o", output)
    assert code == 3
    assert "bea\\udcff.npz" in err


def test_nothing_is_said_for_a_folder_that_is_not_there(engine: ToneEngine, voice: Path, tmp_path: Path) -> None:
    for files in (
        ["-o", tmp_path / "no" / "a.ogg"],
        ["-o", tmp_path / "a.ogg", "--save-prompt", tmp_path / "no/a.npz"],
    ):
        code, _, err = run("say", "Hello there.", "--voice", voice, *files)
        assert code == 4
        assert "Check that its folder exists" in err
    assert engine.asked == []
    assert not (tmp_path / "a.ogg").exists()


def test_no_folder_for_temporary_files_is_a_sentence(
    voice: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("cloning.atomic_files.tempfile.gettempdir", nowhere)
    code, _, err = run("say", "Hello there.", "--voice", voice, "-o", tmp_path / "out.wav")
    assert code == 4
    assert "set TMPDIR" in err


def test_a_voice_too_long_for_a_file_is_no_speaker(engine: ToneEngine, tmp_path: Path) -> None:
    code, _, err = run("say", "Hello there.", "--voice", "n" * 300, "-o", tmp_path / "out.wav")
    assert code in (3, 4)
    assert "unexpected" not in err
