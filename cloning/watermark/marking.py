"""Put the mark into speech: an inaudible change of the lowest 2 kHz that survives lossy coding.

The networks are Perth's: one puts a mark into a magnitude spectrum, the other detects it there (`checking`). The
weights are those of the package resemble-perth 1.0.1 (MIT, Resemble AI). Only its weight file is read: its own code
needs torchaudio, and pkg_resources, which setuptools no longer has. The networks were trained on frames of 2,048
samples every 320 at 32 kHz. Frames of the same duration have the same bins, 15.625 Hz apart, at other rates too, so
speech need not be resampled to be marked. Only the change is computed and added, so everything above 2 kHz stays
bit-identical.
"""

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torch.nn import functional

from cloning.checkpoints.weights import load_into, read_file
from cloning.media.audio import Samples
from errors import Unavailable

STRENGTH = 1.0
"""The share of the network's change that is applied. With less, detection after coding is worse: docs/privacy.md."""
_FADE_SECONDS = 0.01
BINS = 128
"""The lowest bins of a spectrum, which hold the mark: up to 2 kHz."""
BIN_HERTZ = 15.625
HOP_SECONDS = 0.01
"""Seconds between two frames."""
_HIDDEN, _KERNEL, _INNER = 256, 7, 5
_PACED = ((1.25, "slow_layers"), (1.0, "normal_layers"), (0.75, "fast_layers"))
"""The factor by which each branch of the detector stretches time first, and the name of its layers."""
_SILENT_SHARE = 0.05
"""A frame whose levels sum to less than this share of the loudest frame's counts as silence and is not marked."""
TRAINED_RATE = 32_000
_FLOOR = 1e-9
_FLOOR_DB, _HEADROOM_DB = -180.0, 15.0
RANGE_DB = _HEADROOM_DB - _FLOOR_DB
"""Decibels between level 0 and level 1 of the networks' scale."""
_FILE = "perth_net/pretrained/implicit/perth_net_250000.pth.tar"


def mark(samples: Samples, rate: int, strength: float = STRENGTH) -> Samples:
    """Return `samples`, finite float32 (N,) at `rate` hertz, with the mark. Silence stays; the peak may rise a little.

    Raises Unavailable if the network is not installed.
    """
    if not np.any(samples):
        return samples
    change = _change(samples, rate) * strength
    fade = np.linspace(0.0, 1.0, min(round(rate * _FADE_SECONDS), samples.size // 2), endpoint=False, dtype=np.float32)
    change[: fade.size] *= fade
    change[change.size - fade.size :] *= fade[::-1]
    marked: Samples = samples + change
    return marked


def _change(samples: Samples, rate: int) -> Samples:
    """Return the network's change, float32 (N,)."""
    if not fits(rate):
        fitting = soxr.resample(samples, rate, TRAINED_RATE).astype(np.float32)
        change = soxr.resample(_change(fitting, TRAINED_RATE), TRAINED_RATE, rate)[: samples.size]
        return np.pad(change, (0, samples.size - change.size)).astype(np.float32)
    padded = np.pad(samples, (0, max(0, shortest(rate) - samples.size)))
    with torch.inference_mode():
        spectra = spectrum(torch.from_numpy(padded)[None], rate)
        gains = 10 ** (perth().marker(levels(spectra)) * (RANGE_DB / 20))
        changes = torch.zeros_like(spectra)
        changes[:, :BINS] = spectra[:, :BINS] * (gains - 1)
        result: Samples = sound(changes, rate, padded.size)[0, : samples.size].numpy()
    return result


class Marker(nn.Module):
    """`marker(levels)`: the change of the lowest bins, (B, BINS, T), of levels (B, bins, T) in the network's scale."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = _layers(BINS)

    def forward(self, levels: Tensor) -> Tensor:
        """Return the change, which is zero in silence."""
        change: Tensor = self.layers(levels[:, :BINS]) * sounding(levels)[:, None]
        return change


class Detector(nn.Module):
    """`detector(levels)`: the outputs of three branches for each frame of (B, bins, T), as (B, 3, 2, T).

    Each branch is for another speed and has two outputs: its weight, and its confidence of a mark. `confidence`
    combines their means over the frames of a stretch.
    """

    def __init__(self) -> None:
        super().__init__()
        for _, name in _PACED:
            self.add_module(name, _layers(2))

    def forward(self, levels: Tensor) -> Tensor:
        """Run the branches; their outputs are resampled to the frames of the input."""
        return torch.stack([self._branch(levels[:, :BINS], pace, name) for pace, name in _PACED], dim=1)

    def _branch(self, low: Tensor, pace: float, name: str) -> Tensor:
        length = low.shape[2]
        outputs: Tensor = self.get_submodule(name)(_stretched(low, max(1, int(length * pace))))
        return _stretched(outputs, length)


def confidence(told: Tensor) -> Tensor:
    """Combine means over frames of the detector's output, (..., 3, 2), to the confidence of a mark, about 0 to 1."""
    return (told[..., 0].softmax(-1) * told[..., 1]).sum(-1)


def sounding(levels: Tensor) -> Tensor:
    """Return 1 for each frame that is not silent, else 0, (B, T)."""
    totals = levels.sum(1)
    return (totals > _SILENT_SHARE * totals.amax(1, keepdim=True)).to(levels.dtype)


@dataclass(frozen=True)
class Perth:
    """Both networks with their weights."""

    marker: Marker
    detector: Detector


@cache
def perth() -> Perth:
    """Load the networks on the CPU, once. Raises Unavailable if the package or its weights are missing or damaged."""
    path = _weights()
    body = read_file(path)
    if not isinstance(body, dict) or not isinstance(body.get("model"), dict):
        raise Unavailable(f"The file {path} does not hold a watermark's weights; install resemble-perth again.")
    loaded = Perth(Marker(), Detector())
    for name, network in (("encoder.", loaded.marker), ("decoder.", loaded.detector)):
        part = {key.removeprefix(name): value for key, value in body["model"].items() if key.startswith(name)}
        load_into(network, part, path)
        network.eval().requires_grad_(False)
    return loaded


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


class _Convolution(nn.Module):
    """A convolution over time. The attribute `conv` has its name from the weight file."""

    def __init__(self, width: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, out, kernel, padding=kernel // 2)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, width, T) -> (B, out, T)."""
        result: Tensor = self.conv(frames)
        return result


class _Activated(_Convolution):
    """A convolution with an activation."""

    def forward(self, frames: Tensor) -> Tensor:
        """(B, width, T) -> (B, out, T)."""
        return functional.leaky_relu(super().forward(frames))


def _layers(out: int) -> nn.Sequential:
    inner = [_Activated(_HIDDEN, _HIDDEN, _KERNEL) for _ in range(_INNER)]
    return nn.Sequential(_Activated(BINS, _HIDDEN, 1), *inner, _Convolution(_HIDDEN, out, 1))


def _stretched(frames: Tensor, length: int) -> Tensor:
    """(B, C, T) -> (B, C, length)."""
    if frames.shape[2] == length:
        return frames
    return functional.interpolate(frames, size=length, mode="linear", align_corners=True)


def _sizes(rate: int) -> tuple[int, int]:
    return round(rate / BIN_HERTZ), round(rate * HOP_SECONDS)


def _weights() -> Path:
    package = importlib.util.find_spec("perth")
    if package is None or not package.submodule_search_locations:
        raise Unavailable("The package resemble-perth is missing: install requirements.txt, or set WATERMARK=off.")
    return Path(package.submodule_search_locations[0]) / _FILE
