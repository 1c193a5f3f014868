"""Residual vector quantization with codebooks whose entries are running means of their inputs.

Each book quantizes the residual of the books before it (Zeghidour et al. 2021, SoundStream, section III.C). Books are
initialised by k-means and updated by exponential means instead of gradients (van den Oord et al. 2017, appendix A.1);
unused entries are replaced by random inputs.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

_KMEANS_ROUNDS = 12
_CLUSTER_FLOOR = 1e-5
_REVIVE_BELOW = 0.02
"""An entry that is chosen less often than this share of the mean is replaced."""


class Quantized(NamedTuple):
    """The result of `ResidualQuantizer.forward`."""

    latents: Tensor
    """(B, T, D): the sum of the chosen entries. Gradients pass unchanged to the input, here and below."""
    first: Tensor
    """(B, T, D): the entries of the first book."""
    second: Tensor
    """(B, T, D): the sum of the entries of the first two books."""
    commitment: Tensor
    """Scalar: the mean square distance of the inputs from the sums of entries, over all books in use."""


class ResidualQuantizer(nn.Module):
    """`books` codebooks of `size` entries with `width` numbers each."""

    embed: Tensor  # (books, size, width)
    counts: Tensor  # (books, size): running number of inputs per batch that chose the entry
    sums: Tensor  # (books, size, width): running sum of those inputs
    ready: Tensor

    def __init__(self, books: int, size: int, width: int, decay: float = 0.99) -> None:
        super().__init__()
        self.books, self.size, self._decay = books, size, decay
        self.register_buffer("embed", torch.zeros(books, size, width))
        self.register_buffer("counts", torch.ones(books, size))
        self.register_buffer("sums", torch.zeros(books, size, width))
        self.register_buffer("ready", torch.tensor(False))

    @torch.no_grad()
    def begin(self, latents: Tensor, random: np.random.Generator) -> None:
        """Initialise every book by k-means over the residuals of `latents` (N, D), N at least `size`."""
        residual = latents.float()
        for book in range(self.books):
            start = torch.from_numpy(random.choice(len(residual), self.size, replace=False)).to(residual.device)
            entries, choice = residual[start].clone(), self._choose(residual, residual[start])
            for _ in range(_KMEANS_ROUNDS):
                counts, sums = self._totals(residual, choice)
                full = counts > 0
                entries[full] = sums[full] / counts[full, None]
                choice = self._choose(residual, entries)
            counts, _ = self._totals(residual, choice)
            self.embed[book] = entries
            self.counts[book] = counts.clamp(min=1.0) / counts.sum() * self.size
            self.sums[book] = entries * self.counts[book, :, None]
            residual = residual - entries[choice]
        self.ready.fill_(True)

    def encode(self, latents: Tensor) -> Tensor:
        """Quantize (B, T, D); return int64 codes (B, books, T)."""
        residual = latents.float()
        codes = []
        for book in range(self.books):
            choice = self._choose(residual.flatten(0, 1), self.embed[book]).view(residual.shape[:2])
            residual = residual - self.embed[book][choice]
            codes.append(choice)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor, used: Tensor | None = None) -> Tensor:
        """Return the sums of entries (B, T, D) of codes (B, books or fewer, T).

        used: int64 (B,), the number of books that are summed for each item; None: all books.
        """
        entries = torch.stack([self.embed[book][codes[:, book]] for book in range(codes.shape[1])], dim=1)
        if used is not None:
            kept = torch.arange(codes.shape[1], device=codes.device) < used[:, None]  # (B, books)
            entries = entries * kept[:, :, None, None]
        return entries.sum(dim=1)

    def forward(self, latents: Tensor, used: Tensor, random: np.random.Generator) -> Quantized:
        """Quantize float32 (B, T, D), each item with its first `used` books, int64 (B,). In training, update the books.

        An item neither uses nor changes its other books.
        """
        flat, per_frame = latents.flatten(0, 1), used.repeat_interleave(latents.shape[1])
        residual = flat.detach().clone()
        total = torch.zeros_like(residual)
        sums, commitment = [], torch.zeros((), device=flat.device)
        for book in range(self.books):
            active = per_frame > book
            choice = self._choose(residual, self.embed[book])
            entries = self.embed[book][choice]
            total = total + entries * active[:, None]
            sums.append(total)
            distance = ((flat - total.detach()).square().mean(dim=1) * active).sum()
            commitment = commitment + distance / active.sum().clamp(min=1) / self.books
            if self.training:
                self._follow(book, residual, choice, active, random)
            residual = residual - entries
        straight = [flat + (value - flat).detach() for value in (sums[-1], sums[0], sums[min(1, self.books - 1)])]
        whole, first, second = (value.view_as(latents) for value in straight)
        return Quantized(whole, first, second, commitment)

    def perplexity(self) -> list[float]:
        """Return the effective number of used entries of each book: the exponential of the entropy of their counts."""
        share = self.counts / self.counts.sum(dim=1, keepdim=True)
        entropy: list[float] = (-(share * (share + 1e-9).log()).sum(dim=1)).exp().tolist()
        return entropy

    @torch.no_grad()
    def _follow(self, book: int, residual: Tensor, choice: Tensor, active: Tensor, random: np.random.Generator) -> None:
        """Move a book's entries towards the inputs that chose them; replace unused ones by random inputs."""
        counts, sums = self._totals(residual * active[:, None], choice, active.to(residual.dtype))
        self.counts[book].lerp_(counts, 1 - self._decay)
        self.sums[book].lerp_(sums, 1 - self._decay)
        drawn = torch.from_numpy(random.integers(0, len(residual), self.size)).to(residual.device)
        mean_count = self.counts[book].sum() / self.size
        dead = (self.counts[book] < _REVIVE_BELOW * mean_count) & active[drawn]
        self.counts[book] = torch.where(dead, mean_count, self.counts[book])
        self.sums[book] = torch.where(dead[:, None], residual[drawn] * mean_count, self.sums[book])
        self.embed[book] = self.sums[book] / self.counts[book].clamp(min=_CLUSTER_FLOOR)[:, None]

    def _totals(self, inputs: Tensor, choice: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return for each entry the number of inputs that chose it, (size,), and their sum, (size, D)."""
        ones = torch.ones(len(inputs), device=inputs.device) if weights is None else weights
        counts = torch.zeros(self.size, device=inputs.device).index_add_(0, choice, ones)
        sums = torch.zeros(self.size, inputs.shape[1], device=inputs.device).index_add_(0, choice, inputs)
        return counts, sums

    @staticmethod
    def _choose(inputs: Tensor, entries: Tensor) -> Tensor:
        """Return the index of the nearest of `entries` (size, D) to each of `inputs` (N, D), int64 (N,)."""
        with torch.autocast(inputs.device.type, enabled=False):
            return (entries.square().sum(dim=1) - 2 * inputs @ entries.T).argmin(dim=1)
