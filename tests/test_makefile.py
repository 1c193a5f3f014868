"""The Makefile says what it installs before it does."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def printed(*arguments: str) -> str:
    """What would be run, on a machine on which nothing is installed."""
    command = ["make", "-n", "-B", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_ray_is_installed_only_where_it_is_asked_for() -> None:
    assert "requirements-ray" not in printed("setup")
    assert "-r requirements-ray.txt" in printed("setup", "EXTRAS=ray")


def test_setup_says_what_is_installed_and_how_large_it_is() -> None:
    """`make -n` prints the recipes of a machine on which nothing is installed, and runs none."""
    recipe = printed("setup")
    first, second = (re.search(rf'echo "{step} of 2: (.*)"', recipe) for step in (1, 2))
    assert first is not None
    assert second is not None
    assert re.search(r"torch==[\d.]+ .*[\d.]+ GB", first[1])
    packages = (ROOT / "requirements.txt").read_text("utf-8").count("==")
    assert second[1].startswith(f"{packages} packages")
    assert "GB" in second[1]
    assert recipe.index(first[0]) < recipe.index("pip install") < recipe.index(second[0])
