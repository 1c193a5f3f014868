"""Augment speech with equalisers, levels and noise, in batches of crops on any device.

Every function draws its parameters from the given generator.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BANDS = 6
"""The number of cosines over a warped frequency axis in an equaliser's curve."""

_SLOPES = (0.0, 2.0)
"""Noise falls by f^-slope in power: white to brown, as in rooms and fans."""


def gain(samples: Tensor, random: np.random.Generator, low: float, high: float) -> Tensor:
    """(B, N) -> (B, N), each item amplified by a random low..high dB."""
    factors = 10 ** (random.uniform(low, high, (len(samples), 1)) / 20)
    return samples * _tensor(factors, samples)


def equalise(samples: Tensor, random: np.random.Generator, decibels: float) -> Tensor:
    """(B, N) -> (B, N), each item through a smooth zero-phase filter with a standard deviation of about `decibels`."""
    count = samples.shape[1]
    place = torch.linspace(0, 1, count // 2 + 1, device=samples.device).sqrt()
    cosines = torch.cos(torch.pi * torch.arange(1, _BANDS + 1, device=samples.device)[:, None] * place)  # (bands, F)
    weights = random.normal(0.0, decibels * np.sqrt(2 / _BANDS), (len(samples), _BANDS))
    curve = 10 ** (_tensor(weights, samples) @ cosines / 20)
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(samples) * curve, n=count)
    return filtered


def add_noise(samples: Tensor, random: np.random.Generator, low: float, high: float, share: float) -> Tensor:
    """(B, N) -> (B, N); a `share` of the items get coloured noise, low..high dB below their own level."""
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
