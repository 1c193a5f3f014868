"""The keys and values that a causal model has computed: preallocated, one slot per row of a batch."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cloning.bark.config import Shape
from cloning.bark.linear import MOST_ROWS

_SPAN = 128
"""Of float16, positions are read in multiples of this: fbgemm makes a kernel for each length of a row."""


class KeyValueCache:
    """`keys` and `values`, each (layers, slots, heads, block, head width). Nothing in it grows or moves.

    On a CPU half precision saves memory; attention is computed in float32, which is faster there, from a copy of one
    row at a time that fits the processor's caches.
    """

    def __init__(self, shape: Shape, slots: int, dtype: torch.dtype, device: torch.device) -> None:
        size = (shape.layers, slots, shape.heads, shape.block, shape.head_width)
        self._both = _zeros((2, *size), dtype, device)
        self.keys, self.values = self._both
        # Made once, since a step takes one of each layer and row: both (2, heads, block, head width), and each alone.
        self._pairs = [[self._both[:, layer, slot] for slot in range(slots)] for layer in range(shape.layers)]
        self._alone = [[(pair[:1], pair[1:]) for pair in pairs] for pairs in self._pairs]
        self._widened: Tensor | None = None
        if device.type == "cpu" and dtype != torch.float32:
            self._widened = _zeros((2, *size[2:]), torch.float32, device)

    def write(self, layer: int, slot: int, keys: Tensor, values: Tensor) -> None:
        """Write (heads, T, head width) at the beginning of a slot."""
        length = keys.shape[1]
        self.keys[layer, slot, :, :length] = keys
        self.values[layer, slot, :, :length] = values

    def append(self, layer: int, slots: Sequence[int], positions: Sequence[int], pairs: Tensor) -> None:
        """Write row i of (rows, 2, heads, head width), keys and values, at `positions[i]` of `slots[i]`."""
        for row, (slot, position) in enumerate(zip(slots, positions, strict=True)):
            self._pairs[layer][slot].select(2, position).copy_(pairs[row])

    def row(self, layer: int, slot: int, length: int) -> tuple[Tensor, Tensor]:
        """Return the keys and values of a slot's first positions, each (1, heads, length, head width).

        On a CPU they are float32; in half precision they are valid until the next call.
        """
        if self._widened is not None:
            pair = self._widened[:, :, :length].copy_(self._pairs[layer][slot][:, :, :length])
            return pair[:1], pair[1:]
        keys, values = self._alone[layer][slot]
        return keys.narrow(2, 0, length), values.narrow(2, 0, length)

    def attend(self, layer: int, slots: Sequence[int], lengths: Sequence[int], queries: Tensor, into: Tensor) -> None:
        """Attend from queries, float32 (rows, heads, head width), to the first positions of each row's slot.

        Writes into `into` (rows, heads * head width). There may be more queries than slots. A row's sums do not depend
        on the others: it goes row by row, which reads no more of the cache than necessary.
        """
        each = queries[:, None, :, None]  # (rows, 1, H, 1, D)
        places = into.view(each.shape)
        for row, (slot, length) in enumerate(zip(slots, lengths, strict=True)):
            keys, values = self.row(layer, slot, length)
            places[row] = functional.scaled_dot_product_attention(each[row], keys, values)

    def put(self, layer: int, positions: Tensor, keys: Tensor, values: Tensor) -> None:
        """Write row i of (rows, heads, head width) at `positions[i]` (on the device) of slot i."""
        slots = torch.arange(positions.shape[0], device=positions.device)
        self.keys[layer][slots, :, positions] = keys
        self.values[layer][slots, :, positions] = values

    def first(self, layer: int, slots: int, length: int) -> tuple[Tensor, Tensor]:
        """Return the keys and values of the first slots, each (slots, heads, length, head width), without a copy."""
        return self.keys[layer, :slots, :, :length], self.values[layer, :slots, :, :length]


class HalfCache:
    """The same in float16, for a CPU, which reads half as many bytes of them for a token.

    `keys` (layers, slots, heads, head width, block), `values` (layers, slots, heads, block, head width).

    Attention is two weighted sums: of the rows of transposed keys, each as long as there are positions, by the query's
    numbers, and of the values by their probabilities. torch's operator for bags of embeddings has a kernel for such
    sums over float16, with float32 sums inside; it takes half the time of attention in float32, where attention in
    float16 spends the time on conversion. Each row is computed for itself.
    """

    def __init__(self, shape: Shape, slots: int) -> None:
        self._heads, self._width, self._block = shape.heads, shape.head_width, shape.block
        size, cpu = (shape.layers, slots, shape.heads), torch.device("cpu")
        self.keys = _zeros((*size, self._width, self._block), torch.float16, cpu)
        self.values = _zeros((*size, self._block, self._width), torch.float16, cpu)
        # Made once, since a step takes one of each layer and row.
        self._slots = [list(zip(*pair, strict=True)) for pair in zip(self.keys, self.values, strict=True)]
        self._tables = [[(keys.flatten(0, 1), values.flatten(0, 1)) for keys, values in pairs] for pairs in self._slots]
        self._rows = torch.arange(self._heads * self._width, dtype=torch.int32)
        self._firsts = torch.arange(0, self._heads * self._width, self._width, dtype=torch.int32)
        self._numbers = torch.arange(self._heads, dtype=torch.int32)
        self._scale = 1 / math.sqrt(self._width)
        self._places = lru_cache(MOST_ROWS)(self._make_places)

    def write(self, layer: int, slot: int, keys: Tensor, values: Tensor) -> None:
        """See `KeyValueCache.write`."""
        length = keys.shape[1]
        self.keys[layer, slot, :, :, :length] = keys.transpose(1, 2)
        self.values[layer, slot, :, :length] = values

    def append(self, layer: int, slots: Sequence[int], positions: Sequence[int], pairs: Tensor) -> None:
        """See `KeyValueCache.append`."""
        for row, (slot, position) in enumerate(zip(slots, positions, strict=True)):
            keys, values = self._slots[layer][slot]
            keys.select(2, position).copy_(pairs[row, 0])
            values.select(1, position).copy_(pairs[row, 1])

    def attend(self, layer: int, slots: Sequence[int], lengths: Sequence[int], queries: Tensor, into: Tensor) -> None:
        """See `KeyValueCache.attend`."""
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


Cache = KeyValueCache | HalfCache


def _zeros(size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Allocate zeros; on a CPU lazily, so that unused slots take no memory."""
    if device.type != "cpu":
        return torch.zeros(size, dtype=dtype, device=device)
    return torch.from_numpy(np.zeros(math.prod(size) * dtype.itemsize, np.uint8)).view(dtype).view(size)


def _sums(table: Tensor, rows: Tensor, firsts: Tensor, weights: Tensor) -> Tensor:
    """Return one weighted sum of rows of the table for each of `firsts`."""
    sums: Tensor = torch.embedding_bag(table, rows, firsts, False, 0, False, weights)[0]
    return sums
