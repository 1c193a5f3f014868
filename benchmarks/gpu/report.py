"""Format the results of the parts in Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.rows import OURS

_TIMES_DEFAULT, _TIMES_FASTEST = 8.0, 3.0
"""Required speed of a sentence, relative to transformers' default and to transformers at its fastest."""
_ALONE, _A_MEMBER = 0.15, 0.02
"""Required real-time factors: of a sentence alone, and of each member in the largest crowd."""
_OF_THE_LIMIT = 0.5
"""Required share of the limit by memory bandwidth in the best step of 32 rows."""

Facts = Mapping[str, Any]


def summary(facts: Facts) -> Iterator[str]:
    """Yield the whole report."""
    parts = facts["parts"]
    yield f"### {facts['when']}{', rehearsed' if facts['rehearsed'] else ''}"
    for name, part in parts.items():
        why = f": {part['why'].strip().splitlines()[-1]}" if part.get("why", "").strip() else ""
        yield f"- {name}: {part['state']} after {part['seconds']:.0f} s{why}"
    results = {name: part["results"] for name, part in parts.items()}
    yield from _parity(results.get("parity", {}))
    yield from _graphs(results.get("graphs", {}))
    yield from _speed(results.get("speed", {}))
    yield from _bars(results.get("speed", {}), results.get("graphs", {}))


def _parity(results: Facts) -> Iterator[str]:
    """Yield the number of equal cases, and each case that differs."""
    cases = {name: _cases(facts) for name, facts in results.items()}
    compared = {name: stages for name, stages in cases.items() if stages}
    others = {name: stages for name, stages in compared.items() if any(one["others"] for one in stages)}
    if compared:
        yield f"- parity: the same in {len(compared) - len(others)} of {len(compared)} cases"
    for name, stages in others.items():
        yield f"  - {name}: {sum(one['others'] for one in stages)} of {sum(one['tokens'] for one in stages)} differ"


def _cases(facts: Facts) -> list[Facts]:
    each = facts.get("each", [facts])
    return [one[stage] for one in each for stage in ("semantic", "coarse", "fine") if stage in one]


def _graphs(results: Facts) -> Iterator[str]:
    if not results:
        return
    failed = {name: facts for name, facts in results.items() if not facts["captured"]}
    yield f"- graphs: {len(results) - len(failed)} of {len(results)} forms were captured"
    reasons: dict[str, list[str]] = {}
    for name, facts in failed.items():
        reasons.setdefault(facts["why"].strip().splitlines()[0], []).append(name)
    for why, names in reasons.items():
        yield f"  - {len(names)}, the first {names[0]}: {why}"


def _speed(results: Facts) -> Iterator[str]:
    if not results:
        return
    yield ""
    yield "| | seconds | real-time factor | first audio | semantic/s | coarse/s | peak MB |"
    yield "|---|---|---|---|---|---|---|"
    for name, facts in results.items():
        if "time_s" not in facts:
            yield f"| {name} | {facts['for']} | | | | | |"
            continue
        rates = [
            f"{facts['per_second'].get(stage, 0):.0f} ({facts['of_the_limit'].get(stage, 0):.0%})"
            for stage in ("semantic", "coarse")
        ]
        yield (
            f"| {name} | {facts['time_s']:.2f} | {facts['real_time_factor']:.3f} | {facts['first_audio_s']:.2f} s | "
            f"{rates[0]} | {rates[1]} | {facts['peak_mb']:.0f} |"
        )
    yield ""


def _bars(speed: Facts, graphs: Facts) -> Iterator[str]:
    measured = {name: facts["time_s"] for name, facts in speed.items() if "time_s" in facts}
    for shape in dict.fromkeys(name.partition(":")[0] for name in measured):
        sentences = {
            name.split(": ")[1]: seconds
            for name, seconds in measured.items()
            if name.startswith(f"{shape}: ") and name.endswith(": sentence")
        }
        ours = [seconds for name, seconds in sentences.items() if name.startswith(OURS)]
        theirs = {name: seconds for name, seconds in sentences.items() if not name.startswith(OURS)}
        if ours and "transformers" in theirs:
            yield _bar(f"{shape}: a sentence, against transformers", theirs["transformers"] / min(ours), _TIMES_DEFAULT)
        if ours and theirs:
            fastest = min(theirs, key=lambda name: theirs[name])
            yield _bar(f"{shape}: a sentence, against {fastest}", theirs[fastest] / min(ours), _TIMES_FASTEST)
        yield from _factors(shape, speed)
    steps = [facts["of_the_limit"] for name, facts in graphs.items() if ", 32 rows" in name]
    if steps:
        yield _bar("the best step of 32 rows, of the memory's limit", max(steps), _OF_THE_LIMIT)


def _factors(shape: str, speed: Facts) -> Iterator[str]:
    """Yield Barkeep's real-time factors, alone and with the largest number of members."""
    ours = {name: facts for name, facts in speed.items() if name.startswith(f"{shape}: {OURS}") and "time_s" in facts}
    alone = [facts["real_time_factor"] for name, facts in ours.items() if name.endswith(": sentence")]
    if alone:
        yield f"- {shape}: real-time factor of a sentence alone {min(alone):.3f} (wanted: {_ALONE} at most)"
    crowds = {name: int(name.rpartition(" ")[2]) for name in ours if ": members " in name}
    if crowds:
        most = max(crowds.values())
        factor = min(ours[name]["real_time_factor"] for name, count in crowds.items() if count == most)
        yield f"- {shape}: of each of {most} members at once {factor:.3f} (wanted: {_A_MEMBER} at most)"


def _bar(what: str, reached: float, wanted: float) -> str:
    return f"- {what}: {reached:.2f} (wanted: {wanted:g}, {'met' if reached >= wanted else 'missed'})"
