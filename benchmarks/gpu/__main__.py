"""Run all GPU measurements in one call of under eight minutes.

    python -m benchmarks.gpu --out FOLDER [--parts parity,graphs,...] [--minutes 7.5] [--rehearse]

Parts run one after the other in a child process. If a part fails or exceeds its time, its process is ended and a new
one runs the remaining parts. FOLDER/results.json is written after every result, so an aborted call keeps its results;
FOLDER/log.txt has the output of libraries. `--rehearse` runs everything on the CPU with tiny models. benchmarks/GPU.md
describes the parts and the requirements.
"""

import argparse
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.gpu import report

PARTS = {"machine": 40, "parity": 110, "graphs": 45, "speech": 45, "profiling": 30, "speed": 400}
"""Maximum seconds of each part, in order; the last one gets the remaining time."""
_MINUTES = 7.5
_GRACE = 15.0
"""Seconds by which a part may exceed its time before its process is ended."""
_START = 120.0
"""Seconds in which a process must begin its next part; the first time, it imports torch and initialises the device."""
_LOG_CHARACTERS = 4_000
"""The number of characters at the end of the log that are reported for a process that died."""

Start = Callable[[list[str]], "subprocess.Popen[str]"]


def main(arguments: Sequence[str]) -> int:
    """Run, print a summary, and return 0 if every part was completed."""
    options = _options(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    session = Session(options, lambda wanted: in_a_process(wanted, options.out / "log.txt"))
    session.run()
    print("\n".join(report.summary(session.facts)))
    return 0 if session.complete else 1


class Session:
    """One call: runs the parts and holds their results. start: starts a child process with these arguments."""

    def __init__(self, options: argparse.Namespace, start: Start) -> None:
        self._options = options
        self._start = start
        self._ends = monotonic() + 60 * options.minutes
        self._parts: dict[str, dict[str, Any]] = {
            name: {"state": "not begun", "seconds": 0.0, "results": {}} for name in options.parts.split(",")
        }
        self.facts: dict[str, Any] = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "rehearsed": options.rehearse,
            "parts": self._parts,
        }

    @property
    def complete(self) -> bool:
        """Whether every part was completed."""
        return all(part["state"] == "done" for part in self._parts.values())

    def run(self) -> None:
        """Run child processes one after the other, until no part is left or the time is over."""
        self._write()
        while (waiting := self._waiting()) and monotonic() < self._ends:
            self._follow(self._start(self._command(waiting)))
            if self._waiting() == waiting:  # it began no part, and the next process would not either
                break

    def _waiting(self) -> list[str]:
        return [name for name, part in self._parts.items() if part["state"] == "not begun"]

    def _command(self, parts: list[str]) -> list[str]:
        command = [f"--out={self._options.out}", f"--seconds={self._ends - monotonic():.0f}"]
        command += ["--rehearse"] if self._options.rehearse else []
        return [*command, *(f"{name}={PARTS[name]}" for name in parts)]

    def _follow(self, child: "subprocess.Popen[str]") -> None:
        """Read the child's output until it ends; kill it when its time is over."""
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_read, args=(child, lines), daemon=True).start()
        current, deadline = "", monotonic() + _START
        while True:
            try:
                line = lines.get(timeout=max(0.0, min(deadline, self._ends + _GRACE) - monotonic()))
            except queue.Empty:
                child.kill()
                child.wait()
                self._leave(current, "cut off", "its time was over")
                return
            if line is None:
                break
            current, deadline = self._take(line, current, deadline)
        child.wait()
        self._leave(current, "died", f"exit status {child.returncode}: {self._end_of_log()}")

    def _take(self, line: str, current: str, deadline: float) -> tuple[str, float]:
        """Handle one line of the child; return the current part and its deadline."""
        try:
            event = json.loads(line)
            name, kind = event["part"], event["event"]
        except (ValueError, TypeError, KeyError):  # the output of a library
            return current, deadline
        part = self._parts[name]
        if kind == "began":
            part |= {"state": "begun", "began": monotonic()}
            current, deadline = name, monotonic() + PARTS[name] + _GRACE
        elif kind == "result":
            part["results"][event["name"]] = event["facts"]
        else:
            self._leave(name, *(("done", "") if kind == "ended" else ("failed", event["why"])))
            current, deadline = "", monotonic() + _START
        self._write()
        return current, deadline

    def _leave(self, name: str, state: str, why: str) -> None:
        """Record the end of a part; the name is empty if the child ended between two parts or before the first."""
        if name:
            part = self._parts[name]
            part |= {"state": state, "seconds": round(monotonic() - part.pop("began"), 1)}
            part |= {"why": why} if why else {}
            print(f"{name}: {state}, {part['seconds']:.0f} s, {len(part['results'])} results", flush=True)
        elif self._waiting() and state == "died":
            self.facts["died_without_a_part"] = why
        self._write()

    def _end_of_log(self) -> str:
        log = self._options.out / "log.txt"
        return log.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:] if log.exists() else ""

    def _write(self) -> None:
        """Write the results atomically."""
        path = self._options.out / "results.json"
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(self.facts, indent=1), encoding="utf-8")
        unfinished.replace(path)


def in_a_process(arguments: list[str], log: Path) -> "subprocess.Popen[str]":
    """Start `benchmarks.gpu.child` with these arguments."""
    command = [sys.executable, "-m", "benchmarks.gpu.child", *arguments]
    with log.open("a", encoding="utf-8") as errors:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)


def _read(child: "subprocess.Popen[str]", lines: "queue.Queue[str | None]") -> None:
    for line in child.stdout or ():
        lines.put(line)
    lines.put(None)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--minutes", type=float, default=_MINUTES)
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, with tiny models")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.parts.split(",") if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]}; choose among {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
