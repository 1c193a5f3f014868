"""The third stage: the first codebooks in, the others out, one book at a time over windows with full attention.

As `generate_fine` of `suno-ai/bark`. Windows overlap by the length of their history; a text shorter than a window is
padded, and the padding is predicted too, because later books attend to it. Windows of the same length of several
utterances can share a pass, each at its own book.
"""

import math
from typing import Any

import torch
from torch import Tensor

from cloning.bark.config import BarkSpec, Windows, refuse_beyond
from cloning.bark.linear import Linear
from cloning.bark.model import Transformer
from cloning.bark.sampling import Sampler
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from errors import ModelUnavailable

STAGE = "fine tokens"
"""The name of the stage, as members see it."""


class FineModel:
    """The model with its embeddings and heads.

    windows: with SHORT_HISTORY, half as many frames of the voice are read as in the reference, and windows end with the
    text, without padding. Then tokens differ from the reference's.
    """

    def __init__(self, module: Any, spec: BarkSpec, windows: Windows = Windows.EXACT) -> None:
        self.spec = spec
        short = windows is Windows.SHORT_HISTORY
        self.history: int = spec.max_fine_history // 2 if short else spec.max_fine_history
        """The most frames of the voice that are read."""
        self.shortest: int = 1 if short else spec.max_fine_input
        """The fewest frames of a window."""
        self.embeddings: list[Tensor] = [table.weight.detach() for table in module.input_embeds_layers]
        """(input vocabulary, width) for each book."""
        refuse_beyond(len(self.embeddings[0]), "fine", spec.codebook_size)
        if not spec.coarse_books < spec.fine_books <= len(self.embeddings):
            raise ModelUnavailable(
                f"This Bark checkpoint contradicts itself: its fine model has {len(self.embeddings)} codebooks, and is "
                f"to make {spec.fine_books} of {spec.coarse_books}. Download the model again."
            )
        given = module.config.n_codes_given
        heads = [head.weight.detach()[: spec.codebook_size] for head in module.lm_heads]
        self.heads = {given + index: Linear(head) for index, head in enumerate(heads)}
        """Book -> head with only its tokens."""
        for head in module.lm_heads:
            head.weight = None
        self.transformer = Transformer(module)

    def embed(self, codes: Tensor, book: int) -> Tensor:
        """Convert codes (T, books) to vectors (T, width) of the books up to and including `book`, whose tokens are old
        ones."""
        x = self.embeddings[0][codes[:, 0]]
        for other in range(1, book + 1):
            x = x + self.embeddings[other][codes[:, other]]
        return x


class FineWork:
    """One utterance in the third stage. `coarse` (coarse books, T), T at least 1."""

    def __init__(
        self,
        model: FineModel,
        coarse: Tokens,
        history: VoicePrompt | None,
        sampler: Sampler,
        reporter: ProgressReporter,
    ) -> None:
        spec = model.spec
        self._model = model
        self._sampler = sampler
        self._reporter = reporter
        self._frames = coarse.shape[1]
        past = coarse[:, :0] if history is None else history.fine[:, -model.history :]
        self._past = past.shape[1]
        length = max(model.shortest, self._past + self._frames)
        codes = torch.full((length, spec.fine_books), spec.codebook_size)
        codes[: self._past, : past.shape[0]] = torch.from_numpy(past.T.copy())
        codes[self._past : self._past + self._frames, : spec.coarse_books] = torch.from_numpy(coarse.T.copy())
        self._codes = codes.to(model.transformer.device)
        windows = 1 + max(0, math.ceil((self._frames + self._past - spec.max_fine_input) / spec.max_fine_history))
        self._books = spec.fine_books - spec.coarse_books
        self._passes: int = windows * self._books
        self._done = 0

    @property
    def codes(self) -> Tokens:
        """The generated codes, (fine books, T)."""
        codes: Tokens = self._codes[self._past : self._past + self._frames].T.contiguous().cpu().numpy()
        return codes

    @property
    def done(self) -> bool:
        """Whether every book of every window is filled."""
        return self._done == self._passes

    @property
    def book(self) -> int:
        """The book that the next pass fills."""
        return self._model.spec.coarse_books + self._done % self._books

    @property
    def length(self) -> int:
        """The number of frames of each of its windows."""
        return min(self._codes.shape[0], self._model.spec.max_fine_input)

    def check(self, layer: int) -> None:
        """Report progress, `layer` layers into the next pass. Raises Cancelled."""
        share = layer / self._model.transformer.shape.layers
        self._reporter.report(STAGE, (self._done + share) / self._passes)

    def given(self) -> tuple[Tensor, int]:
        """Return the input of the next pass, vectors (window, width), and its first position whose token is drawn."""
        window, first = self._window()
        return self._model.embed(window, self.book), first

    def take(self, hidden: Tensor) -> None:
        """Draw the book's tokens from the transformer's output at the positions (window - first, width)."""
        window, first = self._window()
        logits = self._model.heads[self.book](hidden)  # (window - first, codebook)
        window[first:, self.book] = self._sampler.draw(self._sampler.probabilities(logits))
        self._done += 1

    def _window(self) -> tuple[Tensor, int]:
        """Return the codes in the next pass, (window, books), and the first position that it fills."""
        spec, length = self._model.spec, self._codes.shape[0]
        reached = self._done // self._books * spec.max_fine_history
        start = min(reached, max(0, length - spec.max_fine_input))
        begin = min(self._past + reached, max(self._past, length - spec.max_fine_history))
        return self._codes[start : start + spec.max_fine_input], begin - start


class Refiner:
    """Runs any number of utterances. The oldest shares each pass with up to `together` - 1 of the same length."""

    def __init__(self, model: FineModel, together: int) -> None:
        self._model = model
        self._together = together
        self._works: list[FineWork] = []

    def add(self, work: FineWork) -> None:
        """Add an utterance."""
        self._works.append(work)

    def step(self) -> list[tuple[FineWork, Exception | None]]:
        """Fill one book of one window for the oldest utterances.

        Returns the works that have left: done, or with the exception that ended them.
        """
        if not self._works:
            return []
        works = [work for work in self._works if work.length == self._works[0].length][: self._together]
        errors = self._fill(works)
        left = [(work, errors.get(work)) for work in works if work.done or work in errors]
        for work, _ in left:
            self._works.remove(work)
        return left

    def clear(self) -> None:
        """Remove all works."""
        self._works.clear()

    def _fill(self, works: list[FineWork]) -> dict[FineWork, Exception]:
        """Run a pass for all of `works`; return those that are cancelled meanwhile, with their exceptions."""
        given = [work.given() for work in works]
        vectors = torch.stack([seen for seen, _ in given])  # (works, window, width)
        ticker = _Ticker(works)
        try:
            hidden = self._model.transformer.run_windows(vectors, [first for _, first in given], ticker)
        except _NobodyWaits:
            return ticker.errors
        for work, said in zip(works, hidden, strict=True):
            if work not in ticker.errors:
                work.take(said)
        return ticker.errors


class _NobodyWaits(Exception):
    """All works of a pass were cancelled."""


class _Ticker:
    """Reports every work's progress layer by layer, and records cancelled works."""

    def __init__(self, works: list[FineWork]) -> None:
        self._works = works
        self._layer = 0
        self.errors: dict[FineWork, Exception] = {}

    def __call__(self) -> None:
        for work in self._works:
            if work not in self.errors:
                self._check(work)
        if len(self.errors) == len(self._works):
            raise _NobodyWaits
        self._layer += 1

    def _check(self, work: FineWork) -> None:
        try:
            work.check(self._layer)
        except Exception as error:
            self.errors[work] = error
