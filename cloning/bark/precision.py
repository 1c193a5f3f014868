"""The precisions that Bark can use, which devices support them, and whether a machine has enough memory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cloning.bark import linear
from cloning.bark.config import STAGES, Shape
from errors import ModelUnavailable

_LIMITS_OF_THE_GROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""The memory limit of a container, in both versions of Linux's control groups; elsewhere absent or not a number."""
_MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The memory of an engine in bytes: its weights, and the caches of a full batch."""

    weights: int
    caches: int


@dataclass(frozen=True, slots=True)
class Precision:
    """`dtype`: of everything but matrices, which take `matrix_bytes` per number, and keys and values."""

    name: str
    dtype: torch.dtype
    matrix_bytes: int

    @property
    def is_int8(self) -> bool:
        """Whether the matrices are rounded to 8-bit integers."""
        return self.matrix_bytes == 1

    @property
    def has_half_matrices(self) -> bool:
        """Whether the matrices are in float16, and everything else in float32."""
        return self.matrix_bytes == 2 and self.dtype == torch.float32

    @property
    def cache_bytes(self) -> int:
        """Bytes per number of keys and values (`Transformer.cache`)."""
        return 2 if self.is_int8 or self.has_half_matrices else self.dtype.itemsize

    def plan(self, config: Mapping[str, Any], batch: int) -> MemoryPlan:
        """Return the memory that a checkpoint with this `config.json` needs, without activations and the codec."""
        itemsize = self.dtype.itemsize
        weights = caches = 0
        for stage in STAGES:
            part = config.get(stage) or {}
            shape = Shape.from_config(part)
            is_causal = stage != "fine_acoustics_config"
            books = 1 if is_causal else part.get("n_codes_total", 8)
            weights += shape.matrices * self.matrix_bytes
            weights += (shape.block + books * part.get("input_vocab_size", 10_048)) * shape.width * itemsize
            head_bytes = self.matrix_bytes if is_causal else itemsize
            weights += books * part.get("output_vocab_size", 10_048) * shape.width * head_bytes
            caches += batch * shape.cache * self.cache_bytes if is_causal else 0
        return MemoryPlan(weights, caches)


PRECISIONS = {
    "float32": Precision("float32", torch.float32, 4),
    "bfloat16": Precision("bfloat16", torch.bfloat16, 2),
    "float16": Precision("float16", torch.float16, 2),
    "int8": Precision("int8", torch.float32, 1),
}
"""Name in the settings -> precision."""
HALF_MATRICES = Precision("float16", torch.float32, 2)
"""What float16 is on processors with AVX2."""
AUTO = "auto"
"""In the settings: the fastest precision that was measured to speak as well as float32."""


def pick_precision(name: str, device: torch.device) -> Precision:
    """Return the precision of a name in the settings.

    AUTO is int8 on processors with VNNI, float16 on others with AVX2, else float32 (docs/operations.md has the figures;
    none was measured on a GPU).
    """
    on_processor = device.type == "cpu"
    if name == AUTO and on_processor and linear.int8_is_supported():
        return PRECISIONS["int8"]
    if name in (AUTO, "float16") and on_processor and linear.half_is_supported():
        return HALF_MATRICES
    return PRECISIONS["float32" if name == AUTO else name]


def refuse_unsupported(precision: Precision, device: torch.device) -> None:
    """Raise Unavailable that names an alternative if `device` does not support `precision`, or only very slowly."""
    if precision.is_int8 and device.type != "cpu":
        raise ModelUnavailable(
            f"DTYPE=int8 is for processors, not for {device.type}. Set DTYPE=float16, or DEVICE=cpu."
        )
    if precision.is_int8 and not linear.int8_is_supported():
        raise ModelUnavailable("This processor does not multiply numbers of 8 bits (AVX-512 VNNI). Set DTYPE=auto.")
    if precision.dtype == torch.float16 and device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_fp16_supported():
        raise ModelUnavailable(
            "This processor is ten times slower in float16. Set DTYPE=bfloat16, which is as small, or float32."
        )
    if precision.dtype == torch.bfloat16 and device.type == "cuda" and not _has_bfloat16(device):
        raise ModelUnavailable(
            "This GPU does not compute in bfloat16. Set DTYPE=float16, which is as small, or float32."
        )


def refuse_too_large(plan: MemoryPlan, room: int | None, *, batch: int, precision: Precision) -> None:
    """Raise Unavailable with the numbers and the settings to change if `plan` needs more than `room` bytes. None:
    unknown."""
    if room is None or plan.weights + plan.caches <= room:
        return
    advice = ["a smaller MODEL"]
    if precision.matrix_bytes == 4:
        advice.insert(0, "DTYPE=bfloat16 (float16 on a GPU without it)")
    if batch > 1 and plan.weights + plan.caches // batch <= room:
        advice.insert(0, "a smaller BATCH")
    sentences = "one sentence" if batch == 1 else f"{batch} sentences at once"
    raise ModelUnavailable(
        f"Bark needs {_megabytes(plan.weights)} for its weights in {precision.name} and {_megabytes(plan.caches)} to "
        f"generate {sentences}, and there are {_megabytes(room)}. Set {' or '.join(advice)}."
    )


def memory_of(device: torch.device) -> int | None:
    """Return the bytes of the machine, of its container, or free ones of a GPU. None if unknown."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    sizes = [_physical_memory(), *(_number_in(path) for path in _LIMITS_OF_THE_GROUP)]
    return min((size for size in sizes if size), default=None)


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # no such function or name on Windows
        return None


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # missing, or "max"
        return None


def _has_bfloat16(device: torch.device) -> bool:
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _megabytes(count: int) -> str:
    return f"{count / _MEGABYTE:,.0f} MB"
