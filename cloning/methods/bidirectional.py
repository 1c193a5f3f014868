"""Network bodies that read features in both directions: recurrent, convolutional or attentive.

Each takes padded batches and the true lengths; the result of a clip does not depend on its padding.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

_KERNEL = 7
"""Frames under one depthwise convolution: 140 ms, about a phone and its neighbours."""
_DILATIONS = 4
"""Convolutions have dilations of 1, 2, 4 and 8 frames, then start again at 1."""
_HEADS = 4
_DROPOUT = 0.1


class Body(Protocol):
    """States (B, T, H) and lengths int64 (B,) on the CPU -> (B, T, H)."""

    def __init__(self, width: int, layers: int) -> None: ...

    def __call__(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Return the state of each frame, computed from all frames of its clip."""


class Recurrent(nn.Module):
    """A bidirectional GRU; each direction has half of the width."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.gru = nn.GRU(
            width,
            width // 2,
            layers,
            batch_first=True,
            bidirectional=True,
            dropout=_DROPOUT if layers > 1 else 0.0,
        )

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """See `Body`. The batch is packed, so the backward direction starts at the end of each clip."""
        packed = pack_padded_sequence(states, lengths, batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=states.shape[1])
        return states + hidden


class Convolutional(nn.Module):
    """Blocks of a dilated depthwise convolution and two linear layers, after ConvNeXt (Liu et al. 2022)."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_ConvolutionBlock(width, 2 ** (number % _DILATIONS)) for number in range(layers))

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """See `Body`."""
        inside = _inside(states, lengths)[..., None]
        for block in self.blocks:
            states = block(states * inside)
        return states


class Attentive(nn.Module):
    """Blocks of self-attention over the clip; a depthwise convolution before them encodes positions."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.places = _ConvolutionBlock(width, 1)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, _HEADS, 2 * width, _DROPOUT, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """See `Body`."""
        inside = _inside(states, lengths)
        states = self.places(states * inside[..., None])
        for block in self.blocks:
            states = block(states, src_key_padding_mask=~inside)
        return states


BODIES: dict[str, type[Body]] = {
    "recurrent": Recurrent,
    "convolutional": Convolutional,
    "attentive": Attentive,
}
"""Name in a quantizer's file -> network."""


class _ConvolutionBlock(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(width, width, _KERNEL, padding="same", dilation=dilation, groups=width)
        self.across = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
            nn.Dropout(_DROPOUT),
        )

    def forward(self, states: Tensor) -> Tensor:
        changed: Tensor = self.across(self.along(states.mT).mT)
        return states + changed


def _inside(states: Tensor, lengths: Tensor) -> Tensor:
    """Return a bool mask (B, T) of the frames that are not padding."""
    return torch.arange(states.shape[1], device=states.device) < lengths.to(states.device)[:, None]
