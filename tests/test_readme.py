"""What the README and the docs tell people to type exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    named = set(re.findall(r"^\s*make ([a-z-]+)|`make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert {one or other for one, other in named} <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} points at {target}"


def test_commands_of_the_design_are_make_targets() -> None:
    assert {"setup", "run", "demo", "test", "lint", "bench"} <= TARGETS


@pytest.mark.parametrize("command", ["clone", "say", "inspect"])
def test_readme_shows_options_the_command_line_has(command: str) -> None:
    shown = re.findall(rf"python -m cloning {command}[^\n]*", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert shown, f"the README does not show `python -m cloning {command}`"
    usage = subprocess.run(
        [sys.executable, "-m", "cloning", command, "--help"],
        cwd=ROOT,
        env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in shown:
        for option in re.findall(r"--[a-z-]+", line):
            assert option in usage
