"""Move the formants of speech but not its pitch and timing, so that it sounds like another speaker."""

import numpy as np
import torch
from numpy.typing import NDArray

_WINDOW = 512
_HOP = 128
_LIFTER = 28
"""Cepstral coefficients of the envelope, fewer than the period of a voice of 300 Hz: 53 samples at 16 kHz."""
_FLOOR = 1e-5
_MOST_GAIN = 10.0
"""The maximum gain of a bin; its inverse is the minimum. Gaps in the envelope hold only noise to amplify."""


def warp_formants(samples: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Return samples (N,) at 16 kHz with all formants at `factor` times their frequencies.

    The spectral envelope of each window, computed from its cepstrum (Oppenheim and Schafer 1968), is stretched along
    the frequencies; the fine structure and the phases do not change.
    """
    if len(samples) < _WINDOW:
        return samples
    window = torch.hann_window(_WINDOW)
    sound = torch.from_numpy(samples)
    spectrum = torch.stft(sound, _WINDOW, _HOP, window=window, return_complex=True)
    envelope = _log_envelope(spectrum.abs())
    gain = (_stretched(envelope, factor) - envelope).exp().clamp(1 / _MOST_GAIN, _MOST_GAIN)
    warped: NDArray[np.float32] = torch.istft(
        spectrum * gain, _WINDOW, _HOP, window=window, length=len(samples)
    ).numpy()
    return warped


def _log_envelope(amplitudes: torch.Tensor) -> torch.Tensor:
    """Return the natural logarithm of the smooth envelope of amplitudes (bins, T), in the same shape."""
    cepstrum = torch.fft.irfft(amplitudes.clamp(min=_FLOOR).log(), dim=0)
    cepstrum[_LIFTER:-_LIFTER] = 0
    envelope: torch.Tensor = torch.fft.rfft(cepstrum, dim=0).real
    return envelope


def _stretched(envelope: torch.Tensor, factor: float) -> torch.Tensor:
    """Return an envelope (bins, T) whose bin k is the old bin k / factor, interpolated between bins."""
    last = len(envelope) - 1
    places = (torch.arange(last + 1) / factor).clamp(max=last)
    below = places.floor().long().clamp(max=last - 1)
    share = (places - below)[:, None]
    return envelope[below] * (1 - share) + envelope[below + 1] * share
