"""Matrices in 8-bit integers, for a CPU: a quarter of float32's memory, and of what a step reads of it.

A weight has one scale per output. Its input is rounded too, in 256 steps between the minimum and the maximum of its
row. Sums are sums of integers, so the values of a row do not depend on other rows. Norms, embeddings and the heads of
the fine stage are not rounded; keys and values are float16 (`half_cache.py`). docs/operations.md has the quality of its
speech, benchmarks/RESULTS.md the speed.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cloning.bark.linear import PACKED_FOR, matrices_of

_LARGEST, _STEPS = 127, 255
WIDTH_STEP = 4
"""The width of a product's input is a multiple of this."""
_LEAST_WIDTH = 64
"""The width of a product that shows how sums are added up."""
_AT_ONCE = 64
"""The number of outputs that are rounded at a time."""
_ENDS = 8
"""The bytes after a rounded row: its step and its least value, as floats."""
_TINY = 1e-12
"""Avoids division by zero for rows of equal numbers and outputs of zeros."""


def is_supported() -> bool:
    """Return whether this processor multiplies such numbers (AVX-512 VNNI) and oneDNN uses that.

    The older way is slow, and adds up pairs in 16 bits, which overflow (as with ONEDNN_MAX_CPU_ISA=AVX512_CORE on a
    newer processor).
    """
    if not (torch.backends.mkldnn.is_available() and torch.cpu._is_vnni_supported()):  # type: ignore[no-untyped-call]  # torch has no annotations here
        return False
    greatest = torch.full((16, _LEAST_WIDTH), _LARGEST, dtype=torch.int8)
    linear = Int8Linear(greatest, torch.ones(16))
    rows = torch.full((16, _LEAST_WIDTH + _ENDS), _STEPS, dtype=torch.uint8)
    sums = torch.cat([linear._multiplied(rows), linear._multiplied(rows[:1])])  # one row has a kernel of its own
    return bool((sums == _LEAST_WIDTH * _LARGEST * _STEPS).all())


def rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round (out, in) to int8 (out, in) and float32 scales (out,), whose product approximates the weight."""
    least, greatest = weight.aminmax(dim=1)
    scales = (torch.maximum(-least, greatest).float() / _LARGEST).clamp_(min=_TINY)
    numbers = torch.empty_like(weight, dtype=torch.int8)
    # A few at a time: whole matrices between the small ones would fragment the heap.
    for begin in range(0, weight.shape[0], _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        numbers[some] = (weight[some] / scales[some, None]).round_()
    return numbers, scales


def quantise(model: Any) -> None:
    """Round the matrices of the blocks of transformers' BarkModel and the heads of its causal models in place.

    Afterwards the three models only work through `cloning.bark.model.Transformer`.
    """
    for module in matrices_of(model):
        weight, module.scales = rounded(module.weight.detach())
        module.weight = nn.Parameter(weight, requires_grad=False)


def in_steps(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Round float32 (rows, in) to uint8 (rows, in + 8), with each row's step and least value, float32 (rows, 1).

    `in` is a multiple of WIDTH_STEP. By the operator that packs embeddings, which rounds a row in one pass: a sixth of
    the time of torch's operators. It leaves the bytes of both floats in the last 8 columns.
    """
    steps = torch.ops.quantized.embedding_bag_byte_prepack.default(x)
    floats = steps.view(torch.float32)
    rows, width = floats.shape
    column = (rows, 1), (width, 1)  # by strides, as a step takes a hundred of them and `narrow` twice as long
    return steps, floats.as_strided(*column, width - 2), floats.as_strided(*column, width - 1)


class Int8Linear:
    """y = x W^T + b for a rounded W, for float32 x (rows, in) -> (rows, out), followed by exact GELU if `gelu`."""

    packed = True
    fewest_rows = 1

    def __init__(self, weight: Tensor, scales: Tensor, bias: Tensor | None = None, *, gelu: bool = False) -> None:
        self.nbytes: int = weight.numel()
        padded = functional.pad(weight, (0, _ENDS))  # zeros for the bytes after a rounded row: no copy without them
        self._weight: Tensor = torch.ops.onednn.qlinear_prepack(padded, [PACKED_FOR, padded.shape[1]])
        self._scales = scales
        self._sums = weight.sum(1, dtype=torch.float32) * scales  # the output of a row of ones
        self._no_offsets = torch.zeros(weight.shape[0], dtype=torch.int64)
        self._bias = bias
        self._gelu = gelu

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it. With x = step * steps + least, xW is step * (steps W) + least * (ones W)."""
        steps, step, least = in_steps(x)
        y = self._multiplied(steps).mul_(step).addcmul_(least, self._sums)
        if self._bias is not None:
            y += self._bias
        return functional.gelu(y) if self._gelu else y

    def _multiplied(self, steps: Tensor) -> Tensor:
        """uint8 (rows, in + 8) -> float32 (rows, out)"""
        y: Tensor = torch.ops.onednn.qlinear_pointwise.default(
            steps, 1.0, 0, self._weight, self._scales, self._no_offsets, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return y
