"""Continue the training of the fine model: it learns to predict only codes that it is sure of, and SILENT elsewhere.

A book of the codec has 512 vectors in 64 dimensions. The squared distance of two vectors is about twice their mean
square, so a wrong vector sounds worse than none. A fine model trained by cross-entropy alone adds such noise in all
books that it cannot predict. Here the loss is the expected squared error of the vectors of the codes that the model
would draw, relative to their mean square: 1 for silence, about 2 for a guess.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cloning.checkpoints.weights import load_into, load_state
from research.bundled.fine import FineJob, spoil
from research.bundled.gpt import to_device
from research.bundled.layout import COARSE_BOOKS, FINE_PAD, SILENT, Size
from research.bundled.speech import Numbers, SpeechTokens
from training.loop import NotLearning

GATE_STEP = 400


class DistortionJob(FineJob):
    """Continues the training of a fine model from the `weights` of a FineJob. The other arguments are FineJob's."""

    def __init__(
        self,
        weights: Path,
        size: Size,
        train: SpeechTokens,
        valid: SpeechTokens,
        codebooks: Tensor,
        *,
        batch: int,
        device: torch.device,
    ) -> None:
        super().__init__(size, train, valid, codebooks, batch=batch, device=device)
        load_into(self.module, load_state(weights), weights)
        self._distortions = distortions(codebooks[COARSE_BOOKS:]).to(device)

    def check(self, step: int, figures: Mapping[str, float]) -> None:
        """Raise NotLearning if book 3 is no better than silence from step GATE_STEP on."""
        first = figures[f"book {COARSE_BOOKS + 1}"]
        if step >= GATE_STEP and first >= 1:
            raise NotLearning(
                f"After {step} steps the error of book 3 is {first:.2f}, but that of silence is 1. "
                "Check the codes, and train the step fine for longer."
            )

    def _spoiled(self, inputs: Numbers, random: np.random.Generator) -> Numbers:
        return silence(spoil(inputs, random), random)

    def _loss_of(self, logits: Tensor, targets: Numbers, book: int) -> Tensor:
        table = self._distortions[book - COARSE_BOOKS]
        expected: Tensor = (torch.softmax(logits.float(), -1) * table[to_device(targets, self._device)]).sum(-1)
        return expected


def distortions(codebooks: Tensor) -> Tensor:
    """Return the squared distances of all pairs of vectors, relative to the mean square of each book's vectors.

    codebooks: (books, entries, latent). The result is (books, entries, entries).
    """
    squares = codebooks.square().sum(-1).mean(-1)
    return torch.cdist(codebooks, codebooks).square() / squares[:, None, None]


def silence(inputs: Numbers, random: np.random.Generator) -> Numbers:
    """Replace a random share of each row's codes by SILENT, in the fine books before the last, as predicted in use."""
    share = random.random((len(inputs), 1, 1))
    silent = (random.random(inputs.shape) < share) & (inputs != FINE_PAD)
    silent[..., :COARSE_BOOKS] = False
    silent[..., -1] = False
    return np.where(silent, SILENT, inputs)
