"""Matrices for inference, with their weights in the layout of the processor's matrix kernels, in three formats.

On a CPU a weight is packed once for oneDNN. Compared with `torch.nn.functional.linear` in float32 (MKL), on two cores
with AVX-512, that reads 887 rows in 40 % of the time, and 8 rows cost little more than 1. benchmarks/RESULTS.md has the
speed of all formats, docs/operations.md the quality of their speech.

HalfLinear, float16 for a CPU with AVX2: half of float32's memory, and of what a step reads. FBGEMM reads the weight in
float16 and computes in float32, so that only the weight is rounded.

Int8Linear, 8-bit integers for a CPU: a quarter. A weight has one scale per output. Its input is rounded too, in 256
steps between the minimum and the maximum of its row. Sums are sums of integers, so the values of a row do not depend on
other rows. Norms, embeddings and the heads of the fine stage are not rounded; keys and values are float16 (`cache.py`).
"""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn
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

_BLOCK = 6
"""The rows that FBGEMM's AVX2 kernels multiply at once."""
_LEAST_OF_A_BLOCK = 3
"""With fewer rows in the last block, another kernel adds up in another order."""

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


def filled_up(x: Tensor, fewest: int = FEWEST_ROWS) -> Tensor:
    """Pad (rows, width) with rows of zeros to the minimum number of rows of a packed weight."""
    missing = fewest - x.shape[0]
    return x if missing <= 0 else functional.pad(x, (0, 0, 0, missing))


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


def half_is_supported() -> bool:
    """Return whether this processor has AVX2, and torch was built with FBGEMM."""
    engines = torch.backends.quantized.supported_engines
    return "fbgemm" in engines and bool(torch.cpu._is_avx2_supported())


def int8_is_supported() -> bool:
    """Return whether this processor multiplies numbers of 8 bits (AVX-512 VNNI) and oneDNN uses that.

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


def halve(model: Any) -> None:
    """Round the matrices of transformers' BarkModel (`matrices_of`) to float16 in place.

    Afterwards its three models only work through `cloning.bark.model.Transformer`.
    """
    for module in matrices_of(model):
        module.weight = nn.Parameter(module.weight.detach().half(), requires_grad=False)
        module.in_half = True


def quantise(model: Any) -> None:
    """Round the matrices of transformers' BarkModel (`matrices_of`) to 8 bits in place. Afterwards as for `halve`."""
    for module in matrices_of(model):
        weight, module.scales = rounded(module.weight.detach())
        module.weight = nn.Parameter(weight, requires_grad=False)


def matrices_of(model: Any) -> Iterator[Any]:
    """Yield the modules of transformers' BarkModel whose matrices a step reads whole.

    These are those of the blocks, and the heads of its causal models.
    """
    for part in (model.semantic, model.coarse_acoustics, model.fine_acoustics):
        for block in part.layers:
            yield from (block.attn.att_proj, block.attn.out_proj, block.mlp.in_proj, block.mlp.out_proj)
    for part in (model.semantic, model.coarse_acoustics):
        yield part.lm_head


def take_linear(module: Any, *, gelu: bool = False) -> Matrix:
    """Return a layer from a module and remove the module's weight, so that it is not in memory twice."""
    weight, bias = module.weight.detach(), None if module.bias is None else module.bias.detach()
    module.weight = None
    if weight.dtype == torch.int8:
        return Int8Linear(weight, module.scales, bias, gelu=gelu)
    if hasattr(module, "in_half"):
        return HalfLinear(weight, bias, gelu=gelu)
    return Linear(weight, bias, gelu=gelu)


def take_heads(module: Any, *outputs: slice | list[int]) -> list[Matrix]:
    """Return a layer for each selection of a head's outputs, and remove the module's weight."""
    weight, scales = module.weight.detach(), getattr(module, "scales", None)
    module.weight = None
    if scales is not None:
        return [Int8Linear(weight[some], scales[some]) for some in outputs]
    kind = HalfLinear if hasattr(module, "in_half") else Linear
    return [kind(weight[some]) for some in outputs]


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
