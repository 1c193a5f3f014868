"""HuBERT's matrices and convolutions in 8-bit integers, for a processor that multiplies them (`cloning.bark.linear`).

The first convolution reads samples, has a hundredth of the multiplications, and stays in float32, as do norms and
attention.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cloning.bark.linear import WIDTH_STEP, Int8Linear, rounded

_AT_ONCE = 2048
"""The frames of a convolution that are computed at a time, to bound the memory for copies of their windows."""
_Frames = Callable[[slice], Tensor]
"""Returns a slice of a layer's frames, (T, width)."""
_ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")
_FEED_FORWARD = ("intermediate_dense", "output_dense")


def round_matrices(model: Any) -> None:
    """Round a transformers.HubertModel in float32 in place. Its features then have small errors."""
    for layer in model.encoder.layers:
        for module, names in ((layer.attention, _ATTENTION), (layer.feed_forward, _FEED_FORWARD)):
            for name in names:
                linear = getattr(module, name)
                if linear.in_features % WIDTH_STEP == 0:
                    setattr(module, name, RoundedLinear(linear.weight, linear.bias))
    convolutions = model.feature_extractor.conv_layers
    by_channel = isinstance(getattr(convolutions[0], "layer_norm", None), nn.GroupNorm)
    if by_channel and all(layer.conv.in_channels % WIDTH_STEP == 0 for layer in convolutions[1:]):
        model.feature_extractor = RoundedExtractor(convolutions)


class RoundedLinear(nn.Module):
    """Replaces a `torch.nn.Linear` with this weight (out, in) and bias."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        numbers, scales = rounded(weight.detach())
        self._matrix = Int8Linear(numbers, scales, None if bias is None else bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)"""
        return self._matrix(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], -1)


class RoundedExtractor(nn.Module):
    """Replaces transformers' HubertFeatureEncoder with a norm per channel in its first layer: (1, N) -> (1, C, T).

    Frames are contiguous in memory, so that the window of a convolution is one row.
    """

    def __init__(self, layers: Any) -> None:
        super().__init__()
        first, *others = layers
        self._first, self._norm, self._activation = first.conv, first.layer_norm, first.activation
        self._others = [_Convolution(layer.conv) for layer in others]

    def forward(self, samples: Tensor) -> Tensor:
        """Compute all convolutions."""
        windows = samples[0].unfold(0, self._first.kernel_size[0], self._first.stride[0])
        weight, bias = self._normed(windows)

        def first(places: slice) -> Tensor:
            frames: Tensor = self._activation(functional.linear(windows[places], weight, bias))
            return frames

        length = len(windows)
        frames_of: _Frames = first
        for convolution in self._others:
            frames = convolution(frames_of, length, self._activation)
            length, frames_of = len(frames), frames.__getitem__
        return frames_of(slice(None)).T[None]

    def _normed(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weight and bias of the first convolution with its norm for these windows, (T, size).

        The mean and variance of its outputs are computed from those of its inputs, of which there are far fewer.
        """
        weight = self._first.weight[:, 0].double()  # (C, size)
        centred = windows - windows.mean(0)
        spread = (centred.T @ centred).double() / len(centred)  # (size, size)
        variance = ((weight @ spread) * weight).sum(1)
        scale = self._norm.weight * (variance + self._norm.eps).rsqrt()
        weight = weight * scale[:, None]
        return weight.float(), (self._norm.bias - weight @ windows.mean(0).double()).float()


class _Convolution:
    def __init__(self, convolution: Any) -> None:
        self._size, self._step = convolution.kernel_size[0], convolution.stride[0]
        weight = convolution.weight.detach().transpose(1, 2).flatten(1)  # (out, size * in)
        self._matrix = RoundedLinear(weight, convolution.bias)

    def __call__(self, frames_of: _Frames, length: int, activation: Any) -> Tensor:
        """Compute (T', out) from the `length` frames (T, in) that `frames_of` returns in slices."""
        count = (length - self._size) // self._step + 1
        outputs = []
        for begin in range(0, count, _AT_ONCE):
            rows = min(_AT_ONCE, count - begin)
            frames = frames_of(slice(begin * self._step, (begin + rows - 1) * self._step + self._size))
            width = frames.shape[1]
            windows = frames.as_strided((rows, self._size * width), (self._step * width, 1), frames.storage_offset())
            outputs.append(activation(self._matrix(windows)))
        return torch.cat(outputs)
