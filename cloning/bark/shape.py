"""The size of a transformer, and the memory of a batch. Does not import torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of one of Bark's three models. `block` is the maximum number of positions."""

    layers: int
    heads: int
    width: int
    block: int

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read a sub-model's configuration. The defaults are transformers'."""
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

    @property
    def matrices(self) -> int:
        """The number of values in the matrices of its blocks."""
        return 12 * self.layers * self.width**2

    @property
    def cache(self) -> int:
        """The number of values in the keys and values of one row."""
        return 2 * self.layers * self.block * self.width


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The memory of an engine in bytes: its weights, and the caches of a full batch."""

    weights: int
    caches: int

    @classmethod
    def for_bark(
        cls,
        config: Mapping[str, Any],
        *,
        batch: int,
        itemsize: int,
        matrix_itemsize: int | None = None,
        cache_itemsize: int | None = None,
    ) -> Self:
        """Compute the plan of a checkpoint's `config.json` with `itemsize` bytes per number.

        `matrix_itemsize`: the bytes per number of matrices and of the causal models' heads, if they differ;
        `cache_itemsize`: of caches. Activations and the codec are not included.
        """
        weights = caches = 0
        for stage in ("semantic_config", "coarse_acoustics_config", "fine_acoustics_config"):
            part = config.get(stage) or {}
            shape = Shape.from_config(part)
            is_causal = stage != "fine_acoustics_config"
            books = 1 if is_causal else part.get("n_codes_total", 8)
            matrix_bytes = matrix_itemsize or itemsize
            weights += shape.matrices * matrix_bytes
            weights += (shape.block + books * part.get("input_vocab_size", 10_048)) * shape.width * itemsize
            head_bytes = matrix_bytes if is_causal else itemsize
            weights += books * part.get("output_vocab_size", 10_048) * shape.width * head_bytes
            caches += batch * shape.cache * (cache_itemsize or itemsize) if is_causal else 0
        return cls(weights, caches)
