"""A linear layer for inference, with its weight in the layout of the processor's matrix kernels.

On a CPU the weight is packed once for oneDNN. Compared with `torch.nn.functional.linear` in float32 (MKL), on two cores
with AVX-512, that reads 887 rows in 40 % of the time, and 8 rows cost little more than 1 (benchmarks/RESULTS.md).
"""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

PACKED_FOR = 900
"""The number of rows that the layout is optimised for: a coarse window. It suits a single row equally well."""

FEWEST_ROWS = 4
"""The minimum number of rows for a packed weight. oneDNN has a separate kernel for a single row, which adds up in
another order; and 4 to 6 rows are a third faster than 1 or 2 (Zen 4, both precisions)."""

MOST_ROWS = 64
"""The maximum number of rows of a step, which is the largest `BATCH`. More rows at once are the context of one
utterance (or a window of one), which has the same rows whether the utterance is generated alone or with others."""

_TILE_ROWS = 16
"""The rows of a tile of Intel's matrix extensions (AMX)."""


class Matrix(Protocol):
    """The interface of a weight, in any format."""

    packed: bool
    """Whether the values of a row are bit-identical for any other rows of a step (MOST_ROWS at most), any number of
    rows, and any position of the row among them."""
    nbytes: int
    """The bytes that a step reads of it."""
    fewest_rows: int
    """The number of rows that it fills up to, if there are fewer."""

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it: (rows, in) -> (rows, out)."""


class Linear:
    """y = x W^T + b, for x (rows, in) -> (rows, out), followed by exact GELU if `gelu`.

    Packed, the values of a row are bit-identical for any other rows of a step and any number of them. In half precision
    on a processor with AMX, oneDNN plans a product by its number of rows, and the plans add up in different orders:
    there, a step is always computed in whole tiles.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False) -> None:
        self.packed: bool = _can_be_packed(weight)
        self._weight: Tensor = (
            torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), PACKED_FOR) if self.packed else weight
        )
        self._in_tiles: bool = self.packed and weight.dtype != torch.float32 and torch.cpu._is_amx_tile_supported()
        self._bias = bias
        self._gelu = gelu
        self.nbytes: int = weight.numel() * weight.element_size()
        self.fewest_rows: int = FEWEST_ROWS if self.packed else 1

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it."""
        if self._in_tiles and x.shape[0] <= MOST_ROWS:
            tiles = [self._packed_product(filled_up(tile, _TILE_ROWS)) for tile in torch.split(x, _TILE_ROWS)]
            return torch.cat(tiles)[: x.shape[0]]
        if self.packed and x.shape[0] < FEWEST_ROWS:
            return self._packed_product(filled_up(x))[: x.shape[0]]
        if self.packed:
            return self._packed_product(x)
        y = functional.linear(x, self._weight, self._bias)
        return functional.gelu(y) if self._gelu else y

    def _packed_product(self, x: Tensor) -> Tensor:
        after = "gelu" if self._gelu else "none"
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, after, [], "none")
        return y


def filled_up(x: Tensor, fewest: int = FEWEST_ROWS) -> Tensor:
    """Pad (rows, width) with rows of zeros to the minimum number of rows of a packed weight."""
    missing = fewest - x.shape[0]
    return x if missing <= 0 else functional.pad(x, (0, 0, 0, missing))


def matrices_of(model: Any) -> Iterator[Any]:
    """Yield the modules of transformers' BarkModel whose matrices a step reads whole.

    These are those of the blocks, and the heads of its causal models.
    """
    for part in (model.semantic, model.coarse_acoustics, model.fine_acoustics):
        for block in part.layers:
            yield from (block.attn.att_proj, block.attn.out_proj, block.mlp.in_proj, block.mlp.out_proj)
    for part in (model.semantic, model.coarse_acoustics):
        yield part.lm_head


def _can_be_packed(weight: Tensor) -> bool:
    """Return whether oneDNN has fast kernels for this weight: float32 always, half precision on some processors."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch has no annotation here
    if weight.device.type != "cpu" or not available:
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if weight.dtype == torch.float16:
        return bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())
    return weight.dtype == torch.float32
