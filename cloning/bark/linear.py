"""A linear layer that only ever computes, with its weight laid out for the processor's matrix kernels.

On a CPU the weight is packed once for oneDNN. Against `torch.nn.functional.linear` in float32 (MKL), on two cores with
AVX-512, that reads 887 rows in 40 % of the time, and 8 rows cost little more than 1 (benchmarks/RESULTS.md).
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

_PACKED_FOR = 900
"""The number of rows that the layout is made for: a coarse window. It serves a single row as well as any other."""

FEWEST_ROWS = 4
"""As many rows as a packed weight is multiplied with at least. oneDNN has a kernel of its own for a single row, which
adds up in another order; and 4 to 6 rows are read a third more quickly than 1 or 2 (Zen 4, both precisions)."""

MOST_ROWS = 64
"""As many rows as a step has at most, which is the largest `BATCH`. More rows at once are the context of one utterance
(or a window of one), which has the same rows whether the utterance is generated alone or with others."""

_TILE_ROWS = 16
"""The rows of a tile of Intel's matrix extensions (AMX)."""


class Matrix(Protocol):
    """What a layer needs to know of a weight, however it is kept."""

    packed: bool
    """Whether the values of a row do not depend, to the last bit, on the other rows of a step (MOST_ROWS at most), on
    how many there are, or on the row's place among them."""
    nbytes: int
    """What a step reads of it."""

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it: (rows, in) -> (rows, out)."""


class Linear:
    """y = x W^T + b, for x (rows, in) -> (rows, out), and GELU (the exact one) behind it if `gelu`.

    Packed, the values of a row do not depend, to the last bit, on the other rows of a step or on how many there are. In
    half precision on a processor with AMX, oneDNN plans a product by its number of rows, and the plans add up in other
    orders: there, a step is always computed in whole tiles.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False) -> None:
        self.packed: bool = _can_be_packed(weight)
        self._weight: Tensor = (
            torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _PACKED_FOR) if self.packed else weight
        )
        self._in_tiles: bool = self.packed and weight.dtype != torch.float32 and torch.cpu._is_amx_tile_supported()
        self._bias = bias
        self._gelu = gelu
        self.nbytes: int = weight.numel() * weight.element_size()

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it."""
        if self._in_tiles and x.shape[0] <= MOST_ROWS:
            tiles = [self._packed_product(filled_up(tile, _TILE_ROWS)) for tile in torch.split(x, _TILE_ROWS)]
            return torch.cat(tiles)[: x.shape[0]]
        if self.packed:
            return self._packed_product(filled_up(x))[: x.shape[0]]
        y = functional.linear(x, self._weight, self._bias)
        return functional.gelu(y) if self._gelu else y

    def _packed_product(self, x: Tensor) -> Tensor:
        after = "gelu" if self._gelu else "none"
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, after, [], "none")
        return y


def filled_up(x: Tensor, fewest: int = FEWEST_ROWS) -> Tensor:
    """(rows, width), with rows of zeros at the end if there are fewer than a packed weight wants."""
    missing = fewest - x.shape[0]
    return x if missing <= 0 else functional.pad(x, (0, 0, 0, missing))


def _can_be_packed(weight: Tensor) -> bool:
    """Whether oneDNN has fast kernels for this weight: float32 anywhere, half precision where the processor has it."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch has no annotation here
    if weight.device.type != "cpu" or not available:
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if weight.dtype == torch.float16:
        return bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())
    return weight.dtype == torch.float32
