"""The codec's teacher: a log-mel autoencoder with residual codebooks, which defines the codes of a sound.

The bundled EnCodec is trained on the frozen teacher's codes and has its codebooks. The teacher is trained for codes
that a transformer predicts easily: the first two books must identify the phones (an auxiliary loss predicts the
semantic tokens from them alone), a few books must be intelligible (quantizer dropout), and a code depends on little
more than its frame. Mel spectra have no phase, so the codes contain none.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cloning.checkpoints.weights import load_into, load_state
from research.bundled.clip_buffer import ClipBuffer
from research.bundled.layout import COARSE_BOOKS, SILENT
from research.bundled.residual_quantizer import ResidualQuantizer
from research.bundled.spectra import FrameMel
from training.loop import NotLearning
from training.noise import equalise, gain

BOOKS = 8
CODEBOOK_SIZE = 512
LATENT = 64
"""The shape of the bundled codec: 8 x 9 bits x 50 frames = 3.6 kbit/s."""

_WIDTH = 160
_PHONE_CONTEXT = 5
_GAIN = (-12.0, 4.0)
"""The range of random gains in dB, since recordings differ in level."""
_EQUALISER = 2.0
"""Standard deviation of the random equalisers in dB."""
_CONTEXT = 2
"""Frames to either side that the encoder's convolutions see."""

MARGIN = _CONTEXT + FrameMel.MARGIN
"""Frames at either end of a crop whose latents differ from those of the whole sound."""


class Teacher(nn.Module):
    """Mel spectra -> latents -> codes -> latents -> mel spectra, and semantic tokens from the first two books.

    `symbols` is the number of semantic tokens.
    """

    steps: Tensor  # the number of trained batches

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.mel = FrameMel()
        self.encoder = nn.Sequential(
            nn.Conv1d(FrameMel.CHANNELS, _WIDTH, 3, padding=1),
            _Residual(_WIDTH, 3),
            _Residual(_WIDTH, 1),
            nn.Conv1d(_WIDTH, LATENT, 1),
        )
        self.quantizer = ResidualQuantizer(BOOKS, CODEBOOK_SIZE, LATENT)
        self.decoder = nn.Sequential(
            nn.Conv1d(LATENT, _WIDTH, 3, padding=1),
            *(_Residual(_WIDTH, 5) for _ in range(3)),
            nn.Conv1d(_WIDTH, FrameMel.CHANNELS, 1),
        )
        self.phones = nn.ModuleList(
            nn.Conv1d(LATENT, symbols, _PHONE_CONTEXT, padding=_PHONE_CONTEXT // 2) for _ in range(2)
        )
        self.register_buffer("steps", torch.tensor(0))

    @torch.no_grad()
    def latents(self, samples: Tensor) -> Tensor:
        """Return the latents before quantization, float32 (B, T, LATENT), of float (B, T * HOP), two frames or more."""
        with torch.autocast(samples.device.type, enabled=False):
            encoded: Tensor = self.encoder(self.mel(samples))
        return encoded.transpose(1, 2)

    @torch.no_grad()
    def encode(self, samples: Tensor) -> Tensor:
        """Return the codes, int64 (B, BOOKS, T), of float (B, T * HOP)."""
        return self.quantizer.encode(self.latents(samples))


class _Residual(nn.Module):
    """A residual block of convolutions. Frames are normalised one by one, independently of the clip's length."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.back = nn.Conv1d(width, width, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        normed = self.norm(hidden.transpose(1, 2)).transpose(1, 2)
        change: Tensor = self.back(functional.gelu(self.wide(normed)))
        return hidden + change


def load_teacher(weights: Path, device: torch.device) -> Teacher:
    """Load the frozen teacher of a finished run. In the fine books, the vector of the code SILENT is set to zero.

    Raises Unavailable if the file is missing or damaged.
    """
    state = load_state(weights)
    teacher = Teacher(symbols=len(state.get("phones.0.bias", ())))
    load_into(teacher, state, weights)
    teacher.quantizer.embed[COARSE_BOOKS:, SILENT] = 0.0
    return teacher.to(device).eval().requires_grad_(False)


class TeacherJob:
    """Trains a teacher on crops of a buffer, for training/loop.py.

    In the first `warmup` steps latents are not quantized; then the codebooks are initialised by k-means over crops.
    """

    _FRAMES = 75
    _VALID_CROPS = 48
    _COMMITMENT = 0.1
    _PHONES = 0.05
    _CLUSTER_BATCHES = 12
    _BOOK_SHARES = (0.1, 0.35, 0.05, 0.05, 0.05, 0.05, 0.05, 0.3)
    """The shares of items with only their first 1, 2, ... books. The coarse model generates two books."""

    def __init__(self, teacher: Teacher, train: ClipBuffer, valid: ClipBuffer, batch: int, warmup: int) -> None:
        self.module = teacher
        self._train, self._batch, self._warmup = train, batch, warmup
        self._valid = valid.crops(np.random.default_rng(0), self._VALID_CROPS, self._FRAMES)

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the spectral error plus the weighted commitment loss and phone cross-entropy of one batch."""
        teacher = self.module
        if not teacher.quantizer.ready and teacher.steps >= self._warmup:
            batches = [teacher.latents(self._crops(random)[0]) for _ in range(self._CLUSTER_BATCHES)]
            teacher.quantizer.begin(torch.cat(batches).flatten(0, 1), random)
        teacher.steps += 1
        samples, semantic = self._crops(random)
        spectra = teacher.mel(samples)
        latents = teacher.encoder(spectra).transpose(1, 2).float()
        if not teacher.quantizer.ready:
            error = _error(teacher.decoder(latents.transpose(1, 2)), spectra)
            return error, {"spectra": error.detach()}
        used = torch.from_numpy(1 + random.choice(BOOKS, self._batch, p=self._BOOK_SHARES))
        quantized = teacher.quantizer(latents, used.to(latents.device), random)
        error = _error(teacher.decoder(quantized.latents.transpose(1, 2)), spectra)
        phones = torch.stack(
            [
                functional.cross_entropy(head(books.transpose(1, 2)), semantic)
                for head, books in zip(teacher.phones, (quantized.first, quantized.second), strict=True)
            ]
        ).mean()
        total = error + self._COMMITMENT * quantized.commitment + self._PHONES * phones
        return total, {
            "spectra": error.detach(),
            "commitment": quantized.commitment.detach(),
            "phones": phones.detach(),
        }

    def validate(self) -> dict[str, float]:
        """Return the spectral error with 8, 2 and 1 books in dB, and figures of the codes.

        "loss" combines the errors with 8 and 2 books. "phones_1" and "phones_2" are the shares of right semantic tokens
        from one and two books, "entries_1" and "entries_8" the numbers of used entries of books 1 and 8.
        """
        teacher = self.module
        samples, semantic = self._valid
        spectra = teacher.mel(samples)
        codes = teacher.encode(samples)
        figures = {}
        for books in (BOOKS, 2, 1):
            restored = teacher.decoder(teacher.quantizer.decode(codes[:, :books]).transpose(1, 2))
            figures[f"dB_{books}"] = FrameMel.decibels((restored - spectra).abs().mean())
        for books, head in enumerate(teacher.phones, start=1):
            guess = head(teacher.quantizer.decode(codes[:, :books]).transpose(1, 2)).argmax(dim=1)
            figures[f"phones_{books}"] = float((guess == semantic).float().mean())
        use = teacher.quantizer.perplexity()
        return {"loss": figures["dB_8"] + figures["dB_2"], **figures, "entries_1": use[0], "entries_8": use[-1]}

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise NotLearning if under an eighth of the first codebook is used, from 1000 steps after the warm-up on."""
        if step >= self._warmup + 1_000 and figures["entries_1"] < CODEBOOK_SIZE / 8:
            raise NotLearning(
                f"The first codebook uses only {figures['entries_1']:.0f} of {CODEBOOK_SIZE} entries; lower the rate."
            )

    def _crops(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        samples, semantic = self._train.crops(random, self._batch, self._FRAMES)
        return varied(samples, random), semantic


def varied(samples: Tensor, random: np.random.Generator) -> Tensor:
    """Return crops (B, N) with random levels and equalisation, as recordings have."""
    return equalise(gain(samples, random, *_GAIN), random, _EQUALISER)


def _error(restored: Tensor, spectra: Tensor) -> Tensor:
    """Return the mean absolute error plus half the mean square error of scaled spectra."""
    difference = restored.float() - spectra
    return difference.abs().mean() + 0.5 * difference.square().mean()
