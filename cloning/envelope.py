"""Move the spectral envelope of speech toward that of its voice, where a model's fine stage does not.

The coarse tokens of a prompt alone sound less like its speaker than all of its tokens do. A linear map, fitted for each
voice by ridge regression on its own prompt, predicts how the spectrum of a frame changes from the one to the other. The
predicted change is applied to each frame of speech, as gains in mel bands. The sound is filtered, not resynthesised, as
in Kobayashi et al., "Statistical singing voice conversion with direct waveform modification based on the spectrum
differential" (Interspeech 2014). research/README.md has the measurements.
"""

from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import ShortTimeFFT

from cloning.media.audio import Samples, mel_edges

BANDS = 40
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7900.0
_FRAME_SECONDS, _HOP_SECONDS = 0.04, 0.01
_LOUD_WITHIN_DB = 35.0
"""Frames that are further below the loudest one are pauses, and are not fitted."""
_FEWEST_FRAMES = 100
"""A second of speech: with less, the map would describe single sounds."""
_RIDGE = 10.0
"""The weight of the penalty, in dB^2 for each frame."""
_MOST_DB = 12.0
"""The largest gain, up or down."""
_SMOOTHED_FRAMES = 5
"""The length of the moving average of the gains, 50 ms. Without it, the gains would add roughness."""
_FLOOR = 1e-10

Levels = NDArray[np.float64]
"""(frames, BANDS) in dB"""


class EnvelopeCorrection:
    """Corrects speech of one voice at one sample rate. Created by `fit`.

    mean, offset: float64 (BANDS,) in dB; weights: float64 (BANDS, BANDS), from a frame's shape to gains.
    """

    def __init__(self, rate: int, mean: Levels, weights: Levels, offset: Levels) -> None:
        self._rate = rate
        self._mean = mean
        self._weights = weights
        self._offset = offset

    @classmethod
    def fit(cls, coarse: Samples, fine: Samples, rate: int, strength: float) -> Self | None:
        """Fit the correction to the sound of a prompt, decoded from its coarse tokens alone and from all its tokens.

        coarse, fine: float32 (N,). strength: the multiple of the predicted change that is applied. Returns None for
        less than a second of speech.
        """
        before, after = _levels(_transform(rate).stft(coarse), rate), _levels(_transform(rate).stft(fine), rate)
        loudness = np.logaddexp.reduce(before * np.log(10) / 10, axis=1) * 10 / np.log(10)
        loud = loudness > loudness.max() - _LOUD_WITHIN_DB
        if loud.sum() < _FEWEST_FRAMES:
            return None
        shapes, changes = _shapes(before[loud]), after[loud] - before[loud]
        mean, offset = shapes.mean(axis=0), changes.mean(axis=0)
        inputs = shapes - mean
        penalty = _RIDGE * len(inputs) * np.eye(BANDS)
        weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ (changes - offset))
        return cls(rate, mean, strength * weights, strength * (offset - offset.mean()))

    def __call__(self, samples: Samples) -> Samples:
        """Return the corrected speech: float32 (N,), not empty -> float32 (N,)."""
        transform = _transform(self._rate)
        padded = np.pad(samples, (0, max(0, transform.m_num - samples.size)))  # the transform needs one frame
        spectrum = transform.stft(padded)  # (frequencies, frames)
        gains = (_shapes(_levels(spectrum, self._rate)) - self._mean) @ self._weights + self._offset
        smoothed = _moving_average(np.clip(gains, -_MOST_DB, _MOST_DB))
        centres = [float(np.sqrt(low * high)) for low, high in pairwise(_edges(self._rate))]
        decibels = np.stack([np.interp(transform.f, centres, frame) for frame in smoothed], axis=1)
        corrected = transform.istft(spectrum * 10 ** (decibels / 20), k1=padded.size)
        return np.asarray(corrected[: samples.size], np.float32)


def _transform(rate: int) -> ShortTimeFFT:
    size, hop = round(_FRAME_SECONDS * rate), round(_HOP_SECONDS * rate)
    return ShortTimeFFT.from_window("hann", rate, size, size - hop, scale_to="magnitude")


def _edges(rate: int) -> NDArray[np.float64]:
    return mel_edges(_LOWEST_HZ, min(_HIGHEST_HZ, rate / 2), BANDS)


def _levels(spectrum: NDArray[np.complex128], rate: int) -> Levels:
    """Return the mean power in each mel band. `spectrum`: (frequencies, frames)."""
    power = np.square(np.abs(spectrum))
    starts = np.searchsorted(_transform(rate).f, _edges(rate))
    bands = [power[start : max(end, start + 1)].mean(axis=0) for start, end in pairwise(starts)]
    return np.asarray(10 * np.log10(np.stack(bands, axis=1) + _FLOOR), np.float64)


def _shapes(levels: Levels) -> Levels:
    """Return the levels of each frame minus their mean, so that loudness does not count."""
    shapes: Levels = levels - levels.mean(axis=1, keepdims=True)
    return shapes


def _moving_average(gains: Levels) -> Levels:
    kernel = np.full(_SMOOTHED_FRAMES, 1 / _SMOOTHED_FRAMES)
    padded = np.pad(gains, ((_SMOOTHED_FRAMES // 2, _SMOOTHED_FRAMES // 2), (0, 0)), "edge")
    return np.stack([np.convolve(band, kernel, "valid") for band in padded.T], axis=1)
