"""transformers and encodec work with no torchaudio, and with one that cannot be imported."""

import importlib.util
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloning.checkpoints import libraries

ROOT = Path(__file__).parents[3]

USE = """
import logging, sys
logging.basicConfig(format="%(levelname)s %(message)s")
from cloning.checkpoints.libraries import encodec, transformers
transformers.BarkModel, transformers.HubertModel
encodec.EncodecModel
print(transformers.utils.is_torchaudio_available(), sys.modules["torchaudio"])
"""

BROKEN = 'from . import _extension\nraise OSError("Could not load this library: _torchaudio.abi3.so")\n'


def package(directory: Path, name: str, code: str) -> None:
    (directory / name).mkdir()
    (directory / name / "__init__.py").write_text(code)
    (directory / name / "_extension.py").write_text("")


def test_all_of_transformers_and_encodec_works_beside_a_broken_torchaudio(tmp_path: Path) -> None:
    package(tmp_path, "torchaudio", BROKEN)
    paths = "".join(f"import sys; sys.path.insert(0, {str(path)!r})\n" for path in (ROOT, tmp_path))

    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", paths + USE], capture_output=True, text=True, timeout=100, check=False
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["False", "None"]
    assert result.stderr.count("torchaudio does not fit") == 1


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An import path on which torchaudio and an encodec that needs it can be put, neither imported yet."""
    before = {name: sys.modules.pop(name) for name in names()}
    monkeypatch.syspath_prepend(tmp_path)
    package(tmp_path, "encodec", "import torchaudio\nseen = torchaudio\n")
    yield tmp_path
    for name in names():
        del sys.modules[name]
    sys.modules.update(before)


def names() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] in {"torchaudio", "encodec"}]


def test_without_torchaudio_a_stand_in_serves_the_import_only(fresh: Path) -> None:
    libraries._hide_broken_torchaudio()
    encodec = libraries._import_encodec()

    assert vars(encodec)["seen"].__name__ == "torchaudio"
    assert "torchaudio" not in sys.modules


def test_a_broken_torchaudio_looks_absent_and_leaves_no_parts(fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    package(fresh, "torchaudio", BROKEN)

    with caplog.at_level(logging.WARNING):
        libraries._hide_broken_torchaudio()
        libraries._hide_broken_torchaudio()
        libraries._import_encodec()

    assert importlib.util.find_spec("torchaudio") is None
    assert [name for name in sys.modules if name.startswith("torchaudio")] == ["torchaudio"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_working_torchaudio_is_used(fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    package(fresh, "torchaudio", "works = True\n")

    libraries._hide_broken_torchaudio()
    encodec = libraries._import_encodec()

    assert vars(encodec)["seen"].works
    assert not caplog.records
