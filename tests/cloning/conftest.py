"""What the tests of the command line share."""

from pathlib import Path

import pytest

from cloning import cli
from tests.cloning.tones import ToneEngine, a_voice, pipeline


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> ToneEngine:
    made = ToneEngine()
    monkeypatch.setattr(cli, "_pipeline", lambda *_, **__: pipeline(made))
    return made


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    path = tmp_path / "anna.npz"
    a_voice().save(path)
    return path
