"""The device state of a batch of rows and one step of it: the cache, the last tokens, and the samplers.

Tokens stay on the device; reading them waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cloning.bark.cache import KeyValueCache
from cloning.bark.half_cache import HalfCache
from cloning.bark.linear import Matrix
from cloning.bark.model import Transformer
from cloning.bark.sampling import BatchSampler, Sampler


class CausalModel(Protocol):
    """A causal model with its embeddings and heads."""

    transformer: Transformer
    heads: Sequence[Matrix]
    """Each predicts its own tokens; all have the same number."""
    embeddings: Tensor
    """(input vocabulary, width)"""
    offsets: Sequence[int]
    """For each head, the offset of its tokens in `embeddings`."""
    vocabulary: int
    """The number of tokens of a head."""
    end: int | None
    """The token that ends the speech, which is never read; None: nothing ends it."""


@dataclass(frozen=True, slots=True)
class RowState:
    """The state of a row before a step: its slot, the number of cached positions, and the head that is next."""

    slot: int
    length: int
    turn: int


class Batch:
    """State of `slots` rows, any of which may step together. For a CPU: reads no more than necessary."""

    def __init__(self, model: CausalModel, slots: int) -> None:
        transformer = model.transformer
        self.model = model
        self.cache: KeyValueCache | HalfCache = transformer.cache(slots)
        self.sampling = BatchSampler(slots, model.vocabulary, model.end, transformer.device)
        self._last = torch.zeros(slots, dtype=torch.int64, device=transformer.device)
        self._offsets = torch.tensor(model.offsets, device=transformer.device)

    def read(self, context: Tensor, slot: int, turn: int, sampler: Sampler) -> Tensor:
        """Read a row's context, (T, width), and draw its next token -> int64 (1,)."""
        self.sampling.draw_noise(slot, sampler)
        hidden = self.model.transformer.read(context, self.cache, slot)
        rows = slice(slot, slot + 1)
        tokens = self.sampling.choose(self.model.heads[turn](hidden), rows, keep_all=sampler.keeps_all)
        self._last[rows] = tokens.clamp(min=0) + self._offsets[turn]
        return tokens

    def step(self, states: Sequence[RowState], samplers: Sequence[Sampler]) -> Tensor:
        """Read every row's last token and draw its next one -> int64 (rows,), or END."""
        for state, sampler in zip(states, samplers, strict=True):
            self.sampling.draw_noise(state.slot, sampler)
        slots, lengths = [state.slot for state in states], [state.length for state in states]
        rows, turns = torch.tensor(slots), torch.tensor([state.turn for state in states])
        lasts = self.model.embeddings[self._last[rows]]
        hidden = self.model.transformer.step(lasts, self.cache, slots, lengths)
        logits = self._logits(hidden, turns, sorted({state.turn for state in states}))
        tokens = self.sampling.choose(logits, rows, keep_all=all(sampler.keeps_all for sampler in samplers))
        self._last[rows] = tokens.clamp(min=0) + self._offsets[turns]
        return tokens

    def _logits(self, hidden: Tensor, turns: Tensor, heads: Sequence[int]) -> Tensor:
        """Return the logits of each row's own head, if all are among `heads`.

        A head computes all rows: its cost is reading its weight.
        """
        logits = self.model.heads[heads[0]](hidden)
        for head in heads[1:]:
            logits = torch.where((turns == head)[:, None], self.model.heads[head](hidden), logits)
        return logits
