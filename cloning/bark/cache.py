"""The keys and values that a causal model has computed: preallocated, one slot for each row of a batch."""

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

    def append(self, layer: int, slots: Tensor, positions: Tensor, keys: Tensor, values: Tensor) -> None:
        """Put (rows, heads, head width) at `positions` (rows,) of `slots` (rows,)."""
        self.keys[layer, slots, :, positions] = keys
        self.values[layer, slots, :, positions] = values
