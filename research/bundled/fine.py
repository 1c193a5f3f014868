"""Train the fine model on windows exactly as `cloning.bark.fine` builds them.

A window holds all books of the frames before its position, and for the other frames the books generated so far. The
targets are the next book of every frame. Frames whose next book is among the inputs are targets too, since windows
overlap and the engine generates some frames twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from research.bundled.gpt import TIED_SPREAD, TransformerRunner, align, cross_entropy, new_fine, spread_like, to_device
from research.bundled.layout import (
    BOOKS,
    COARSE_BOOKS,
    CODEBOOK_SIZE,
    FINE_FRAMES,
    FINE_FRAMES_BEFORE,
    FINE_PAD,
    Size,
)
from research.bundled.speech import Joined, Numbers, SpeechTokens, draw_joined
from training.loop import TOKENS, NotLearning

GATE_STEP = 1000
LEAST_GAIN = 0.5
"""Minimum difference, in nats, between the loss of a uniform guess and book 3's loss."""

_ALONE, _WHOLE_PROMPT = 0.2, 0.8
"""See `draw_joined`."""
_WRONG = 0.05
"""The share of codes in the earlier books that are replaced by random ones."""
_VALIDATION_ROWS = 16


@dataclass(frozen=True)
class FineWindows:
    """A batch of windows: `inputs` (B, frames, book + 1), and `targets` (B, frames), the codes of their last book.

    `known` (B, frames) marks the frames that exist, `asked` (B, frames) those whose target is not among the inputs.
    """

    inputs: Numbers
    targets: Numbers
    known: NDArray[np.bool_]
    asked: NDArray[np.bool_]


def windows_of(rows: Joined) -> Numbers:
    """Return the number of windows of each row, (B,)."""
    beyond = rows.before + rows.length - FINE_FRAMES
    count: Numbers = 1 + np.maximum(0, -(-beyond // FINE_FRAMES_BEFORE))
    return count


def windows(speech: SpeechTokens, rows: Joined, window: Numbers, book: int, random: np.random.Generator) -> FineWindows:
    """Return the inputs and targets for `book` (from 0) in window number `window` (B,) of each row.

    Frames that do not exist have random codes in the books that the engine would have generated before.
    """
    length = np.maximum(FINE_FRAMES, rows.before + rows.length)
    start = np.minimum(window * FINE_FRAMES_BEFORE, length - FINE_FRAMES)
    begin = np.minimum(rows.before + window * FINE_FRAMES_BEFORE, length - FINE_FRAMES_BEFORE)
    filled_before = np.where(window > 0, (window - 1) * FINE_FRAMES_BEFORE + FINE_FRAMES, 0)
    frames = start[:, None] + np.arange(FINE_FRAMES)
    places, exists = rows.places(frames)
    codes = speech.codes_at(places, frames < rows.before[:, None], book + 1)
    inputs = np.where(exists[..., None], codes, FINE_PAD)
    inputs[..., COARSE_BOOKS:book] = np.where(
        exists[..., None],
        inputs[..., COARSE_BOOKS:book],
        random.integers(0, CODEBOOK_SIZE, (*exists.shape, book - COARSE_BOOKS)),
    )
    asked = frames >= np.maximum(begin, filled_before)[:, None]
    inputs[..., book] = np.where(asked, FINE_PAD, inputs[..., book])
    return FineWindows(inputs, codes[..., book], exists, asked & exists)


def draw_windows(speech: SpeechTokens, random: np.random.Generator, rows: int) -> tuple[Joined, Numbers]:
    """Draw rows, and a window number for each, (B,)."""
    joined = draw_joined(speech, random, rows, most_before=FINE_FRAMES_BEFORE, alone=_ALONE, whole=_WHOLE_PROMPT)
    return joined, (random.random(rows) * windows_of(joined)).astype(np.int64)


def spoil(inputs: Numbers, random: np.random.Generator) -> Numbers:
    """Replace some codes in the books before the last by random ones: in use, those books are predictions."""
    drawn = random.integers(0, CODEBOOK_SIZE, inputs.shape)
    wrong = (random.random(inputs.shape) < _WRONG) & (inputs != FINE_PAD)
    wrong[..., -1] = False
    return np.where(wrong, drawn, inputs)


class FineJob:
    """Trains a fine model, for training/loop.py. `codebooks` (books, entries, latent): the vectors of the codes."""

    def __init__(
        self,
        size: Size,
        train: SpeechTokens,
        valid: SpeechTokens,
        codebooks: Tensor,
        *,
        batch: int,
        device: torch.device,
    ) -> None:
        self.module: Any = new_fine(size)
        align(self.module, torch.arange(FINE_FRAMES))
        for table, codebook in zip(self.module.input_embeds_layers, codebooks, strict=True):
            spread_like(table.weight[:CODEBOOK_SIZE], codebook, TIED_SPREAD)
        self._train = train
        self._batch = batch
        self._device = device
        self._run = TransformerRunner(device)
        random = np.random.default_rng(0)
        self._validation = [
            windows(valid, *draw_windows(valid, random, _VALIDATION_ROWS), book, random)
            for book in range(COARSE_BOOKS, BOOKS)
        ]

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the mean loss of one random book, which is the same for the whole batch."""
        book = int(random.integers(COARSE_BOOKS, BOOKS))
        batch = windows(self._train, *draw_windows(self._train, random, self._batch), book, random)
        losses = self._losses(self._spoiled(batch.inputs, random), batch.targets)
        asked = self._mean(losses, batch.asked).detach()
        return self._mean(losses, batch.known), {"asked": asked, TOKENS: float(batch.targets.size)}

    def validate(self) -> dict[str, float]:
        """Return the loss of every book on held-out clips, for frames whose target is not among the inputs."""
        losses = [
            float(self._mean(self._losses(batch.inputs, batch.targets), batch.asked)) for batch in self._validation
        ]
        books = {f"book {book + 1}": loss for book, loss in enumerate(losses, COARSE_BOOKS)}
        return {"loss": float(np.mean(losses)), **books}

    def check(self, step: int, figures: Mapping[str, float]) -> None:
        """Raise NotLearning if book 3's loss is not LEAST_GAIN below that of a guess from step GATE_STEP on."""
        first = figures[f"book {COARSE_BOOKS + 1}"]
        most = float(np.log(CODEBOOK_SIZE)) - LEAST_GAIN
        if step >= GATE_STEP and first > most:
            raise NotLearning(
                f"After {step} steps the fine model's loss of book 3 is {first:.2f} nats, more than {most:.2f}. "
                "Check the codes and the initialisation."
            )

    def _losses(self, inputs: Numbers, targets: Numbers) -> Tensor:
        """Return losses (B, frames)."""
        ids = to_device(inputs, self._device)
        book = inputs.shape[-1] - 1
        x = self.module.input_embeds_layers[0](ids[..., 0])
        for other in range(1, book + 1):
            x = x + self.module.input_embeds_layers[other](ids[..., other])
        head = self.module.lm_heads[book - self.module.config.n_codes_given].weight[:CODEBOOK_SIZE]
        return self._loss_of(self._run(self.module, x, causal=False) @ head.T, targets, book)

    def _spoiled(self, inputs: Numbers, random: np.random.Generator) -> Numbers:
        """Return the inputs to learn from."""
        return spoil(inputs, random)

    def _loss_of(self, logits: Tensor, targets: Numbers, _book: int) -> Tensor:
        """Return losses (B, frames) of logits (B, frames, entries)."""
        return cross_entropy(logits, to_device(targets, self._device))

    def _mean(self, losses: Tensor, where: NDArray[np.bool_]) -> Tensor:
        mean: Tensor = (losses * to_device(where, self._device)).sum() / where.sum()
        return mean
