"""The size of a transformer, and the memory that a batch of it needs. Free of torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Shape:
    """One of Bark's three models. `block` is the most positions it knows."""

    layers: int
    heads: int
    width: int
    block: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Of a sub-model's configuration. The defaults are transformers'."""
        return cls(
            layers=config.get("num_layers", 12),
            heads=config.get("num_heads", 12),
            width=config.get("hidden_size", 768),
            block=config.get("block_size", 1024),
        )

    @property
    def head_width(self) -> int:
        """Channels of an attention head."""
        return self.width // self.heads

    def cache_bytes(self, slots: int, itemsize: int) -> int:
        """What a cache for so many rows weighs."""
        return 2 * self.layers * slots * self.block * self.width * itemsize
