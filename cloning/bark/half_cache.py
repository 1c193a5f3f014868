"""Keys and values in float16, for a CPU, which reads half as many bytes of them for a token.

Attention is two weighted sums: of the rows of transposed keys, each as long as there are positions, by the query's
numbers, and of the values by their probabilities. torch's operator for bags of embeddings has a kernel for such sums
over float16, with float32 sums inside; it takes half the time of attention in float32, where attention in float16
spends the time on conversion. Each row is computed for itself.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from cloning.bark.cache import zeros
from cloning.bark.config import Shape
from cloning.bark.linear import MOST_ROWS

_SPAN = 128
"""Positions are read in multiples of this: fbgemm makes a kernel for each length of a row."""


class HalfCache:
    """Implements `cloning.bark.cache.Cache`. `keys` (layers, slots, heads, head width, block), `values` (layers, slots,
    heads, block, head width). Nothing in it grows or moves."""

    def __init__(self, shape: Shape, slots: int) -> None:
        self._heads, self._width, self._block = shape.heads, shape.head_width, shape.block
        size, cpu = (shape.layers, slots, shape.heads), torch.device("cpu")
        self.keys = zeros((*size, self._width, self._block), torch.float16, cpu)
        self.values = zeros((*size, self._block, self._width), torch.float16, cpu)
        # Made once, since a step takes one of each layer and row.
        self._slots = [list(zip(*pair, strict=True)) for pair in zip(self.keys, self.values, strict=True)]
        self._tables = [[(keys.flatten(0, 1), values.flatten(0, 1)) for keys, values in pairs] for pairs in self._slots]
        self._rows = torch.arange(self._heads * self._width, dtype=torch.int32)
        self._firsts = torch.arange(0, self._heads * self._width, self._width, dtype=torch.int32)
        self._numbers = torch.arange(self._heads, dtype=torch.int32)
        self._scale = 1 / math.sqrt(self._width)
        self._places = lru_cache(MOST_ROWS)(self._make_places)

    def write(self, layer: int, slot: int, keys: Tensor, values: Tensor) -> None:
        """Write (heads, T, head width) at the beginning of a slot."""
        length = keys.shape[1]
        self.keys[layer, slot, :, :, :length] = keys.transpose(1, 2)
        self.values[layer, slot, :, :length] = values

    def append(self, layer: int, slots: Sequence[int], positions: Sequence[int], pairs: Tensor) -> None:
        """Write row i of (rows, 2, heads, head width), keys and values, at `positions[i]` of `slots[i]`."""
        for row, (slot, position) in enumerate(zip(slots, positions, strict=True)):
            keys, values = self._slots[layer][slot]
            keys.select(2, position).copy_(pairs[row, 0])
            values.select(1, position).copy_(pairs[row, 1])

    def attend(self, layer: int, slots: Sequence[int], lengths: Sequence[int], queries: Tensor, into: Tensor) -> None:
        """See `Cache`."""
        scaled = (queries * self._scale).half().flatten(1)  # (rows, H * D)
        for row, (slot, length) in enumerate(zip(slots, lengths, strict=True)):
            keys, values = self._tables[layer][slot]
            span = min(-(-length // _SPAN) * _SPAN, self._block)
            scores = _sums(keys[:, :span], self._rows, self._firsts, scaled[row])  # (H, span)
            shares = scores[:, :length].softmax(-1).flatten()
            into[row] = _sums(values, *self._places(length), shares).flatten()

    def _make_places(self, length: int) -> tuple[Tensor, Tensor]:
        """Return the rows of the first positions in the table of all heads' values, and where each head begins."""
        places = (self._numbers * self._block)[:, None] + torch.arange(length, dtype=torch.int32)
        return places.flatten(), self._numbers * length


def _sums(table: Tensor, rows: Tensor, firsts: Tensor, weights: Tensor) -> Tensor:
    """Return one weighted sum of rows of the table for each of `firsts`."""
    sums: Tensor = torch.embedding_bag(table, rows, firsts, False, 0, False, weights)[0]
    return sums
