"""The keys and values that a causal model has computed: preallocated, one slot per row of a batch."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cloning.bark.config import Shape


class Cache(Protocol):
    """What a step on a CPU uses of a cache."""

    def write(self, layer: int, slot: int, keys: Tensor, values: Tensor) -> None:
        """Write (heads, T, head width) at the beginning of a slot."""

    def append(self, layer: int, slots: Sequence[int], positions: Sequence[int], pairs: Tensor) -> None:
        """Write row i of (rows, 2, heads, head width), keys and values, at `positions[i]` of `slots[i]`."""

    def attend(self, layer: int, slots: Sequence[int], lengths: Sequence[int], queries: Tensor, into: Tensor) -> None:
        """Attend from queries, float32 (rows, heads, head width), to the first positions of each row's slot.

        Writes into `into` (rows, heads * head width). There may be more queries than slots. A row's sums do not depend
        on the others.
        """


class KeyValueCache:
    """Implements Cache. `keys` and `values`, each (layers, slots, heads, block, head width).

    Nothing in it grows or moves.

    On a CPU half precision saves memory; attention is computed in float32, which is faster there, from a copy of one
    row at a time that fits the processor's caches.
    """

    def __init__(self, shape: Shape, slots: int, dtype: torch.dtype, device: torch.device) -> None:
        size = (shape.layers, slots, shape.heads, shape.block, shape.head_width)
        self._both = zeros((2, *size), dtype, device)
        self.keys, self.values = self._both
        # Made once, since a step takes one of each layer and row: both (2, heads, block, head width), and each alone.
        self._pairs = [[self._both[:, layer, slot] for slot in range(slots)] for layer in range(shape.layers)]
        self._alone = [[(pair[:1], pair[1:]) for pair in pairs] for pairs in self._pairs]
        self._widened: Tensor | None = None
        if device.type == "cpu" and dtype != torch.float32:
            self._widened = zeros((2, *size[2:]), torch.float32, device)

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
        """See `Cache`: row by row, which reads no more of the cache than necessary."""
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


def zeros(size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Allocate zeros; on a CPU lazily, so that unused slots take no memory."""
    if device.type != "cpu":
        return torch.zeros(size, dtype=dtype, device=device)
    return torch.from_numpy(np.zeros(math.prod(size) * dtype.itemsize, np.uint8)).view(dtype).view(size)
