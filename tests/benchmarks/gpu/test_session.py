"""The process around the parts: what it keeps of children that hang, die or fail, and what it says in the end."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import report
from benchmarks.gpu.__main__ import PARTS, Session

BEGIN = """
import json, sys, time
def say(part, event, **more):
    print(json.dumps({"part": part, "event": event, **more}), flush=True)
parts = [given.partition("=")[0] for given in sys.argv[1:] if not given.startswith("-")]
print("a library says something")
for part in parts:
    say(part, "began")
    say(part, "result", name="a", facts={"number": 1})
"""


def child(then: str) -> Callable[[list[str]], "subprocess.Popen[str]"]:
    """A program that begins each part, and does `then`."""
    program = BEGIN + "".join(f"    {line}\n" for line in then.splitlines())

    def start(arguments: list[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)

    return start


def session(out: Path, then: str, *more: str) -> dict[str, Any]:
    options = gpu._options([f"--out={out}", "--parts=machine,parity,speed", *more])
    made = Session(options, child(then))
    made.run()
    written: dict[str, Any] = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(made.facts))
    assert made.complete == all(part["state"] == "done" for part in written["parts"].values())
    return written["parts"]  # type: ignore[no-any-return]  # what JSON holds


def states(parts: dict[str, Any]) -> list[str]:
    return [part["state"] for part in parts.values()]


def test_parts_that_end(tmp_path: Path) -> None:
    parts = session(tmp_path, 'say(part, "ended")')
    assert states(parts) == ["done"] * 3
    assert all(part["results"] == {"a": {"number": 1}} for part in parts.values())


def test_a_part_that_hangs_is_cut_off_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_GRACE", 0.0)
    monkeypatch.setitem(PARTS, "parity", 1)
    parts = session(tmp_path, 'time.sleep(60 if part == "parity" else 0)\nsay(part, "ended")')
    assert states(parts) == ["done", "cut off", "done"]
    assert parts["parity"]["results"] == {"a": {"number": 1}}


def test_a_process_that_dies_is_replaced(tmp_path: Path) -> None:
    parts = session(tmp_path, 'if part == "machine": sys.exit(9)\nsay(part, "ended")')
    assert states(parts) == ["died", "done", "done"]
    assert "exit status 9" in parts["machine"]["why"]


def test_a_part_that_fails_is_named(tmp_path: Path) -> None:
    parts = session(tmp_path, 'say(part, "failed", why="RuntimeError: CUDA error")\nsys.exit(1)')
    assert states(parts) == ["failed"] * 3
    assert "CUDA error" in parts["speed"]["why"]


def test_a_process_that_does_not_begin_is_not_started_again(tmp_path: Path) -> None:
    started = []

    def start(arguments: list[str]) -> "subprocess.Popen[str]":
        started.append(arguments)
        (tmp_path / "log.txt").write_text("ModuleNotFoundError: No module named 'encodec'", encoding="utf-8")
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"], stdout=subprocess.PIPE, text=True)

    made = Session(gpu._options([f"--out={tmp_path}"]), start)
    made.run()
    assert len(started) == 1
    assert "encodec" in made.facts["died_without_a_part"]
    assert not made.complete


def test_the_time_for_all_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_GRACE", 0.0)
    parts = session(tmp_path, 'time.sleep(60 if part == "parity" else 0)\nsay(part, "ended")', "--minutes=0.05")
    assert states(parts)[1:] == ["cut off", "not begun"]


def test_an_unknown_part_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu._options([f"--out={tmp_path}", "--parts=machine,nothing"])
    assert "there is no part nothing" in capsys.readouterr().err


def spoken(seconds: float, factor: float) -> dict[str, Any]:
    return {
        "time_s": seconds,
        "real_time_factor": factor,
        "first_audio_s": seconds,
        "per_second": {"semantic": 100.0},
        "of_the_limit": {"semantic": 0.5},
        "peak_mb": 5.0,
    }


def test_the_summary_holds_what_was_measured_against_what_was_wanted() -> None:
    results = {
        "parity": {
            "small: no voice": {"semantic": {"tokens": 9, "others": 0}},
            "small: drawn": {"each": [{"semantic": {"tokens": 9, "others": 2}}], "same": False},
            "codec": {"loudest": 1.0},
        },
        "graphs": {
            "semantic float16, 32 rows of 250": {"captured": True, "of_the_limit": 0.6},
            "coarse float16, 1 rows of 250": {"captured": False, "why": "not permitted\nmore", "of_the_limit": 0.1},
        },
        "speed": {
            "small: barkeep-float16: sentence": spoken(1.0, 0.2),
            "small: barkeep-float16: members 32": spoken(3.0, 0.019),
            "small: transformers: sentence": spoken(10.0, 2.0),
            "small: transformers-float16: sentence": spoken(2.0, 0.4),
            "small: transformers-compiled: left out": {"for": "not enough time"},
        },
    }
    parts = {name: {"state": "done", "seconds": 5.0, "results": found} for name, found in results.items()}
    parts["speech"] = {"state": "failed", "seconds": 1.0, "results": {}, "why": "Traceback\nRuntimeError: no\n"}
    said = "\n".join(report.summary({"when": "today", "rehearsed": False, "parts": parts}))
    for line in (
        "- speech: failed after 1 s: RuntimeError: no",
        "- parity: the same in 1 of 2 cases\n  - small: drawn: 2 of 9 differ",
        "- graphs: 1 of 2 forms were captured\n  - 1, the first coarse float16, 1 rows of 250: not permitted\n",
        "| small: barkeep-float16: sentence | 1.00 | 0.200 | 1.00 s | 100 (50%) | 0 (0%) | 5 |",
        "| small: transformers-compiled: left out | not enough time |",
        "a sentence, against transformers: 10.00 (wanted: 8, met)",
        "a sentence, against transformers-float16: 2.00 (wanted: 3, missed)",
        "of a sentence alone 0.200 (wanted: 0.15 at most)",
        "of each of 32 members at once 0.019 (wanted: 0.02 at most)",
        "the best step of 32 rows, of the memory's limit: 0.60 (wanted: 0.5, met)",
    ):
        assert line in said, said
