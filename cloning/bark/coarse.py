"""The second stage: semantic tokens in, the first codebooks' tokens out, interleaved.

As `generate_coarse` of `suno-ai/bark`: after every window the model gets the semantic tokens around the current
position and the last coarse tokens. While neither has moved, the cache still holds them, and nothing is read again.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cloning.bark.config import BarkSpec, InputLayout, refuse_beyond
from cloning.bark.linear import Matrix, take_heads
from cloning.bark.model import Transformer
from cloning.bark.sampling import Sampler
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt

STAGE = "coarse tokens"
"""The name of the stage, as members see it."""


class CoarseModel:
    """The model with its embeddings and heads. Implements `cloning.bark.decoding.CausalModel`."""

    def __init__(self, module: Any, spec: BarkSpec, layout: InputLayout) -> None:
        self.spec = spec
        self.layout = layout
        self.embeddings: Tensor = module.input_embeds_layer.weight.detach()
        """(input vocabulary, width)"""
        self.offsets: Sequence[int] = [
            spec.semantic_vocab + book * spec.codebook_size for book in range(spec.coarse_books)
        ]
        last = spec.semantic_vocab + spec.coarse_books * spec.codebook_size - 1
        refuse_beyond(len(self.embeddings), "coarse", last, layout.coarse_pad, layout.coarse_infer)
        refuse_beyond(len(module.lm_head.weight), "coarse", last)
        books = [slice(offset, offset + spec.codebook_size) for offset in self.offsets]
        self.heads: Sequence[Matrix] = take_heads(module.lm_head, *books)
        """One for each book, with only its tokens."""
        self.vocabulary = spec.codebook_size
        self.end: int | None = None
        self.transformer = Transformer(module)

    def flat(self, codes: Tokens) -> list[int]:
        """Convert codes (books, T) to ids of this model's vocabulary, interleaved."""
        ids: list[int] = (codes + np.array(self.offsets)[:, None]).T.ravel().tolist()
        return ids


class CoarseRow:
    """One utterance in the second stage. Implements `cloning.bark.decoding.Row`. `semantic` is not empty."""

    def __init__(
        self,
        model: CoarseModel,
        semantic: list[int],
        history: VoicePrompt | None,
        sampler: Sampler,
        reporter: ProgressReporter,
    ) -> None:
        spec = model.spec
        self.sampler = sampler
        self.min_eos_p = 0.0
        self._model = model
        self._reporter = reporter
        self._ratio = spec.frame_rate / spec.semantic_rate * spec.coarse_books  # coarse tokens per semantic token
        self._most_semantic = int(model.layout.coarse_history / self._ratio)
        past_semantic, self._coarse = self._histories(history)
        self._semantic = past_semantic + semantic
        self._before_semantic, self._before_coarse = len(past_semantic), len(self._coarse)
        self._total = spec.frames(len(semantic)) * spec.coarse_books
        self._done = 0
        self._held: tuple[int, int] | None = None
        """Where the cached semantic and coarse tokens begin."""

    @property
    def missing(self) -> int:
        """The number of tokens still to generate, from the number of semantic tokens."""
        return self._total - self._done

    @property
    def codes(self) -> Tokens:
        """The generated codes, (books, T)."""
        spec = self._model.spec
        ids = np.array(self._coarse[self._before_coarse :], np.int64).reshape(-1, spec.coarse_books).T
        codes: Tokens = (ids - spec.semantic_vocab) % spec.codebook_size
        return codes

    def check(self) -> None:
        """Report progress. Raises Cancelled."""
        self._reporter.report(STAGE, self._done / self._total)

    def turn(self, ahead: int) -> int:
        """Return the book that is next."""
        return (self._done + ahead) % self._model.spec.coarse_books

    def reads(self, ahead: int) -> bool:
        """Return whether a window begins whose context differs from the cache."""
        if (self._done + ahead) % self._model.layout.coarse_window:
            return False
        return self._begin(ahead) != self._held

    def context(self) -> Tensor:
        """Return the semantic tokens around the current position and the last coarse tokens."""
        self._held = self._begin(0)
        return self._given(*self._held)

    def take(self, token: int) -> bool:
        """Append a token of the current book."""
        self._coarse.append(self._model.offsets[self.turn(0)] + token)
        self._done += 1
        return not self.missing

    def _histories(self, voice: VoicePrompt | None) -> tuple[list[int], list[int]]:
        """Return the voice's semantic and coarse tokens that are used, equally long in time."""
        if voice is None:
            return [], []
        semantic, coarse = voice.semantic.tolist(), self._model.flat(voice.coarse)
        used = min(self._most_semantic, len(semantic) - len(semantic) % 2, int(len(coarse) / self._ratio))
        # Suno drops the last frame, "for time alignment (sounds better)".
        return semantic[-used:], coarse[-round(used * self._ratio) :][: -self._model.spec.coarse_books]

    def _begin(self, ahead: int) -> tuple[int, int]:
        """Return where the context begins in the semantic and in the coarse tokens."""
        place = self._before_semantic + round((self._done + ahead) / self._ratio)
        coarse = len(self._coarse) + ahead
        return max(0, place - self._most_semantic), max(0, coarse - self._model.layout.coarse_history)

    def _given(self, semantic_begin: int, coarse_begin: int) -> Tensor:
        layout = self._model.layout
        semantic = self._semantic[semantic_begin:][: layout.coarse_input]
        semantic += [layout.coarse_pad] * (layout.coarse_input - len(semantic))
        ids = [*semantic, layout.coarse_infer, *self._coarse[coarse_begin:]]
        return self._model.embeddings[torch.tensor(ids, device=self._model.embeddings.device)]
