"""Measure the limits of the machine: memory bandwidth, and the speed of matrix products."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter, process_time

import torch

from cloning.bark.linear import Linear

_REPEATS = 20
_READ, _ROWS = {"cpu": 2**28, "cuda": 2**32}, {"cpu": 1024, "cuda": 8192}
"""Bytes to read, far more than any cache holds; and rows of a product, enough to make its overhead negligible."""


@dataclass(frozen=True)
class Limits:
    """The measured limits. `bandwidth`: bytes per second; `rate`: floating-point operations per second by precision."""

    bandwidth: float
    rate: dict[str, float]


def measure(device: torch.device | None = None) -> Limits:
    """Measure for some seconds: by the clock, or with one thread in CPU time, which depends less on other programs."""
    device = device or torch.device("cpu")
    memory = torch.ones(_READ[device.type] // 4, device=device)
    bandwidth = memory.numel() * 4 / _best(memory.sum, device)
    rate = {}
    dtypes = [torch.float32, torch.bfloat16] + ([torch.float16] if device.type == "cuda" else [])
    with torch.inference_mode():
        for dtype in dtypes:
            rows = torch.randn(_ROWS[device.type], 1024, device=device).to(dtype)
            linear = Linear(torch.randn(4096, 1024, device=device).to(dtype))
            seconds = _best(partial(linear, rows), device)
            rate[str(dtype).removeprefix("torch.")] = 2 * rows.numel() * 4096 / seconds
    return Limits(bandwidth, rate)


def _best(action: Callable[[], object], device: torch.device) -> float:
    clock = process_time if device.type == "cpu" and torch.get_num_threads() == 1 else perf_counter
    times = []
    for _ in range(_REPEATS + 1):
        began = clock()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - began)
    return min(times[1:])
