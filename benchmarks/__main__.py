"""`make bench`: compare Barkeep's engine with its peers on the same random weights, each measurement in a new process.

    python -m benchmarks [--shape small] [--rows sentence,...] [--contenders a,b,...] [--runs 3] [--minutes 45]
                         [--seconds 5] [--peer-lines 2] [--threads N] [--device auto] [--suno CLONE]
                         [--bark-cpp LIBRARY]

In every run the contenders take turns row by row, since the speed of a machine drifts; the median of the runs counts.
The first run is always complete; in later runs, a row starts only if it should end within `--minutes` of the start.
Peers without batching speak only `--peer-lines` lines of a row of eight, and their time is scaled to eight. One voice
or eight make no difference to them, so their time for `paragraph` also counts for `members`.
`python -m benchmarks.peers` downloads the code of peers that are not Python packages; peers without their code are left
out.

Prints tables in Markdown; the last line has all measurements in JSON.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks import peers, report
from benchmarks.measure import add_options, semantic_tokens
from benchmarks.rows import CONTENDERS, OURS, ROWS, SHAPES, BenchmarkRow, Contender
from benchmarks.work import MachineLimits

Measure = Callable[[list[str]], dict[str, Any]]

_AT_MOST_MINUTES = 30
"""Longer measurements are aborted and reported as not measured."""


def main() -> None:
    """Measure all contenders and print the results."""
    bench = BenchmarkRun(read_options(sys.argv[1:]), in_a_process)
    bench.run()
    print("\n".join(bench.summary()))
    print(json.dumps(bench.facts()))


class BenchmarkRun:
    """One call of `python -m benchmarks`. measure: runs `benchmarks.measure` with arguments and returns its result."""

    def __init__(self, options: argparse.Namespace, measure: Measure) -> None:
        self._options = options
        self._measure_by = measure
        self._started = monotonic()
        self._suno, self._bark_cpp = peers.suno(options.suno), peers.bark_cpp(options.bark_cpp)
        self._measured: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self._failed: list[str] = []
        self._machine: dict[str, Any] = {}
        self._loads: list[float] = []

    def run(self) -> None:
        """Run as many measurements as fit the time."""
        self._leave_out()
        _tell(f"checkpoint: {self._child('prepare')['folder']}")
        for number in range(self._options.runs):
            self._measure_machine()
            for row in _chosen(self._options.rows, ROWS):
                if number == 0 or self._fits(row):
                    self._measure(row, number)
                else:
                    _tell(f"run {number + 1}: no time is left for {row.name}")

    def summary(self) -> Iterable[str]:
        """Yield tables and goals in Markdown."""
        machine = self._machine
        rates = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {name}" for name, rate in machine["rate"].items())
        yield ""
        today = datetime.now(UTC)
        yield f"### {today.day} {today:%B %Y}: {self._options.shape}, {machine['processor']}, {machine['device']}"
        yield ""
        yield (
            f"{self._options.seconds:g} s a line, {machine['threads']} threads, torch {machine['torch']}, "
            f"load of the machine {min(self._loads):.1f} to {max(self._loads):.1f}, "
            f"{(monotonic() - self._started) / 60:.0f} minutes. Limits: {machine['bandwidth'] / 1e9:.1f} GB/s, {rates}."
        )
        yield ""
        task, results = self._task(), self._medians()
        for row, medians in results.items():
            yield from report.table(ROWS[row], medians, task)
            yield from report.ratios(ROWS[row], medians, task)
        yield from report.bars(results, task)
        yield from (f"- not measured: {failure}" for failure in self._failed)

    def facts(self) -> dict[str, Any]:
        """Return all results for JSON."""
        kept = ("shape", "seconds", "peer_lines", "runs")
        return {
            **{name: getattr(self._options, name) for name in kept},
            **self._machine,
            "loads": self._loads,
            "medians": self._medians(),
            "measured": self._measured,
            "failed": self._failed,
        }

    def _leave_out(self) -> None:
        """Report the peers that are not installed."""
        for family, found in (("suno", self._suno), ("bark.cpp", self._bark_cpp)):
            if not found and any(one.family == family for one in _chosen(self._options.contenders, CONTENDERS)):
                self._failed.append(f"{family}: its code is missing; `python -m benchmarks.peers` downloads it")
                _tell(self._failed[-1])

    def _measure_machine(self) -> None:
        """Measure the machine's limits; the best of all runs counts, since other programs only slow it down."""
        self._loads.append(os.getloadavg()[0])
        found, before = self._child("limits"), self._machine or {"bandwidth": 0.0, "rate": {}}
        self._machine = {
            **found,
            "bandwidth": max(found["bandwidth"], before["bandwidth"]),
            "rate": {name: max(rate, before["rate"].get(name, 0.0)) for name, rate in found["rate"].items()},
        }

    def _measure(self, row: BenchmarkRow, number: int) -> None:
        for contender in self._present(row):
            self._loads.append(os.getloadavg()[0])
            runs = self._measured.setdefault(row.name, {}).setdefault(contender.name, [])
            try:
                runs.append(self._known(row, contender, number) or self._child(contender.name, row.name))
            except subprocess.CalledProcessError as error:
                self._fail(
                    row, contender, (error.stderr or "").strip().splitlines()[-1:] or ["it ended without a message"]
                )
            except subprocess.TimeoutExpired:
                self._fail(row, contender, [f"it took more than {_AT_MOST_MINUTES} minutes"])
            else:
                _tell(_line(row, contender, runs[-1], number))

    def _known(self, row: BenchmarkRow, contender: Contender, number: int) -> dict[str, Any] | None:
        """For the row `members`, return a contender's result of `paragraph` in this run if it has no batching."""
        before = self._measured.get("paragraph", {}).get(contender.name, [])
        if row.name != "members" or len(before) <= number or before[number]["together"]:
            return None
        return {**before[number], "measured_in": "paragraph"}

    def _fail(self, row: BenchmarkRow, contender: Contender, reason: list[str]) -> None:
        self._failed.append(f"{contender.name} in {row.name}: {reason[0]}")
        _tell(self._failed[-1])

    def _present(self, row: BenchmarkRow) -> list[Contender]:
        """Return the contenders of a row that are installed and have not failed in it."""
        found = {"suno": self._suno, "bark.cpp": self._bark_cpp}
        return [
            contender
            for contender in _chosen(self._options.contenders, CONTENDERS)
            if row.name in contender.rows
            and (not contender.cuda or self._machine["device"] == "cuda")
            and contender.name != f"{OURS}-{self._machine['auto']}"  # the same as the default contender
            and found.get(contender.family, True)
            and not any(failure.startswith(f"{contender.name} in {row.name}:") for failure in self._failed)
        ]

    def _fits(self, row: BenchmarkRow) -> bool:
        """Return whether another run of a row would end in time if it takes as long as the last one."""
        last = [runs[-1] for runs in self._measured.get(row.name, {}).values() if runs]
        ahead: float = sum(
            run["time_s"] * run.get("measured_lines", 1) / max(1, row.lines) + run["load_s"]
            for run in last
            if "measured_in" not in run
        )
        limit: float = 60 * self._options.minutes
        return monotonic() - self._started + ahead <= limit

    def _medians(self) -> dict[str, dict[str, dict[str, Any]]]:
        return {
            row: {name: report.medians(runs) for name, runs in of_row.items() if runs}
            for row, of_row in self._measured.items()
        }

    def _task(self) -> report.Task:
        machine = self._machine
        return report.Task(
            semantic_tokens(self._options.seconds),
            SHAPES[self._options.shape],
            MachineLimits(machine["bandwidth"], machine["rate"]),
            machine["of_decoding"],
            machine["of_cloning"],
            machine["device"],
            machine["auto"],
        )

    def _child(self, contender: str, row: str = "") -> dict[str, Any]:
        """Run `benchmarks.measure` for a contender and return its result."""
        names = ("shape", "seconds", "peer_lines", "threads", "device", "directory")
        arguments = [f"--contender={contender}", f"--row={row}"]
        arguments += [f"--{name.replace('_', '-')}={getattr(self._options, name)}" for name in names]
        arguments += [f"--suno={self._suno}"] if self._suno else []
        arguments += [f"--bark-cpp={self._bark_cpp}"] if self._bark_cpp else []
        return self._measure_by(arguments)


def in_a_process(arguments: list[str]) -> dict[str, Any]:
    """Run `benchmarks.measure` with these arguments and return the result that it prints as its last line."""
    command = [sys.executable, "-m", "benchmarks.measure", *arguments]
    child = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60 * _AT_MOST_MINUTES)
    result: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return result


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_options(parser)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=45.0)
    parser.add_argument("--suno", type=Path, help="a clone of suno-ai/bark")
    parser.add_argument("--bark-cpp", type=Path, help="bark.cpp's library")
    options = parser.parse_args(arguments)
    for given, known in ((options.rows, ROWS), (options.contenders, CONTENDERS)):
        if unknown := [name for name in given.split(",") if name not in known]:
            parser.error(f"there is no {unknown[0]}; choose among {', '.join(known)}")
    return options


def _chosen(names: str, known: dict[str, Any]) -> list[Any]:
    return [known[name] for name in names.split(",")]


def _line(row: BenchmarkRow, contender: Contender, facts: dict[str, Any], number: int) -> str:
    stages = "  ".join(f"{stage} {seconds:.1f}" for stage, seconds in facts["stages_s"].items())
    return (
        f"run {number + 1}  {row.name:10} {contender.name:28} {facts['time_s']:8.1f} s for {facts['audio_s']:5.1f} s"
        f"  {facts['peak_mb']:6.0f} MB  {stages}"
    )


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
