"""Augment speech with room reverberation and low-pass filters, in batches of crops on any device.

Parameters are drawn from the given generator.
"""

import numpy as np
import torch
from torch import Tensor

from training.noise import add_noise, equalise, gain

_SAMPLE_RATE = 16_000
_REVERBERATION = (0.08, 0.6)
"""Reverberation times (decay by 60 dB) in seconds: a car to a hall."""
_DIRECT = (-2.0, 14.0)
"""The level of the direct sound above the reverberation, in dB."""
_FIRST_ECHO = 0.003  # seconds after the direct sound
_CUTOFF = (2500.0, 7000.0)  # Hz
_STEEPNESS = 0.04  # the width of a filter's edge, relative to its frequency


def reverberate(samples: Tensor, random: np.random.Generator, share: float) -> Tensor:
    """Return (B, N) at 16 kHz with reverberation (decaying noise) in a `share` of the items; nothing is delayed."""
    batch, count = samples.shape
    time = torch.arange(int(_REVERBERATION[1] * _SAMPLE_RATE), device=samples.device) / _SAMPLE_RATE
    decay = _column(np.log(1000) / random.uniform(*_REVERBERATION, batch), samples)
    room = torch.randn(batch, len(time), device=samples.device) * torch.exp(-decay * time) * (time > _FIRST_ECHO)
    room = room / room.norm(dim=1, keepdim=True)
    loudness = 10 ** (-random.uniform(*_DIRECT, batch) / 20) * (random.random(batch) < share)
    length = count + len(time)
    echoes = torch.fft.irfft(torch.fft.rfft(samples, length) * torch.fft.rfft(room, length), length)[:, :count]
    sounded: Tensor = samples + _column(loudness, samples) * echoes
    return sounded


def narrow(samples: Tensor, random: np.random.Generator, share: float) -> Tensor:
    """Return (B, N) at 16 kHz with a `share` of the items low-pass filtered, each at its own frequency."""
    batch, count = samples.shape
    frequency = torch.linspace(0, _SAMPLE_RATE / 2, count // 2 + 1, device=samples.device)
    cutoff = np.where(random.random(batch) < share, random.uniform(*_CUTOFF, batch), 2 * _SAMPLE_RATE)
    edge = _column(cutoff, samples)
    passed = torch.sigmoid((edge - frequency) / (_STEEPNESS * edge))
    narrowed: Tensor = torch.fft.irfft(torch.fft.rfft(samples) * passed, count)
    return narrowed


def disturb(samples: Tensor, random: np.random.Generator) -> Tensor:
    """Return (B, N) at 16 kHz with random reverberation, equalisation, noise, low-pass filters and levels."""
    samples = reverberate(samples, random, share=0.4)
    samples = equalise(samples, random, decibels=4.0)
    samples = add_noise(samples, random, low=5.0, high=45.0, share=0.7)
    samples = narrow(samples, random, share=0.25)
    return gain(samples, random, low=-14.0, high=8.0)


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[:, None].to(like.device)
