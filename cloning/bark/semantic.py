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
from cloning.bark.recipe import Recipe
from cloning.bark.sampling import Sampler
from cloning.prompt import Tokens
from cloning.watch import Watch

STAGE = "semantic tokens"
"""As members see it."""


class SemanticModel:
    """The model and what it takes to ask it."""

    def __init__(self, module: Any, spec: BarkSpec, recipe: Recipe) -> None:
        self.spec = spec
        self.recipe = recipe
        self.embeddings: Tensor = module.input_embeds_layer.weight.detach()
        """(input vocabulary, width)"""
        rows = [*range(spec.semantic_vocab), recipe.semantic_end]
        self.head = Linear(module.lm_head.weight.detach()[rows])
        """Says only what can win: every semantic token, then the end."""
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

    head = 0

    def __init__(
        self, model: SemanticModel, context: Tensor, *, limit: int, min_eos_p: float, sampler: Sampler, watch: Watch
    ) -> None:
        self._embeddings = model.embeddings
        self._end = model.spec.semantic_vocab
        self._context: Tensor | None = context
        self._limit = limit
        self._min_eos_p = min_eos_p
        self._sampler = sampler
        self._watch = watch
        self.tokens: list[int] = []
        """What has been generated, without the end."""

    def check(self) -> None:
        """Report progress. Raises Cancelled."""
        self._watch.report(STAGE, min(1.0, len(self.tokens) / self._limit))

    def context(self) -> Tensor | None:
        """Everything, before the first token."""
        return self._context

    def last(self) -> Tensor:
        """The vector of the token before."""
        return self._embeddings[self.tokens[-1]]

    def take(self, logits: Tensor) -> bool:
        """Draw; the end may be drawn, or likely enough to be taken anyway."""
        self._context = None
        probabilities = self._sampler.probabilities(logits)
        token = int(self._sampler.draw(probabilities[None]))
        likely = self._min_eos_p > 0 and float(probabilities[self._end]) >= self._min_eos_p
        if token == self._end or likely:
            return True
        self.tokens.append(token)
        return len(self.tokens) == self._limit
