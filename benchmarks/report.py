"""Format the measurements as tables in Markdown, and compare them with the goals. Does not import torch."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import work
from benchmarks.rows import CLONE_STAGES, CONTENDERS, OURS, ROWS, STAGES, BenchmarkRow
from benchmarks.work import MachineLimits

Measured = Mapping[str, Any]
"""The output of `benchmarks.measure` for one contender in one row, or the medians of several outputs."""
_PRECISIONS = ("float32", "bfloat16", "float16", "int8")

WANTED = {
    "int8": {"sentence": 4.0, "paragraph": 6.0, "members": 6.0},
    "float16": {"sentence": 2.5, "paragraph": 3.5, "members": 6.0},
    "float32": {"sentence": 2.5, "paragraph": 3.5, "members": 4.0},
    "cuda": {"sentence": 8.0},
}
"""The required speed of Barkeep's default relative to transformers' default, by row; on a CPU also by precision."""
WANTED_OF_FASTEST = 1.5
"""The required speed relative to the fastest peer at the same precision."""
WANTED_OF_LIMIT = 0.6
"""The required share of the machine's limit in the semantic stage of `sentence`, which only decodes."""
WANTED_WHEN_BUSY = 2.5
"""The maximum time of a sentence beside two other programs, relative to its time alone."""


@dataclass(frozen=True)
class Task:
    """The task and the machine of a run."""

    semantic: int
    """Semantic tokens of a line."""
    size: Mapping[str, int]
    machine: MachineLimits
    of_decoding: float
    of_cloning: Mapping[str, float]
    device: str
    auto: str
    """The precision that Barkeep chooses on this machine."""

    def precision(self, contender: str) -> str:
        """Return the precision of a contender on this machine."""
        dtype = CONTENDERS[contender].dtype
        return self.auto if dtype == "auto" else dtype

    def ours(self, precision: str, results: Mapping[str, Measured]) -> str:
        """Return the name of Barkeep's contender at a precision.

        On a CPU, float16 is compared with Barkeep's bfloat16, unless float16 is the default.
        """
        if precision == "float16" and self.device == "cpu" and self.auto != "float16":
            precision = "bfloat16"
        named = f"{OURS}-{precision}"
        return OURS if precision == self.auto and named not in results else named

    def limits(self, row: BenchmarkRow, contender: str) -> dict[str, float]:
        """Return the machine's limit, in seconds, of each stage of a row for a contender."""
        if not row.lines:
            return work.least_clone_seconds(self.machine, self.of_cloning)
        known = CONTENDERS[contender]
        at, windows = replace(known, dtype=self.precision(contender)), known.windows(self.device)
        return work.least_seconds(row, at, windows, self.semantic, self.size, self.machine, self.of_decoding)


def medians(runs: Sequence[Measured]) -> dict[str, Any]:
    """Return the medians of every number and every stage, and the maximum of the memory."""
    middle: dict[str, Any] = {
        key: statistics.median(run[key] for run in runs)
        for key, value in runs[0].items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    middle["peak_mb"] = max(run["peak_mb"] for run in runs)
    middle["stages_s"] = {
        stage: statistics.median(run["stages_s"].get(stage, 0.0) for run in runs) for stage in runs[0]["stages_s"]
    }
    middle["runs"] = len(runs)
    middle["real_time_factor"] = middle["time_s"] / middle["audio_s"]
    return middle


def table(row: BenchmarkRow, results: Mapping[str, Measured], task: Task) -> Iterator[str]:
    """Yield the table of one row. `results` are medians by contender."""
    stages = STAGES if row.lines else CLONE_STAGES
    columns = ["", "runs", "seconds", "of the processor", "real-time factor", "first audio", "memory"]
    yield f"#### {row.title} (`{row.name}`)"
    yield ""
    yield _cells([*columns, *(f"{stage}/s" for stage in stages)])
    yield "|---" * (len(columns) + len(stages)) + "|"
    units = work.units(row, task.semantic)
    for name, facts in results.items():
        limits = task.limits(row, name)
        speeds = [_speed(units[stage], facts["stages_s"].get(stage, 0.0), limits[stage]) for stage in stages]
        yield _cells([name, *_costs(facts, row), *speeds])
    yield ""


def _costs(facts: Measured, row: BenchmarkRow) -> list[str]:
    lines = facts.get("measured_lines", row.lines)
    spoken = f" ({lines:g} of {row.lines} lines)" if lines < row.lines else ""
    on_device = f", {facts['device_mb']:.0f} on the device" if "device_mb" in facts else ""
    return [
        str(facts["runs"]),
        f"{facts['time_s']:.1f}{spoken}",
        f"{facts['processor_s']:.1f}",
        f"{facts['real_time_factor']:.2f}",
        f"{facts['first_audio_s']:.1f} s" if "first_audio_s" in facts else "",
        f"{facts['peak_mb']:.0f} MB{on_device}",
    ]


def ratios(row: BenchmarkRow, results: Mapping[str, Measured], task: Task) -> Iterator[str]:
    """Yield a table: each peer's time relative to Barkeep's default, and to Barkeep's at the peer's precision."""
    stages = STAGES if row.lines else CLONE_STAGES
    peers = {name: facts for name, facts in results.items() if not CONTENDERS[name].ours}
    if not peers or OURS not in results:
        return
    yield f"| times as long as | {OURS} | {' | '.join(stages)} | ours at its precision | {' | '.join(stages)} |"
    yield "|---" * (3 + 2 * len(stages)) + "|"
    for name, facts in peers.items():
        ours = task.ours(CONTENDERS[name].dtype, results)
        cells = [*_times(facts, results[OURS], stages), *_times(facts, results.get(ours), stages)]
        cells[1 + len(stages)] += f" {ours}" if ours in results else ""
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def bars(results: Mapping[str, Mapping[str, Measured]], task: Task) -> Iterator[str]:
    """Yield the measured speeds beside the required ones. `results` are medians by row and contender."""
    for row, wanted in WANTED.get(task.device if task.device != "cpu" else task.auto, {}).items():
        if row not in results:
            continue
        ratio = _ratio(results[row], "transformers", OURS)
        yield _bar(f"{row}: {OURS} against transformers by default", ratio, wanted)
    for dtype in _PRECISIONS:
        for row, measured in ((name, results[name]) for name in ROWS if name in results):
            ours = task.ours(dtype, measured)
            peers = [name for name in measured if CONTENDERS[name].dtype == dtype and not CONTENDERS[name].ours]
            if ours in measured and peers:
                fastest = min(peers, key=lambda name: measured[name]["real_time_factor"])
                yield _bar(
                    f"{row}: {ours} in {dtype} against {fastest}, the fastest",
                    _ratio(measured, fastest, ours),
                    WANTED_OF_FASTEST,
                )
    if OURS in results.get("busy", {}) and OURS in results.get("sentence", {}):
        longer = results["busy"][OURS]["time_s"] / results["sentence"][OURS]["time_s"]
        verdict = "met" if longer <= WANTED_WHEN_BUSY else "missed"
        yield f"- busy: {longer:.2f} times as long as alone (wanted: at most {WANTED_WHEN_BUSY}, {verdict})"
    for name, facts in results.get("sentence", {}).items():
        if CONTENDERS[name].ours:
            reached = task.limits(ROWS["sentence"], name)["semantic"] / facts["stages_s"]["semantic"]
            what = f"sentence: how much of the limit {name} in {task.precision(name)} reaches in decoding"
            yield _bar(what, reached, WANTED_OF_LIMIT)


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _speed(units: int, seconds: float, limit: float) -> str:
    return f"{units / seconds:.1f} ({limit / seconds:.0%})" if seconds else "-"


def _times(peer: Measured, ours: Measured | None, stages: Sequence[str]) -> list[str]:
    if ours is None:
        return ["-"] * (1 + len(stages))
    whole = f"**{peer['real_time_factor'] / ours['real_time_factor']:.2f}**"
    pairs = [(peer["stages_s"].get(stage, 0.0), ours["stages_s"].get(stage, 0.0)) for stage in stages]
    return [whole, *(f"{theirs / own:.2f}" if own and theirs else "-" for theirs, own in pairs)]


def _ratio(row: Mapping[str, Measured], peer: str, ours: str) -> float | None:
    if peer not in row or ours not in row:
        return None
    ratio: float = row[peer]["real_time_factor"] / row[ours]["real_time_factor"]
    return ratio


def _bar(what: str, reached: float | None, wanted: float) -> str:
    if reached is None:
        return f"- {what}: not measured (wanted: {wanted})"
    return f"- {what}: {reached:.2f} (wanted: {wanted}, {'met' if reached >= wanted else 'missed'})"
