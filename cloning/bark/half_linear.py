"""Matrices in float16 for a CPU with AVX2: half of float32's memory, and of what a step reads of them.

FBGEMM reads the weight in float16 and computes in float32, so that only the weight is rounded (benchmarks/RESULTS.md
has times beside oneDNN's products).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cloning.bark.linear import MOST_ROWS, matrices_of

_BLOCK = 6
"""The rows that FBGEMM's AVX2 kernels multiply at once."""
_LEAST_OF_A_BLOCK = 3
"""With fewer rows in the last block, another kernel adds up in another order."""


def is_supported() -> bool:
    """Return whether this processor has AVX2, and torch was built with FBGEMM."""
    engines = torch.backends.quantized.supported_engines
    return "fbgemm" in engines and bool(torch.cpu._is_avx2_supported())


def halve(model: Any) -> None:
    """Round the matrices of the blocks of transformers' BarkModel and the heads of its causal models in place.

    Afterwards the three models only work through `cloning.bark.model.Transformer`.
    """
    for module in matrices_of(model):
        module.weight = nn.Parameter(module.weight.detach().half(), requires_grad=False)
        module.in_half = True


class HalfLinear:
    """y = x W^T + b for a float16 W, for float32 x (rows, in) -> (rows, out), followed by exact GELU if `gelu`."""

    packed = True
    fewest_rows = _LEAST_OF_A_BLOCK

    def __init__(self, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False) -> None:
        self.nbytes: int = weight.numel() * weight.element_size()
        self._weight = torch.ops.quantized.linear_prepack_fp16(weight.float(), bias)
        self._gelu = gelu

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it."""
        rows = x.shape[0]
        missing = max(0, _LEAST_OF_A_BLOCK - rows % _BLOCK) if rows <= MOST_ROWS and rows % _BLOCK else 0
        if missing:
            x = functional.pad(x, (0, 0, 0, missing))
        y: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._weight)[:rows]
        return functional.gelu(y) if self._gelu else y
