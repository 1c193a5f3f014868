"""Levels of sound for the watermark's networks, at any rate at which frames of 64 ms are whole.

The networks were trained on frames of 2,048 samples every 320 at 32 kHz. Frames of the same duration have the same
bins, 15.625 Hz apart, at other rates too, so speech need not be resampled to be marked.
"""

import torch
from torch import Tensor

from cloning.watermark.network import BIN_HERTZ, HOP_SECONDS

TRAINED_RATE = 32_000
_FLOOR = 1e-9
_FLOOR_DB, _HEADROOM_DB = -180.0, 15.0
RANGE_DB = _HEADROOM_DB - _FLOOR_DB
"""Decibels between level 0 and level 1 of the networks' scale."""


def fits(rate: int) -> bool:
    """Return whether a frame and a hop are a whole number of samples at `rate` hertz."""
    return (rate / BIN_HERTZ).is_integer() and (rate * HOP_SECONDS).is_integer()


def shortest(rate: int) -> int:
    """Return the least number of samples with a spectrum: one frame."""
    return _sizes(rate)[0]


def spectrum(samples: Tensor, rate: int) -> Tensor:
    """Return complex (B, bins, T) of float32 (B, N), with a frame around every hundredth of a second."""
    frame, hop = _sizes(rate)
    window = torch.hann_window(frame)
    return torch.stft(samples, frame, hop, window=window, return_complex=True)


def sound(spectra: Tensor, rate: int, length: int) -> Tensor:
    """Return float32 (B, `length`) from the result of `spectrum`."""
    frame, hop = _sizes(rate)
    return torch.istft(spectra, frame, hop, window=torch.hann_window(frame), length=length)


def levels(spectra: Tensor) -> Tensor:
    """Return (B, bins, T) in the networks' scale: decibels, from 0 at -180 to 1 at 15."""
    frame = 2 * (spectra.shape[1] - 1)
    decibels = 20 * (spectra.abs() * (TRAINED_RATE / BIN_HERTZ / frame)).clamp_min(_FLOOR).log10()
    return (decibels - _FLOOR_DB) / RANGE_DB


def _sizes(rate: int) -> tuple[int, int]:
    return round(rate / BIN_HERTZ), round(rate * HOP_SECONDS)
