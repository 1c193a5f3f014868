"""The benchmark of a large server, on a small one."""

import pytest

from benchmarks import library


async def test_every_row_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["library", "--audit", "40", "--voices", "30", "--jobs", "20"])
    await library.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| what | ms | loop blocked, ms | memory, MB |"
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == [
        "audit page 1 of 4",
        "audit page 2 of 4",
        "audit page 4 of 4",
        "a key typed: ''",
        "a key typed: 'wa'",
        "a key typed: 'voice 4321'",
        "a key typed: 'qiet voice 77'",
        "purge of 20 jobs",
    ]
