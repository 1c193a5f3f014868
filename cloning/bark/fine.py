"""The third stage: the first codebooks in, the other ones out, a book at a time over windows that see themselves whole.

As `generate_fine` of `suno-ai/bark`. Windows overlap by what they have of history; a text shorter than a window is
filled up, and the filling is predicted too, because later books look at it.
"""

import math
from typing import Any

import torch
from torch import Tensor

from cloning.bark.config import BarkSpec
from cloning.bark.linear import Linear
from cloning.bark.model import Transformer
from cloning.bark.sampling import Sampler
from cloning.prompt import Tokens, VoicePrompt
from cloning.watch import Watch

STAGE = "fine tokens"
"""As members see it."""


class FineModel:
    """The model and what it takes to ask it."""

    def __init__(self, module: Any, spec: BarkSpec) -> None:
        self.spec = spec
        self.embeddings: list[Tensor] = [table.weight.detach() for table in module.input_embeds_layers]
        """(input vocabulary, width) for each book."""
        given = module.config.n_codes_given
        heads = [head.weight.detach()[: spec.codebook_size] for head in module.lm_heads]
        self.heads = {given + index: Linear(head) for index, head in enumerate(heads)}
        """Book -> what says its tokens only."""
        for head in module.lm_heads:
            head.weight = None
        self.transformer = Transformer(module)

    def embed(self, codes: Tensor, book: int) -> Tensor:
        """Codes (T, books) -> vectors (T, width) of the books up to and with `book`, whose own tokens are old ones."""
        x = self.embeddings[0][codes[:, 0]]
        for other in range(1, book + 1):
            x = x + self.embeddings[other][codes[:, other]]
        return x


class FineWork:
    """One utterance in the third stage. `coarse` (coarse books, T), T at least 1."""

    def __init__(
        self, model: FineModel, coarse: Tokens, history: VoicePrompt | None, sampler: Sampler, watch: Watch
    ) -> None:
        spec = model.spec
        self._model = model
        self._sampler = sampler
        self._watch = watch
        self._frames = coarse.shape[1]
        past = coarse[:, :0] if history is None else history.fine[:, -spec.max_fine_history :]
        self._past = past.shape[1]
        length = max(spec.max_fine_input, self._past + self._frames)
        codes = torch.full((length, spec.fine_books), spec.codebook_size)
        codes[: self._past, : past.shape[0]] = torch.from_numpy(past.T.copy())
        codes[self._past : self._past + self._frames, : spec.coarse_books] = torch.from_numpy(coarse.T.copy())
        self._codes = codes.to(model.transformer.device)
        windows = 1 + max(0, math.ceil((self._frames + self._past - spec.max_fine_input) / spec.max_fine_history))
        self._passes: int = windows * (spec.fine_books - spec.coarse_books)
        self._done = 0

    @property
    def codes(self) -> Tokens:
        """What has been generated, (fine books, T)."""
        codes: Tokens = self._codes[self._past : self._past + self._frames].T.contiguous().cpu().numpy()
        return codes

    def advance(self) -> bool:
        """One pass: one book of one window. Returns whether that was the last. Raises Cancelled."""
        if self._done < self._passes:
            window, book = divmod(self._done, self._model.spec.fine_books - self._model.spec.coarse_books)
            self._fill(window, self._model.spec.coarse_books + book)
            self._done += 1
        return self._done == self._passes

    def _fill(self, window: int, book: int) -> None:
        spec = self._model.spec
        length = self._codes.shape[0]
        start = min(window * spec.max_fine_history, length - spec.max_fine_input)
        begin = min(self._past + window * spec.max_fine_history, length - spec.max_fine_history)
        seen = self._codes[start : start + spec.max_fine_input]
        hidden = self._model.transformer.see(self._model.embed(seen, book), begin - start, self._ticker())
        logits = self._model.heads[book](hidden)  # (T - first, codebook)
        seen[begin - start :, book] = self._sampler.draw(self._sampler.probabilities(logits))

    def _ticker(self) -> "_Ticker":
        return _Ticker(self._watch, self._done / self._passes, 1 / self._passes / self._model.transformer.shape.layers)


class _Ticker:
    """Reports progress layer by layer."""

    def __init__(self, watch: Watch, start: float, share: float) -> None:
        self._watch = watch
        self._fraction = start
        self._share = share

    def __call__(self) -> None:
        self._watch.report(STAGE, min(1.0, self._fraction))
        self._fraction += self._share
