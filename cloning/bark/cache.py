"""The keys and values that a causal model has computed: preallocated, one slot for each row of a batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cloning.bark.shape import Shape


class KeyValueCache:
    """`keys` and `values`, each (layers, slots, heads, block, head width). Nothing in it ever grows or moves."""

    def __init__(self, shape: Shape, slots: int, dtype: torch.dtype, device: torch.device) -> None:
        size = (shape.layers, slots, shape.heads, shape.block, shape.head_width)
        self.keys = torch.zeros(size, dtype=dtype, device=device)
        self.values = torch.zeros(size, dtype=dtype, device=device)

    def write(self, layer: int, slot: int, keys: Tensor, values: Tensor) -> None:
        """Put (heads, T, head width) at the beginning of a slot."""
        length = keys.shape[1]
        self.keys[layer, slot, :, :length] = keys
        self.values[layer, slot, :, :length] = values

    def append(self, layer: int, slots: Sequence[int], positions: Sequence[int], keys: Tensor, values: Tensor) -> None:
        """Put row i of (rows, heads, head width) at `positions[i]` of `slots[i]`."""
        for row, (slot, position) in enumerate(zip(slots, positions, strict=True)):
            self.keys[layer, slot, :, position] = keys[row]
            self.values[layer, slot, :, position] = values[row]
