"""`python -m training` runs the commands of research too, and says what to do about an error."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_an_error_is_one_sentence(tmp_path: Path) -> None:
    done = run("training", "quantizer", "--data", str(tmp_path), "--device", "cpu")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "There are no clips" in done.stderr


def test_commands_that_are_research_are_understood() -> None:
    """Where research's packages are missing, the answer is what installs them."""
    done = run("training", "evaluate", "--help")
    assert "python -m research evaluate" in done.stdout or "make research" in done.stderr
