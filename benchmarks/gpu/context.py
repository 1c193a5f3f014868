"""What every part is given: the device, how much to measure, where to write, and how long it may take."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from benchmarks import checkpoints, limits
from benchmarks.work import Machine

Result = tuple[str, dict[str, Any]]
"""What was measured, by name."""
Results = Iterator[Result]
"""Each is written down as it comes."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    shapes: of `benchmarks.rows.SHAPES`. seconds: of a line, and of one that warms up. crowds: rows that speak at once.
    voices: semantic tokens and frames of voices. tokens: semantic tokens that are compared behind a voice, and how many
    make several windows of the fine stage. steps: of one form, for a median.
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
    """Of ours, of which the median counts."""
    half: torch.dtype
    """What float16 is: a CPU is ten times slower in it."""
    compiler: str
    """What torch.compile uses."""


REAL = Sizes(
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
REHEARSED = Sizes(
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
    """`ends`: when the part has to be done, of `monotonic`."""

    device: torch.device
    sizes: Sizes
    out: Path
    ends: float = float("inf")
    _models: dict[str, Any] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """Seconds until the part has to be done."""
        return self.ends - monotonic()

    @cached_property
    def limits(self) -> limits.Limits:
        """What the device could do at best."""
        return limits.measure(self.device)

    @property
    def machine(self) -> Machine:
        """The same, for `benchmarks.work`."""
        return Machine(self.limits.bandwidth, self.limits.rate)

    def random_bark(self, shape: str) -> Any:
        """A BarkModel of a published shape in float32 on the device, made once. To be copied, not changed."""
        if shape not in self._models:
            self._models = {shape: checkpoints.random_bark(shape).to(self.device)}
        return self._models[shape]

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def forget(self) -> None:
        """Give back what was freed, and begin to look for a new peak of memory."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    @property
    def held(self) -> int:
        """Bytes of the device that tensors take now; 0 on a CPU."""
        return torch.cuda.memory_allocated(self.device) if self.device.type == "cuda" else 0

    @property
    def peak(self) -> int:
        """The most that they took since `forget`; 0 on a CPU."""
        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else 0
