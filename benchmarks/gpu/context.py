"""The context of a part: the device, the sizes, the output folder, and the time limit."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from benchmarks import checkpoints, limits
from benchmarks.work import MachineLimits

Result = tuple[str, dict[str, Any]]
"""A name and its measurements."""
Results = Iterator[Result]
"""The results that a part yields; each is written at once."""


@dataclass(frozen=True)
class RunSizes:
    """The sizes of the measurements.

    shapes: names in `benchmarks.rows.SHAPES`. seconds: the length of a line; warm_seconds: of a warm-up line. crowds:
    numbers of rows at once. voices: semantic tokens and frames of each voice. tokens: how many semantic tokens are
    compared; many_tokens: enough of them for several windows of the fine stage. steps: how often one form of a step is
    measured, for a median.
    """

    shapes: tuple[str, ...]
    seconds: float
    warm_seconds: float
    crowds: tuple[int, ...]
    voices: tuple[tuple[int, int], ...]
    tokens: int
    many_tokens: int
    steps: int
    runs: int
    """The number of runs of Barkeep's engine, of which the median counts."""
    half: torch.dtype
    """The precision that is measured as float16. The rehearsal uses float32: a CPU is ten times slower in float16."""
    compiler: str
    """The backend of torch.compile."""


REAL = RunSizes(
    shapes=("small", "large"),
    seconds=5.0,
    warm_seconds=0.5,
    crowds=(1, 8, 32),
    voices=((346, 519), (158, 237), (731, 1098)),
    tokens=44,
    many_tokens=400,
    steps=30,
    runs=3,
    half=torch.float16,
    compiler="inductor",
)
REHEARSED = RunSizes(
    shapes=("tiny",),
    seconds=0.1,
    warm_seconds=0.05,
    crowds=(1, 2),
    voices=((346, 519), (158, 237)),
    tokens=8,
    many_tokens=12,
    steps=2,
    runs=1,
    half=torch.float32,
    compiler="eager",
)


@dataclass
class Context:
    """The device, the sizes and the output folder of a part. `ends`: its deadline, by `monotonic`."""

    device: torch.device
    sizes: RunSizes
    out: Path
    ends: float = float("inf")
    _models: dict[str, Any] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.ends - monotonic()

    @cached_property
    def limits(self) -> limits.Limits:
        """The limits of the device."""
        return limits.measure(self.device)

    @property
    def machine(self) -> MachineLimits:
        """The limits of the device in the form that `benchmarks.work` needs."""
        return MachineLimits(self.limits.bandwidth, self.limits.rate)

    def random_bark(self, shape: str) -> Any:
        """Return a BarkModel of a published shape, float32, on the device. It is shared: copy it before changing it."""
        if shape not in self._models:
            self._models = {shape: checkpoints.random_bark(shape).to(self.device)}
        return self._models[shape]

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def forget(self) -> None:
        """Free cached memory, and reset `peak`."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    @property
    def held(self) -> int:
        """Bytes of the device in use by tensors; 0 on a CPU."""
        return torch.cuda.memory_allocated(self.device) if self.device.type == "cuda" else 0

    @property
    def peak(self) -> int:
        """The peak of `held` since `forget`; 0 on a CPU."""
        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else 0
