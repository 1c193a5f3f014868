"""The first stage: text tokens and the voice's last semantic tokens in, semantic tokens out, one at a time.

As `generate_text_semantic` of `suno-ai/bark`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cloning.bark.config import BarkSpec, InputLayout, refuse_beyond
from cloning.bark.linear import Matrix, take_heads
from cloning.bark.model import Transformer
from cloning.bark.sampling import END, Sampler
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens

STAGE = "semantic tokens"
"""The name of the stage, as members see it."""


class SemanticModel:
    """The model with its embeddings and head. Implements `cloning.bark.decoding.CausalModel`."""

    def __init__(self, module: Any, spec: BarkSpec, layout: InputLayout) -> None:
        self.spec = spec
        self.layout = layout
        self.embeddings: Tensor = module.input_embeds_layer.weight.detach()
        """(input vocabulary, width)"""
        given = (layout.text_offset, layout.text_pad, layout.semantic_end, layout.semantic_infer)
        refuse_beyond(len(self.embeddings), "semantic", spec.semantic_vocab - 1, *given)
        refuse_beyond(len(module.lm_head.weight), "semantic", spec.semantic_vocab - 1, layout.semantic_end)
        rows = [*range(spec.semantic_vocab), layout.semantic_end]
        self.heads: Sequence[Matrix] = take_heads(module.lm_head, rows)
        """One head with only the tokens that can be drawn: every semantic token, then the end."""
        self.offsets: Sequence[int] = [0]
        self.vocabulary = len(rows)
        self.end: int | None = spec.semantic_vocab
        self.transformer = Transformer(module)

    def refuse_text_beyond(self, last: int) -> None:
        """Raise Unavailable unless the vocabulary has the tokenizer's ids, of which `last` is the highest."""
        refuse_beyond(len(self.embeddings), "semantic", self.layout.text_offset + last, source="tokenizer")

    def context(self, text: Sequence[int], history: Tokens | None) -> Tensor:
        """Return the input vectors (max_text_tokens + 1, width) of a text's ids and of semantic tokens.

        At most `max_text_tokens` ids. The vectors of text and history are added, each padded at its end; the infer
        token follows.
        """
        room, layout = self.spec.max_text_tokens, self.layout
        spoken = [] if history is None else history[-room:].tolist()
        words = [token + layout.text_offset for token in text]
        words += [layout.text_pad] * (room - len(words))
        spoken += [layout.semantic_end] * (room - len(spoken))
        ids = torch.tensor([words, spoken], device=self.embeddings.device)
        return torch.cat([self.embeddings[ids].sum(0), self.embeddings[layout.semantic_infer][None]])


class SemanticRow:
    """One utterance in the first stage. Implements `cloning.bark.decoding.Row`.

    limit: the maximum number of tokens. min_eos_p: the speech ends when its end is at least this likely; 0 switches
    that off.
    """

    def __init__(
        self, context: Tensor, *, limit: int, min_eos_p: float, sampler: Sampler, reporter: ProgressReporter
    ) -> None:
        self.min_eos_p = min_eos_p
        self.sampler = sampler
        self._context = context
        self._limit = limit
        self._reporter = reporter
        self.tokens: list[int] = []
        """The generated tokens, without the end."""

    @property
    def missing(self) -> int:
        """The number of tokens up to the limit."""
        return self._limit - len(self.tokens)

    def check(self) -> None:
        """Report progress. Raises Cancelled."""
        self._reporter.report(STAGE, min(1.0, len(self.tokens) / self._limit))

    def turn(self, ahead: int) -> int:
        """Return 0, the only head."""
        return 0

    def reads(self, ahead: int) -> bool:
        """Return whether no token has been drawn yet."""
        return not self.tokens and not ahead

    def context(self) -> Tensor:
        """Return text, history and the infer token."""
        return self._context

    def take(self, token: int) -> bool:
        """Take a token. The speech goes on until its end or its limit."""
        if token == END:
            return True
        self.tokens.append(token)
        return not self.missing
