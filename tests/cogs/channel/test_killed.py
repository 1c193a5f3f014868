"""The process is killed while it says a line: SIGKILL, so that it can tell nobody and store nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.cogs.channel.killed", str(folder), *arguments]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)


def news(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What it reports; log lines aside."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    raise AssertionError(f"it ended with status {process.wait()} and reported nothing")


@pytest.mark.parametrize(
    ("arguments", "before", "after"),
    [
        (["both"], 1, 0),
        (["channel"], 0, 1),  # It was not heard to its end, so it is posted although the server wants no file.
        (["both", "--half"], 0, 1),
        (["channel", "--half"], 0, 1),
    ],
)
def test_a_line_is_posted_once_and_not_said_again(
    tmp_path: Path, arguments: list[str], before: int, after: int
) -> None:
    with start(tmp_path / "data", *arguments) as first:
        try:
            assert news(first)["files"] == before
        finally:
            first.kill()
    with start(tmp_path / "data", arguments[0], "--again") as second:
        assert news(second) == {"channel": True, "files": after, "again": 0, "heard": True}
