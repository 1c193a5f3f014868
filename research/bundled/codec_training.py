"""Train the EnCodec with its teacher: the decoder on the teacher's frozen codes, the encoder on its latents."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from research.bundled.clip_buffer import ClipBuffer
from research.bundled.residual_quantizer import ResidualQuantizer
from research.bundled.spectra import HOP, SpectralLoss
from research.bundled.teacher import BOOKS, MARGIN, Teacher, varied
from training.loop import NotLearning
from training.noise import add_noise

_VALID_CROPS = 32


class DecoderJob:
    """Trains a SEANet decoder to restore sound from the teacher's codes, for training/loop.py."""

    _FRAMES = 32
    _BOOK_SHARES = (0.0, 0.2, 0.04, 0.04, 0.04, 0.04, 0.04, 0.6)
    """The shares of items with only their first 1, 2, ... books, so that two books alone become intelligible."""

    def __init__(self, decoder: nn.Module, teacher: Teacher, train: ClipBuffer, valid: ClipBuffer, batch: int) -> None:
        self.module = decoder
        self._teacher, self._train, self._batch = teacher, train, batch
        self.spectral = SpectralLoss().to(train.samples.device)
        self._valid = valid.crops(np.random.default_rng(0), _VALID_CROPS, self._crop)[0]

    def example(self) -> Tensor:
        """Return quantized latents (B, LATENT, T), the decoder's input."""
        return self._latents(self._valid, torch.full((len(self._valid),), BOOKS, device=self._valid.device))

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the spectral loss of one batch of crops."""
        return self.spectral(*self.restored(random)), {}

    def restored(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return one batch of crops without margins, decoded and original, (B, N) each."""
        latents, target = self._examples(random)
        decoded: Tensor = self.module(latents)
        return decoded[:, 0], target

    def validate(self) -> dict[str, float]:
        """Return the spectral loss with 8 and with 2 books; "loss" is their mean, weighted 3 to 1."""
        figures = {}
        for books in (BOOKS, 2):
            used = torch.full((len(self._valid),), books, device=self._valid.device)
            restored = self.module(self._latents(self._valid, used))
            figures[f"books_{books}"] = float(self.spectral(restored[:, 0], inner(self._valid)))
        return {"loss": 0.75 * figures["books_8"] + 0.25 * figures["books_2"], **figures}

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise NotLearning if the loss is over 1.8 from step 2000 on: silence has about 3, the first words 1.6."""
        if step >= 2_000 and figures["loss"] > 1.8:
            raise NotLearning(f"The decoder's spectral loss is {figures['loss']:.2f} after {step} steps; start again.")

    @property
    def _crop(self) -> int:
        """The number of frames of a crop with both margins."""
        return self._FRAMES + 2 * MARGIN

    def _examples(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return the latents (B, LATENT, T) of one batch of crops, and the crops (B, N), without margins."""
        samples, _ = self._train.crops(random, self._batch, self._crop)
        samples = varied(samples, random)
        used = torch.from_numpy(1 + random.choice(BOOKS, self._batch, p=self._BOOK_SHARES))
        return self._latents(samples, used.to(samples.device)), inner(samples)

    def _latents(self, samples: Tensor, used: Tensor) -> Tensor:
        with torch.no_grad():
            codes = self._teacher.encode(samples)[:, :, MARGIN:-MARGIN]
            return self._teacher.quantizer.decode(codes, used).transpose(1, 2)


class EncoderJob:
    """Trains a SEANet encoder to predict the teacher's latents and codes from noisy sound, for training/loop.py.

    The target is the teacher's output for the clean sound, so that noise does not reach the codes.
    """

    _FRAMES = 64
    _CODES = 0.3
    """The weight of the codes' cross-entropy; the latents' error, relative to their variance, has weight 1."""
    _NOISE = (8.0, 45.0)  # signal-to-noise ratios in dB
    _NOISY = 0.6  # the share of items with noise

    def __init__(self, encoder: nn.Module, teacher: Teacher, train: ClipBuffer, valid: ClipBuffer, batch: int) -> None:
        self.module = encoder
        self._teacher, self._train, self._batch = teacher, train, batch
        self._valid = valid.crops(np.random.default_rng(0), _VALID_CROPS, self._FRAMES + 2 * MARGIN)[0]
        latents = teacher.latents(self._valid)
        self._variance = latents.var()
        self._spread = residual_spread(teacher.quantizer, latents)
        self.level = float(latents.std())
        """Standard deviation of the target latents."""

    def example(self) -> Tensor:
        """Return samples (B, 1, N), the encoder's input."""
        return self._valid[:, None]

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the latents' error plus the weighted cross-entropy of the codes, for one batch of crops."""
        samples, _ = self._train.crops(random, self._batch, self._FRAMES + 2 * MARGIN)
        samples = varied(samples, random)
        wanted = self._teacher.latents(samples)
        latents = self._encode(add_noise(samples, random, *self._NOISE, self._NOISY))
        error, codes = self._errors(latents, wanted)
        return error + self._CODES * codes, {"latents": error.detach(), "codes": codes.detach()}

    def validate(self) -> dict[str, float]:
        """Return the errors on clean sound, and the shares of frames with the teacher's code in books 1, 2 and 8."""
        wanted = self._teacher.latents(self._valid)
        latents = self._encode(self._valid)
        error, codes = self._errors(latents, wanted)
        same = self._teacher.quantizer.encode(latents) == self._teacher.quantizer.encode(wanted)
        agreement = same[:, :, MARGIN:-MARGIN].float().mean(dim=(0, 2))
        return {
            "loss": float(error + self._CODES * codes),
            "latents": float(error),
            **{f"same_{book}": float(agreement[book - 1]) for book in (1, 2, BOOKS)},
        }

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise NotLearning if the error is over 60 % of the latents' variance from step 2000 on."""
        if step >= 2_000 and figures["latents"] > 0.6:
            raise NotLearning(
                f"The encoder misses {figures['latents']:.0%} of the latents' variance after {step} steps; start again."
            )

    def _encode(self, samples: Tensor) -> Tensor:
        latents: Tensor = self.module(samples[:, None])
        return latents.transpose(1, 2).float()

    def _errors(self, latents: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean square error relative to the variance, and the codes' cross-entropy, without the margins.

        Each entry of a book is scored by its distance from the residual after the teacher's earlier entries, as a
        Gaussian whose variance combines the book's own error and the encoder's.
        """
        latents, wanted = latents[:, MARGIN:-MARGIN].flatten(0, 1), wanted[:, MARGIN:-MARGIN].flatten(0, 1)
        square = (latents - wanted).square().mean()
        quantizer, entropies = self._teacher.quantizer, []
        codes = quantizer.encode(wanted[None])[0]
        for book, (code, spread) in enumerate(zip(codes, self._spread, strict=True)):
            entries = quantizer.embed[book]
            distances = entries.square().sum(dim=1) - 2 * latents @ entries.T
            entropies.append(functional.cross_entropy(-distances / (spread + 2 * square.detach()), code))
            latents = latents - entries[code]
        return square / self._variance, torch.stack(entropies).mean()


def residual_spread(quantizer: ResidualQuantizer, latents: Tensor) -> Tensor:
    """Return (books,): twice the mean square error per dimension of latents (B, T, D), quantized up to each book."""
    codes = quantizer.encode(latents)
    left = [latents - quantizer.decode(codes[:, : book + 1]) for book in range(quantizer.books)]
    return torch.stack([2 * residual.square().mean() for residual in left])


def inner(samples: Tensor) -> Tensor:
    """Return crops (B, N) without their margins."""
    return samples[:, MARGIN * HOP : -MARGIN * HOP]
