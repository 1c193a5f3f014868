"""Mel spectra of 16 kHz samples, for the codec's teacher and for the losses.

Everything is computed in float32, also under autocast, since logarithms of small sums of squares need it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from cloning.checkpoints.libraries import transformers

SAMPLE_RATE = 16_000
"""Samples per second of the bundled codec."""
HOP = 320
"""Samples per frame: 50 frames per second."""

FLOOR = 5e-4
"""Added to amplitudes before the logarithm: about the noise of a quiet room with speech of RMS 0.1."""

_TINY_POWER = 1e-9


def mel_filters(window: int, bands: int) -> Tensor:
    """Return float32 (bands, window // 2 + 1): triangular filters on Slaney's mel scale, each of unit area in Hz."""
    filters = transformers.audio_utils.mel_filter_bank(
        num_frequency_bins=window // 2 + 1,
        num_mel_filters=bands,
        min_frequency=0.0,
        max_frequency=SAMPLE_RATE / 2,
        sampling_rate=SAMPLE_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters.T).float().contiguous()


class FrameMel(nn.Module):
    """Log mel amplitudes, `PER_FRAME` spectra per codec frame, scaled to about -2..2 for speech."""

    BANDS = 100
    PER_FRAME = 2
    CHANNELS = BANDS * PER_FRAME
    WINDOW = 1024

    _CENTRE, _SCALE = -4.0, 2.0
    _REACH = (WINDOW - HOP // PER_FRAME) // 2
    """Samples that the first and last windows extend beyond their own hops."""

    MARGIN = -(-_REACH // HOP)
    """Frames at either end of a crop that depend on samples outside it."""

    filters: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", mel_filters(self.WINDOW, self.BANDS), persistent=False)
        self.register_buffer("window", torch.hann_window(self.WINDOW), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Return the spectra, float32 (B, CHANNELS, T), of samples, float (B, T * HOP). T is at least 2."""
        with torch.autocast(samples.device.type, enabled=False):
            padded = functional.pad(samples.float()[:, None], (self._REACH, self._REACH), mode="reflect")[:, 0]
            spectrum = torch.stft(
                padded,
                self.WINDOW,
                HOP // self.PER_FRAME,
                window=self.window,
                center=False,
                return_complex=True,
            )
            amplitude = self.filters @ (spectrum.real.square() + spectrum.imag.square() + _TINY_POWER).sqrt()
            scaled = ((amplitude + FLOOR).log() - self._CENTRE) / self._SCALE  # (B, BANDS, T * PER_FRAME)
        batch, frames = len(samples), samples.shape[1] // HOP
        halves = scaled.view(batch, self.BANDS, frames, self.PER_FRAME)
        return halves.permute(0, 3, 1, 2).reshape(batch, self.CHANNELS, frames)

    @classmethod
    def decibels(cls, difference: Tensor) -> float:
        """Convert a mean difference of two such spectra to dB."""
        return float(difference) * cls._SCALE * 20 / torch.log(torch.tensor(10.0)).item()


class SpectralLoss(nn.Module):
    """Multi-resolution spectral distance: log mel and linear amplitude differences over several window lengths.

    The sum of the two terms of Yamamoto et al. 2020 (Parallel WaveGAN, eq. 4-6), with mel bands in place of bins,
    averaged over the windows. Independent of phase, as the teacher's codes are.
    """

    RESOLUTIONS = ((1024, 80), (512, 64), (256, 32), (128, 16))
    """Window lengths in samples, and numbers of mel bands; a window moves by a quarter of its length."""

    def __init__(self) -> None:
        super().__init__()
        self._windows = [window for window, _ in self.RESOLUTIONS]
        for window, bands in self.RESOLUTIONS:
            self.register_buffer(f"filters_{window}", mel_filters(window, bands), persistent=False)
            self.register_buffer(f"window_{window}", torch.hann_window(window), persistent=False)

    def forward(self, samples: Tensor, target: Tensor) -> Tensor:
        """Return the distance of two batches, float (B, N) each: one number, differentiable in `samples`."""
        with torch.autocast(samples.device.type, enabled=False):
            losses = [self._at(window, samples.float(), target.float()) for window in self._windows]
        return torch.stack(losses).mean()

    def _at(self, window: int, samples: Tensor, target: Tensor) -> Tensor:
        ours = self._amplitudes(window, samples)
        with torch.no_grad():
            theirs = self._amplitudes(window, target)
        logarithmic = ((ours + FLOOR).log() - (theirs + FLOOR).log()).abs().mean()
        linear = (ours - theirs).norm() / (theirs.norm() + 1e-3)
        total: Tensor = logarithmic + linear
        return total

    def _amplitudes(self, window: int, samples: Tensor) -> Tensor:
        shape: Tensor = getattr(self, f"window_{window}")
        filters: Tensor = getattr(self, f"filters_{window}")
        spectrum = torch.stft(samples, window, window // 4, window=shape, return_complex=True)
        amplitudes: Tensor = filters @ (spectrum.real.square() + spectrum.imag.square() + _TINY_POWER).sqrt()
        return amplitudes
