"""Measure one contender in one row, once, in its own process, and print the result as a line of JSON.

`python -m benchmarks` runs it. `--contender limits` measures the machine instead, `--contender prepare` writes the
checkpoints. A contender that speaks lines one after the other speaks `--peer-lines` of them, and its time is scaled.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks.rows import (
    CLONE_SECONDS,
    CONTENDERS,
    OURS,
    ROWS,
    SPEC,
    TEXT_TOKENS,
    BenchmarkLine,
    BenchmarkRow,
    Contender,
    LineResults,
)
from cloning.threads import limit_spinning

_SAMPLE_RATE = 24_000


def main() -> None:
    """Measure and print."""
    print(json.dumps(measured(sys.argv[1:])))


def measured(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the result of the command line, which `main` prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_options(parser)
    parser.add_argument("--contender", required=True)
    parser.add_argument("--row", default="")
    parser.add_argument("--suno", type=Path)
    parser.add_argument("--bark-cpp", type=Path)
    options = parser.parse_args(arguments)
    if options.contender not in CONTENDERS or CONTENDERS[options.contender].ours:
        limit_spinning()  # as in the bot; peers keep torch's defaults, which are best on an idle machine
    return _action(options)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options shared with `python -m benchmarks`."""
    parser.add_argument("--shape", default="small", choices=("small", "large", "tiny"))
    parser.add_argument("--seconds", type=float, default=5.0, help="seconds of audio in every line")
    parser.add_argument(
        "--peer-lines", type=int, choices=range(2, 9), default=2, help="lines that contenders without batches speak"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--directory", type=Path, default=Path(".cache/benchmarks"), help="where checkpoints are kept")


def semantic_tokens(seconds: float) -> int:
    """Return the number of semantic tokens in a line of `seconds`."""
    return max(1, int(seconds * 49.9))


def _action(options: argparse.Namespace) -> dict[str, Any]:
    if options.contender == "limits":
        return _limits(options)
    if options.contender == "prepare":
        return _prepare(options)
    contender, row = CONTENDERS[options.contender], ROWS[options.row]
    if contender.family != "bark.cpp":
        import torch

        torch.set_num_threads(options.threads)
        options.device = _device(options.device)
    began = perf_counter()
    if row.lines:
        return _spoken(options, contender, row, _speaker(options, contender), began)
    return _cloned(options, contender, began)


def _spoken(
    options: argparse.Namespace, contender: Contender, row: BenchmarkRow, speaker: Any, began: float
) -> dict[str, Any]:
    length = semantic_tokens(options.seconds)
    lines = [BenchmarkLine(voice, length, seed=number) for number, voice in enumerate(_voices(row))]
    counted = lines if contender.together(row) else lines[: options.peer_lines]
    if options.device.startswith("cuda"):
        speaker.speak(counted)  # a warm-up: kernels are chosen and compiled at first use
    with _busy(row.busy):
        loaded, worked = perf_counter(), process_time()
        results: LineResults = speaker.speak(counted)
        ended, worked_in_all = perf_counter(), process_time()
    scale = len(lines) / len(counted)
    return {
        "time_s": (ended - loaded) * scale,
        "processor_s": (worked_in_all - worked) * scale,
        "first_audio_s": results.first,
        "audio_s": results.samples / _SAMPLE_RATE * scale,
        "stages_s": {stage: seconds * scale for stage, seconds in results.stages.items()},
        "measured_lines": len(counted),
        "together": contender.together(row),
        **_memory(options, loaded - began),
    }


@contextmanager
def _busy(programs: int) -> Iterator[None]:
    """Run `programs` other processes inside `with`, each of which uses a core."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def _cloned(options: argparse.Namespace, contender: Contender, began: float) -> dict[str, Any]:
    from benchmarks import clones

    folder, device = _folder(options), options.device
    cloner: clones.Cloner
    if contender.ours:
        cloner = clones.BarkeepCloner(folder, device, contender.dtype)
    else:
        cloner = clones.TransformersCloner(folder, device)
    clones.clone(cloner)  # a warm-up: the first clip takes longer
    loaded, worked = perf_counter(), process_time()
    results = clones.clone(cloner)
    return {
        "time_s": results.first,
        "processor_s": process_time() - worked,
        "audio_s": CLONE_SECONDS,
        "stages_s": dict(results.stages),
        **_memory(options, loaded - began),
    }


def _speaker(options: argparse.Namespace, contender: Contender) -> Any:
    folder = _folder(options)
    if contender.family == "bark.cpp":
        from benchmarks.barkcpp import BarkCpp
        from benchmarks.peers import ggml_file

        return BarkCpp(
            options.bark_cpp,
            ggml_file(folder, contender.dtype),
            threads=options.threads,
            text=" ".join(["a"] * TEXT_TOKENS),
            semantic_tokens=semantic_tokens(options.seconds),
        )
    if contender.family == OURS:
        from benchmarks.contenders import BarkeepEngine

        return BarkeepEngine(
            folder, contender.dtype, options.device, fast=contender.fast, takes_of_each=contender.takes
        )
    if contender.family == "suno":
        import torch

        from benchmarks.checkpoints import BARK
        from benchmarks.suno import Suno
        from cloning.checkpoints.weights import load_bark

        return Suno(load_bark(folder / BARK, torch.float32, torch.device(options.device)), options.suno)
    from benchmarks.by_transformers import Transformers

    compiler = "inductor" if contender.compiled else ""
    return Transformers.load(folder, contender.dtype, options.device, batched=contender.batched, compiler=compiler)


def _voices(row: BenchmarkRow) -> list[Any]:
    """Return the voice of each line; lines with the same voice share the object."""
    if not row.voices:
        return [None] * row.lines
    from benchmarks.checkpoints import voice

    voices = [voice(SPEC, seed) for seed in range(row.voices)]
    return [voices[number % row.voices] for number in range(row.lines)]


def _memory(options: argparse.Namespace, load_seconds: float) -> dict[str, float]:
    memory = {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "load_s": load_seconds}
    if options.device.startswith("cuda"):
        import torch

        memory["device_mb"] = torch.cuda.max_memory_allocated() / 2**20
    return memory


def _folder(options: argparse.Namespace) -> Path:
    folder: Path = options.directory / options.shape
    return folder


def _device(name: str) -> str:
    from cloning.checkpoints.model_choice import pick_device

    return str(pick_device(name))


def _limits(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from benchmarks import limits, operations
    from cloning.bark.precision import AUTO, pick_precision

    torch.set_num_threads(options.threads)
    device = torch.device(_device(options.device))
    measured = limits.measure(device)
    processor = torch.cuda.get_device_name() if device.type == "cuda" else _processor()
    return {
        "processor": processor,
        "device": device.type,
        "threads": options.threads,
        "torch": torch.__version__,
        "auto": pick_precision(AUTO, device).name,
        "bandwidth": measured.bandwidth,
        "rate": measured.rate,
        "of_decoding": operations.of_decoding(options.shape),
        "of_cloning": operations.of_cloning(options.shape),
    }


def _processor() -> str:
    """Return the processor's name from /proc/cpuinfo, or else the machine's architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _prepare(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks import checkpoints, peers

    began = perf_counter()
    folder = checkpoints.written(options.shape, options.directory)
    if options.bark_cpp:
        peers.write_ggml(folder, options.bark_cpp)
    return {"folder": str(folder), "seconds": perf_counter() - began}


if __name__ == "__main__":
    main()
