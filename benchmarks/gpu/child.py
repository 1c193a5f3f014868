"""Run parts one after the other in one process, and print each result at once as a line of JSON.

Exits with status 1 after a failed part, since the device may be unusable; the parent starts another process for the
remaining parts.
"""

import argparse
import importlib
import json
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from benchmarks.gpu.context import REAL, REHEARSED, Context, Results


def main(arguments: list[str]) -> int:
    """Run `PART=SECONDS ...` in this order, each within its seconds. Return 1 after a failed part."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="for all parts together")
    parser.add_argument("parts", nargs="+")
    options = parser.parse_args(arguments)
    context = Context(
        torch.device("cpu" if options.rehearse else "cuda"), REHEARSED if options.rehearse else REAL, options.out
    )
    if options.rehearse:
        torch.set_num_threads(1)
    ends = monotonic() + options.seconds
    budgets = {name: float(seconds) for name, _, seconds in (part.partition("=") for part in options.parts)}
    return 0 if all(_done(name, context, min(seconds, ends - monotonic())) for name, seconds in budgets.items()) else 1


def _done(name: str, context: Context, seconds: float) -> bool:
    """Run one part. Return whether it was completed."""
    context.ends = monotonic() + seconds
    _emit({"part": name, "event": "began"})
    try:
        module = importlib.import_module(f"benchmarks.gpu.{name}")
        results: Results = module.run(context)
        for result, facts in results:
            _emit({"part": name, "event": "result", "name": result, "facts": facts})
    except Exception:  # a failed part must not end the whole call
        _emit({"part": name, "event": "failed", "why": traceback.format_exc()[-4000:]})
        return False
    _emit({"part": name, "event": "ended"})
    return True


def _emit(event: Mapping[str, Any]) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
