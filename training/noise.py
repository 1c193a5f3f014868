"""Augment speech with equalisers, levels and noise, in batches of crops on any device.

Every function draws its parameters from the given generator.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BANDS = 6
"""The number of cosines, over the square root of frequency, that make up an equaliser's curve."""

_SLOPES = (0.0, 2.0)
"""The power of noise is proportional to f^-slope: white to brown, as in rooms and fans."""


def gain(samples: Tensor, random: np.random.Generator, low: float, high: float) -> Tensor:
    """Return (B, N) with each item amplified by `low` to `high` dB."""
    factors = 10 ** (random.uniform(low, high, (len(samples), 1)) / 20)
    return samples * _tensor(factors, samples)


def equalise(samples: Tensor, random: np.random.Generator, decibels: float) -> Tensor:
    """Return (B, N) filtered, each item by a smooth zero-phase curve with a standard deviation of about `decibels`."""
    count = samples.shape[1]
    place = torch.linspace(0, 1, count // 2 + 1, device=samples.device).sqrt()
    cosines = torch.cos(torch.pi * torch.arange(1, _BANDS + 1, device=samples.device)[:, None] * place)  # (bands, F)
    weights = random.normal(0.0, decibels * np.sqrt(2 / _BANDS), (len(samples), _BANDS))
    curve = 10 ** (_tensor(weights, samples) @ cosines / 20)
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(samples) * curve, n=count)
    return filtered


def add_noise(samples: Tensor, random: np.random.Generator, low: float, high: float, share: float) -> Tensor:
    """Return (B, N) with coloured noise, `low` to `high` dB below an item's level, in a `share` of the items."""
    batch, count = samples.shape
    noise = torch.randn(samples.shape, device=samples.device)
    frequency = torch.linspace(0, 1, count // 2 + 1, device=samples.device).clamp(min=20 / count)
    slopes = _tensor(random.uniform(*_SLOPES, (batch, 1)), samples)
    noise = torch.fft.irfft(torch.fft.rfft(noise) * frequency ** (-slopes / 2), n=count)
    ratio = 10 ** (-random.uniform(low, high, (batch, 1)) / 20) * (random.random((batch, 1)) < share)
    level = samples.square().mean(dim=1, keepdim=True).sqrt() / noise.square().mean(dim=1, keepdim=True).sqrt()
    noisy: Tensor = samples + noise * level * _tensor(ratio, samples)
    return noisy


def _tensor(values: NDArray[np.float64], like: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32)).to(like.device)
