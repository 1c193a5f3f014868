"""`make bench`: this engine beside its peers, on the same random weights, each in a process of its own.

    python -m benchmarks [--shape small] [--rows sentence,paragraph,members] [--contenders a,b,...] [--seconds 5]
                         [--runs 3] [--peer-lines 8] [--suno CLONE_OF_SUNO_AI_BARK] [--threads N]

Prints a table, and at last one line of JSON. Peers that cannot batch speak `--peer-lines` lines of a row, and the rest
is counted as as long as those. On a machine that is not idle, compare processor time at --threads 1.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from cloning.processor import share_with_others

ROWS = {"sentence": (1, 1), "paragraph": (8, 1), "members": (8, 8)}
"""Name -> how many lines, in how many voices."""
CONTENDERS = (
    "barkeep",
    "barkeep-fast",
    "barkeep-bfloat16",
    "barkeep-bfloat16-fast",
    "transformers",
    "transformers-bfloat16",
    "transformers-batch",
    "transformers-bfloat16-batch",
    "suno",
)
_OURS = "barkeep"


def main() -> None:
    """Measure everybody and print what came of it."""
    arguments = _arguments()
    share_with_others()
    if arguments.contender:
        print(json.dumps(_measure(arguments)))
        return
    facts = json.loads(_child(arguments, "limits"))
    print(f"{facts['processor']}, {facts['threads']} threads, torch {facts['torch']}, load {os.getloadavg()[0]:.1f}")
    rates = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {name}" for name, rate in facts["rate"].items())
    print(f"limits: {facts['bandwidth'] / 1e9:.1f} GB/s, {rates}")
    results: dict[str, dict[str, Any]] = {}
    for name in arguments.contenders.split(","):
        if name == "suno" and not arguments.suno:
            continue
        results[name] = json.loads(_child(arguments, name))
        _show(name, results)
    print(json.dumps({"shape": arguments.shape, "seconds": arguments.seconds, **facts, "results": results}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", default="small", choices=("small", "large", "tiny"))
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer-lines", type=int, default=8)
    parser.add_argument("--suno", type=Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    return parser.parse_args()


def _child(arguments: argparse.Namespace, name: str) -> str:
    """What the same program says for one contender: the last line."""
    command = [sys.executable, "-m", "benchmarks", *sys.argv[1:], "--contender", name]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return child.stdout.splitlines()[-1]


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    import torch

    from benchmarks import limits

    torch.set_num_threads(arguments.threads)
    if arguments.contender == "limits":
        measured = limits.measure()
        return {
            "processor": platform.processor() or platform.machine(),
            "threads": arguments.threads,
            "torch": torch.__version__,
            "bandwidth": measured.bandwidth,
            "rate": measured.rate,
        }
    speaker = _contender(arguments)
    rows = {row: _row(arguments, speaker, *ROWS[row]) for row in arguments.rows.split(",")}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"rows": rows, "peak_mb": round(peak / 1024), "load": os.getloadavg()[0]}


def _contender(arguments: argparse.Namespace) -> Any:
    import torch

    from benchmarks import checkpoints, contenders

    model = checkpoints.random_bark(arguments.shape)
    kind, _, rest = arguments.contender.partition("-")
    dtype = torch.bfloat16 if "bfloat16" in rest else torch.float32
    if kind == _OURS:
        return contenders.Barkeep(model, dtype, fast="fast" in rest)
    if kind == "suno":
        return contenders.Suno(model, arguments.suno)
    return contenders.Transformers(model, dtype, batched="batch" in rest)


def _row(arguments: argparse.Namespace, speaker: Any, lines: int, voices: int) -> dict[str, Any]:
    """Medians of the runs of one row."""
    from benchmarks import checkpoints
    from benchmarks.contenders import SPEC, Line

    spoken_by = [checkpoints.voice(SPEC, seed) for seed in range(voices)]
    tokens = SPEC.semantic_tokens(arguments.seconds)
    wanted = [Line(spoken_by[number % voices], tokens, seed=number) for number in range(lines)]
    together = arguments.contender.startswith(_OURS) or ("batch" in arguments.contender and voices == 1)
    counted = wanted if together else wanted[: arguments.peer_lines]
    times, busy, firsts, stages = [], [], [], []
    for _ in range(arguments.runs):
        began, worked = perf_counter(), process_time()
        told = speaker.speak(counted)
        times.append((perf_counter() - began) * lines / len(counted))
        busy.append((process_time() - worked) * lines / len(counted))
        firsts.append(told.first)
        stages.append(told.stages)
    audio = sum(samples.size for samples in told.samples) / SPEC.sample_rate * lines / len(counted)
    return {
        "audio_s": round(audio, 2),
        "time_s": round(statistics.median(times), 2),
        "processor_s": round(statistics.median(busy), 2),
        "first_audio_s": round(statistics.median(firsts), 2),
        "real_time_factor": round(statistics.median(times) / audio, 2),
        "stages_s": {name: round(statistics.median(run[name] for run in stages), 2) for name in stages[0]},
        "measured_lines": len(counted),
    }


def _show(name: str, results: dict[str, dict[str, Any]]) -> None:
    """A line for each row of a contender."""
    for row, facts in results[name]["rows"].items():
        ours = results.get(_OURS, {}).get("rows", {}).get(row)
        ratio = (
            f"{facts['real_time_factor'] / ours['real_time_factor']:5.2f}x ours, "
            f"processor {facts['processor_s'] / ours['processor_s'] * ours['audio_s'] / facts['audio_s']:5.2f}x"
            if ours
            else ""
        )
        stages = "  ".join(f"{stage} {seconds:.1f}" for stage, seconds in facts["stages_s"].items())
        print(
            f"{name:28} {row:10} {facts['time_s']:8.1f} s for {facts['audio_s']:5.1f} s of audio, "
            f"first {facts['first_audio_s']:7.1f} s, factor {facts['real_time_factor']:6.2f} {ratio}  "
            f"{results[name]['peak_mb']} MB  {stages}",
            flush=True,
        )


if __name__ == "__main__":
    main()
