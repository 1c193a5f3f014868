"""Measure single parts of generation for Barkeep and its peers, and compare them with the limits of the machine.

    python -m benchmarks.parts [--shape small] [--repeats 8] [--threads N] [--precisions float32,...]
                              [--suno CLONE_OF_SUNO_AI_BARK]

The parts are the pass over a whole coarse window (887 positions), the next coarse step for 1 and for 8 rows, and a pass
of the fine model. The minimum of all repeats counts, with one thread in CPU time, so that this also works on a shared
machine, where `python -m benchmarks` takes too long. Prints the total for a sentence of 5 s in a cloned voice; the last
line has all measurements in JSON.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from cloning.threads import limit_spinning

CONTEXT, WINDOW, ROWS = 887, 1024, 8
SENTENCE = {"semantic": 249, "coarse": 748, "fine": 6}
"""Semantic steps, coarse steps and fine passes of 5 s of speech in a voice."""
READS = {True: 13, False: 6}
"""Coarse windows of that sentence with (True) Suno's windows, and with (False) `Windows.LONG`, the default in int8."""

Parts = dict[str, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shape", default="small", choices=("small", "large", "tiny"))
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precisions", default="float32,bfloat16,int8")
    parser.add_argument("--suno", type=Path)
    arguments = parser.parse_args()
    limit_spinning()
    results: dict[str, Parts] = {}
    for name, parts in _measured(arguments):
        results[name] = parts
        shown = "  ".join(f"{part} {seconds * 1e3:8.1f} ms" for part, seconds in parts.items())
        whole = _sentence(parts, exact=not name.endswith(" int8"))
        print(f"{name:22} {shown}  sentence {whole:6.1f} s", flush=True)
    print(json.dumps({"shape": arguments.shape, "threads": arguments.threads, "parts": results}))


def _measured(arguments: argparse.Namespace) -> Iterator[tuple[str, Parts]]:
    import torch

    from benchmarks import limits
    from cloning.bark.precision import PRECISIONS

    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    bounds = limits.measure()
    for precision in (PRECISIONS[name] for name in arguments.precisions.split(",")):
        yield f"limit {precision.name}", _limit(arguments.shape, precision, bounds)
        yield f"barkeep {precision.name}", _barkeep(arguments, precision)
        if not precision.is_int8:
            yield f"transformers {precision.name}", _transformers(arguments, precision.dtype)
    if arguments.suno:
        yield "suno float32", _suno(arguments)


def _sentence(parts: Parts, *, exact: bool) -> float:
    """Return the seconds of a sentence of 5 s, without the codec. exact: with Suno's coarse windows."""
    steps = SENTENCE["semantic"] + SENTENCE["coarse"]
    return steps * parts["step"] + READS[exact] * parts["read"] + SENTENCE["fine"] * parts["fine"]


def _limit(shape: str, precision: Any, bounds: Any) -> Parts:
    """Return the least seconds of each part: bandwidth limits steps, the rate of matrix products limits whole windows.

    A step reads the matrices, one head and the cache. The rate of int8 is not measured; the fastest one is used.
    """
    from benchmarks.rows import SHAPES

    size = SHAPES[shape]
    matrices = 12 * size["num_layers"] * size["hidden_size"] ** 2
    cached = 2 * size["num_layers"] * CONTEXT * size["hidden_size"]
    attention = 4 * size["num_layers"] * size["hidden_size"]
    rate = bounds.rate.get(precision.name, max(bounds.rate.values()))
    head = 1024 * size["hidden_size"]
    weights = (matrices + head) * precision.matrix_bytes
    step = [weights + rows * cached * precision.cache_bytes for rows in (1, ROWS)]
    return {
        "read": (2 * matrices * CONTEXT + attention * CONTEXT**2 / 2) / rate,
        "step": step[0] / bounds.bandwidth,
        "step of 8": step[1] / bounds.bandwidth,
        "fine": (2 * matrices * WINDOW + attention * WINDOW**2) / rate,
    }


def _barkeep(arguments: argparse.Namespace, precision: Any) -> Parts:
    import torch

    from benchmarks.checkpoints import cast, random_bark
    from benchmarks.rows import SPEC
    from cloning.bark.coarse import CoarseModel
    from cloning.bark.config import InputLayout
    from cloning.bark.fine import FineModel
    from cloning.bark.linear import quantise

    model = cast(random_bark(arguments.shape), precision.dtype)
    if precision.is_int8:
        quantise(model)
    coarse = CoarseModel(model.coarse_acoustics, SPEC, InputLayout.from_config({}))
    fine = FineModel(model.fine_acoustics, SPEC)
    cache = coarse.transformer.cache(ROWS)
    vectors = coarse.embeddings[torch.arange(CONTEXT)]
    codes = torch.zeros(WINDOW, SPEC.fine_books, dtype=torch.int64)

    def step(rows: int) -> None:
        hidden = coarse.transformer.step(vectors[:rows], cache, range(rows), [CONTEXT] * rows)
        coarse.heads[0](hidden)

    def fill() -> None:
        (hidden,) = fine.transformer.run_windows(fine.embed(codes, 2)[None], [512], lambda: None)
        fine.heads[2](hidden)

    return {
        "read": _fewest(arguments, lambda: coarse.transformer.read(vectors, cache, 0)),
        "step": _fewest(arguments, lambda: step(1), 8),
        "step of 8": _fewest(arguments, lambda: step(ROWS), 8),
        "fine": _fewest(arguments, fill),
    }


def _transformers(arguments: argparse.Namespace, dtype: Any) -> Parts:
    import torch

    from benchmarks.checkpoints import cast, random_bark

    model = cast(random_bark(arguments.shape), dtype)
    ids = torch.arange(CONTEXT)[None]
    codes = torch.zeros(1, WINDOW, 8, dtype=torch.int64)

    def step(rows: int) -> float:
        past = model.coarse_acoustics(ids, use_cache=True).past_key_values
        past.batch_repeat_interleave(rows)
        token = torch.zeros(rows, 1, dtype=torch.int64)
        return _fewest(arguments, lambda: model.coarse_acoustics(token, past_key_values=past, use_cache=True), 4)

    return {
        "read": _fewest(arguments, lambda: model.coarse_acoustics(ids, use_cache=True)),
        "step": step(1),
        "step of 8": step(ROWS),
        "fine": _fewest(arguments, lambda: model.fine_acoustics(2, codes)),
    }


def _suno(arguments: argparse.Namespace) -> Parts:
    import torch

    from benchmarks.checkpoints import random_bark
    from benchmarks.suno import Suno

    models = Suno(random_bark(arguments.shape), arguments.suno).models
    ids = torch.arange(CONTEXT)[None]
    _, past = models["coarse"](ids, use_cache=True)
    codes = torch.zeros(1, WINDOW, 8, dtype=torch.int64)
    step = _fewest(arguments, lambda: models["coarse"](ids[:, :1], use_cache=True, past_kv=past), 4)
    return {
        "read": _fewest(arguments, lambda: models["coarse"](ids, use_cache=True)),
        "step": step,
        "step of 8": ROWS * step,  # it has no batches
        "fine": _fewest(arguments, lambda: models["fine"](2, codes)),
    }


def _fewest(arguments: argparse.Namespace, action: Callable[[], object], times: int = 1) -> float:
    """Return the seconds of the fastest of `repeats * times` runs, after a warm-up run."""
    clock = process_time if arguments.threads == 1 else perf_counter
    action()
    best = float("inf")
    for _ in range(arguments.repeats * times):
        began = clock()
        action()
        best = min(best, clock() - began)
    return best


if __name__ == "__main__":
    main()
