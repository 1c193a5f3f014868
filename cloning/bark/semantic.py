"""The first stage: text tokens and the voice's last semantic tokens in, semantic tokens out, one at a time.

As `generate_text_semantic` of `suno-ai/bark`. Knows nothing of batches.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cloning.bark.config import BarkSpec
from cloning.bark.linear import Linear
from cloning.bark.model import Transformer
from cloning.bark.sampling import END, Sampler
from cloning.bark.special_tokens import Recipe
from cloning.progress import Watch
from cloning.prompt import Tokens

STAGE = "semantic tokens"
"""As members see it."""


class SemanticModel:
    """The model and what it takes to ask it. Implements `cloning.bark.batch.CausalModel`."""

    def __init__(self, module: Any, spec: BarkSpec, recipe: Recipe) -> None:
        self.spec = spec
        self.recipe = recipe
        self.embeddings: Tensor = module.input_embeds_layer.weight.detach()
        """(input vocabulary, width)"""
        rows = [*range(spec.semantic_vocab), recipe.semantic_end]
        self.heads: Sequence[Linear] = [Linear(module.lm_head.weight.detach()[rows])]
        """One, which says only what can win: every semantic token, then the end."""
        self.offsets: Sequence[int] = [0]
        self.vocabulary = len(rows)
        self.end: int | None = spec.semantic_vocab
        module.lm_head.weight = None
        self.transformer = Transformer(module)

    def context(self, text: Sequence[int], history: Tokens | None) -> Tensor:
        """The tokenizer's ids, at most `max_text_tokens`, and semantic tokens -> vectors (max_text_tokens + 1, width).

        Text and history lie on top of each other, each filled up at its end; behind them stands the infer token.
        """
        room, recipe = self.spec.max_text_tokens, self.recipe
        spoken = [] if history is None else history[-room:].tolist()
        words = [token + recipe.text_offset for token in text]
        words += [recipe.text_pad] * (room - len(words))
        spoken += [recipe.semantic_end] * (room - len(spoken))
        ids = torch.tensor([words, spoken], device=self.embeddings.device)
        return torch.cat([self.embeddings[ids].sum(0), self.embeddings[recipe.semantic_infer][None]])


class SemanticRow:
    """One utterance in the first stage. Implements `cloning.bark.decoding.Row`.

    limit: the most tokens. min_eos_p: the speech ends when its end is at least this likely; 0 switches that off.
    """

    def __init__(self, context: Tensor, *, limit: int, min_eos_p: float, sampler: Sampler, watch: Watch) -> None:
        self.min_eos_p = min_eos_p
        self.sampler = sampler
        self._context = context
        self._limit = limit
        self._watch = watch
        self.tokens: list[int] = []
        """What has been generated, without the end."""

    @property
    def missing(self) -> int:
        """How many tokens there are up to the limit."""
        return self._limit - len(self.tokens)

    def check(self) -> None:
        """Report progress. Raises Cancelled."""
        self._watch.report(STAGE, min(1.0, len(self.tokens) / self._limit))

    def turn(self, ahead: int) -> int:
        """There is one head."""
        return 0

    def reads(self, ahead: int) -> bool:
        """Before the first token."""
        return not self.tokens and not ahead

    def context(self) -> Tensor:
        """Text, history and the infer token."""
        return self._context

    def take(self, token: int) -> bool:
        """The speech goes on until its end or its limit."""
        if token == END:
            return True
        self.tokens.append(token)
        return not self.missing
