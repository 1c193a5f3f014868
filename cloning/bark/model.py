"""The transformer of Bark's three models: pre-norm, exact GELU, learned positions, separate heads.

Three ways to run it: `read` takes a row's whole context, `step` one more token of each row of a batch (for a GPU:
`step_within`), and `see` a window with full attention. The stages convert tokens to vectors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cloning.bark.cache import Cache, HalfCache, KeyValueCache
from cloning.bark.config import Shape
from cloning.bark.linear import HalfLinear, Int8Linear, Matrix, filled_up, take_linear

_EPSILON = 1e-5
"""The epsilon of torch's and Suno's layer norms."""


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer norm; Suno's causal models have no bias in it."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it to the last dimension."""
        return torch.layer_norm(x, self.weight.shape, self.weight, self.bias, _EPSILON)


@dataclass(frozen=True, slots=True)
class Layer:
    """One block. `projection` computes queries, keys and values at once."""

    norm_1: Norm
    projection: Matrix
    attention_out: Matrix
    norm_2: Norm
    widen: Matrix
    narrow: Matrix

    @property
    def linears(self) -> tuple[Matrix, ...]:
        """The block's matrices."""
        return self.projection, self.attention_out, self.widen, self.narrow

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Compute the part after attention: x and attended (rows, width) -> (rows, width)."""
        x = x + self.attention_out(attended)
        return x + self.narrow(self.widen(self.norm_2(x)))


class Transformer:
    """Built from one of transformers' sub-models, whose matrices it takes over; the sub-model cannot be used
    afterwards."""

    def __init__(self, module: Any) -> None:
        self.shape = Shape.from_config(module.config.to_dict())
        self.positions: Tensor = module.position_embeds_layer.weight.detach()
        """(block, width)"""
        self._layers = [_take_layer(layer) for layer in module.layers]
        self._last = _norm(module.layernorm_final)
        self._fewest_rows = max(linear.fewest_rows for layer in self._layers for linear in layer.linears)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.positions.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of everything but rounded matrices."""
        return self.positions.dtype

    @property
    def nbytes(self) -> int:
        """The bytes of matrices that a step reads, without heads and embeddings."""
        return sum(linear.nbytes for layer in self._layers for linear in layer.linears)

    def cache(self, slots: int) -> Cache:
        """Return a cache for `slots` rows: in float16 if the matrices are rounded, else in the model's precision."""
        if isinstance(self._layers[0].projection, Int8Linear | HalfLinear):
            return HalfCache(self.shape, slots)
        return KeyValueCache(self.shape, slots, self.dtype, self.device)

    def read(self, x: Tensor, cache: Cache, slot: int) -> Tensor:
        """Read the context of one row, (T, width) without positions -> the output of its last position, (1, width)."""
        x = x + self.positions[: x.shape[0]]
        for number, layer in enumerate(self._layers):
            queries, keys, values = self._project(layer, x)  # each (H, T, D)
            cache.write(number, slot, keys, values)
            if number == len(self._layers) - 1:  # the other positions are not read any more
                x, queries = x[-1:], queries[:, -1:]
            attended = functional.scaled_dot_product_attention(
                queries[None], keys[None], values[None], is_causal=queries.shape[1] > 1
            )
            x = layer.finish(x, _merged(attended[0]))
        return self._last(x)

    def step(self, x: Tensor, cache: Cache, slots: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """Read one token for each row, (rows, width) without positions -> (rows, width).

        The cache holds `lengths[i]` positions of row i in `slots[i]`, and one more afterwards.
        """
        rows = x.shape[0]
        x = filled_up(x + self.positions[torch.tensor(lengths, device=self.device)], self._fewest_rows)
        attended = torch.zeros_like(x)
        seen = [length + 1 for length in lengths]
        for number, layer in enumerate(self._layers):
            projected = layer.projection(layer.norm_1(x)).view(x.shape[0], 3, self.shape.heads, -1)  # (rows, 3, H, D)
            cache.append(number, slots, lengths, projected[:, 1:])
            cache.attend(number, slots, seen, projected[:, 0].float(), attended)
            x = layer.finish(x, attended)
        return self._last(x[:rows])

    def step_within(self, x: Tensor, cache: KeyValueCache, lengths: Tensor, span: int) -> Tensor:
        """Do the same for the rows in the first slots, where only values in tensors change (for CUDA graphs).

        `lengths` int64 (rows,) on the device, all below `span`, the number of positions that are read or masked.
        """
        rows, heads = x.shape[0], self.shape.heads
        theirs = torch.arange(span, device=self.device) <= lengths[:, None]  # (rows, T)
        x = x + self.positions[lengths]
        for number, layer in enumerate(self._layers):
            projected = layer.projection(layer.norm_1(x)).view(rows, 3, heads, -1)
            queries, keys, values = projected.unbind(1)
            cache.put(number, lengths, keys, values)
            attended = functional.scaled_dot_product_attention(
                queries[:, :, None], *cache.first(number, rows, span), attn_mask=theirs[:, None, None]
            )  # (rows, H, 1, D)
            x = layer.finish(x, attended.reshape(rows, -1))
        return self._last(x)

    def run_windows(self, x: Tensor, firsts: Sequence[int], tick: Callable[[], None]) -> list[Tensor]:
        """Run windows of the same length, (windows, T, width) without positions, which share the weights.

        Return the output of each from its position of `firsts` on, (T - first, width). `tick` is called before every
        layer, since one pass of a large model takes seconds on a CPU.
        """
        windows, length, width = x.shape
        x = (x + self.positions[:length]).view(windows * length, width)
        for number, layer in enumerate(self._layers):
            tick()
            projected = layer.projection(layer.norm_1(x)).view(windows, length, 3, self.shape.heads, -1)
            queries, keys, values = projected.permute(2, 0, 3, 1, 4)  # each (windows, H, T, D)
            if number < len(self._layers) - 1:
                attended = functional.scaled_dot_product_attention(queries, keys, values)
                x = layer.finish(x, attended.transpose(1, 2).reshape(windows * length, width))
                continue
            x = torch.cat([x[i * length + first : (i + 1) * length] for i, first in enumerate(firsts)])
            spoken = [
                _merged(
                    functional.scaled_dot_product_attention(
                        queries[i : i + 1, :, first:], keys[i : i + 1], values[i : i + 1]
                    )[0]
                )
                for i, first in enumerate(firsts)
            ]
            x = layer.finish(x, torch.cat(spoken))
        return list(torch.split(self._last(x), [length - first for first in firsts]))

    def _project(self, layer: Layer, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(T, width) -> queries, keys and values, each (H, T, D)."""
        projected = layer.projection(layer.norm_1(x)).view(x.shape[0], 3, self.shape.heads, -1)
        queries, keys, values = projected.permute(1, 2, 0, 3)
        return queries, keys, values


def _merged(x: Tensor) -> Tensor:
    """(H, T, D) -> (T, H * D)"""
    return x.transpose(0, 1).reshape(x.shape[1], -1)


def _take_layer(module: Any) -> Layer:
    return Layer(
        norm_1=_norm(module.layernorm_1),
        projection=take_linear(module.attn.att_proj),
        attention_out=take_linear(module.attn.out_proj),
        norm_2=_norm(module.layernorm_2),
        widen=take_linear(module.mlp.in_proj, gelu=True),
        narrow=take_linear(module.mlp.out_proj),
    )


def _norm(module: Any) -> Norm:
    return Norm(module.weight.detach(), None if module.bias is None else module.bias.detach())
