"""What this machine could do at best: how fast it reads memory, and how fast it multiplies matrices."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter, process_time

import torch

from cloning.bark.linear import Linear


@dataclass(frozen=True)
class Limits:
    """Measured. `bandwidth`: bytes a second; `rate`: floating-point operations a second in each precision."""

    bandwidth: float
    rate: dict[str, float]


def measure() -> Limits:
    """Takes some seconds. With one thread, seconds of the processor count, as others may use the machine too."""
    memory = torch.ones(2**26)  # 256 MiB, far above any cache
    bandwidth = memory.numel() * 4 / _best(memory.sum)
    rate = {}
    with torch.inference_mode():
        for dtype in (torch.float32, torch.bfloat16):
            rows, linear = torch.randn(1024, 1024).to(dtype), Linear(torch.randn(4096, 1024).to(dtype))
            rate[str(dtype).removeprefix("torch.")] = 2 * 1024 * 1024 * 4096 / _best(partial(linear, rows))
    return Limits(bandwidth, rate)


def _best(deed: Callable[[], object]) -> float:
    clock = process_time if torch.get_num_threads() == 1 else perf_counter
    deed()
    times = []
    for _ in range(20):
        began = clock()
        deed()
        times.append(clock() - began)
    return min(times)
