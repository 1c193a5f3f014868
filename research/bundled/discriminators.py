"""Discriminators for the adversarial phase: they distinguish the decoder's output from recordings.

There are two kinds, as in HiFi-GAN (J. Kong et al., 2020) and EnCodec (A. Défossez et al., 2022): one sees samples
folded at a period and is sensitive to phase; the other sees complex spectra and is sensitive to noise and harmonics.
Both have fewer channels than the originals, so that they can be trained on a CPU.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)
WINDOWS = (1024, 512, 256)
"""Lengths of windows in samples; a window moves by a quarter of its length."""

_LEAK = 0.1
_PERIOD_WIDTHS = (16, 64, 128, 192)
_SPECTRUM_WIDTH = 16
_DILATIONS = (1, 2, 4)

LayerOutputs = list[Tensor]
"""The outputs of a discriminator's layers. The last one is its scores: above 0 for recordings."""


class Discriminators(nn.Module):
    """All discriminators: float (B, N) -> the layer outputs of each."""

    def __init__(self) -> None:
        super().__init__()
        critics = (
            [_PeriodDiscriminator(period) for period in PERIODS],
            [_SpectrumDiscriminator(window) for window in WINDOWS],
        )
        self.critics = nn.ModuleList([*critics[0], *critics[1]])

    def forward(self, samples: Tensor) -> list[LayerOutputs]:
        """Run all discriminators on float (B, N). N is over 512, half of the longest window."""
        return [critic(samples) for critic in self.critics]


class _Layers(nn.Module):
    """Convolutions with leaky ReLUs between them; all outputs are returned."""

    def __init__(self, convolutions: list[nn.Conv2d]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(weight_norm(convolution) for convolution in convolutions)

    def forward(self, hidden: Tensor) -> LayerOutputs:
        judged = []
        for convolution in self.convolutions[:-1]:
            hidden = functional.leaky_relu(convolution(hidden), _LEAK)
            judged.append(hidden)
        return [*judged, self.convolutions[-1](hidden)]


class _PeriodDiscriminator(nn.Module):
    def __init__(self, period: int) -> None:
        super().__init__()
        self._period = period
        ways = zip((1, *_PERIOD_WIDTHS), _PERIOD_WIDTHS, strict=False)
        convolutions = [nn.Conv2d(before, after, (5, 1), (3, 1), (2, 0)) for before, after in ways]
        self.layers = _Layers([*convolutions, nn.Conv2d(_PERIOD_WIDTHS[-1], 1, (3, 1), padding=(1, 0))])

    def forward(self, samples: Tensor) -> LayerOutputs:
        padded = functional.pad(samples[:, None], (0, -samples.shape[1] % self._period), mode="reflect")
        judged: LayerOutputs = self.layers(padded.reshape(len(samples), 1, -1, self._period))
        return judged


class _SpectrumDiscriminator(nn.Module):
    shape: Tensor

    def __init__(self, window: int) -> None:
        super().__init__()
        self._window = window
        self.register_buffer("shape", torch.hann_window(window), persistent=False)
        width = _SPECTRUM_WIDTH
        self.layers = _Layers(
            [
                nn.Conv2d(2, width, (3, 9), stride=(1, 2), padding=(1, 4)),
                *(
                    nn.Conv2d(width, width, (3, 9), stride=(1, 2), dilation=(dilation, 1), padding=(dilation, 4))
                    for dilation in _DILATIONS
                ),
                nn.Conv2d(width, 1, (3, 3), padding=1),
            ]
        )

    def forward(self, samples: Tensor) -> LayerOutputs:
        with torch.autocast(samples.device.type, enabled=False):
            spectrum = torch.stft(
                samples.float(),
                self._window,
                self._window // 4,
                window=self.shape,
                return_complex=True,
                normalized=True,
            )
        parts = torch.stack([spectrum.real, spectrum.imag], dim=1).transpose(2, 3)  # (B, 2, T, bins)
        judged: LayerOutputs = self.layers(parts)
        return judged


def discriminator_loss(recorded: list[LayerOutputs], made: list[LayerOutputs]) -> Tensor:
    """Return the hinge loss of the discriminators: 0 if recordings score above 1 and decoded sound below -1."""
    return torch.stack(
        [
            functional.relu(1 - real[-1]).mean() + functional.relu(1 + fake[-1]).mean()
            for real, fake in zip(recorded, made, strict=True)
        ]
    ).mean()


def adversarial_loss(made: list[LayerOutputs]) -> Tensor:
    """Return the decoder's adversarial loss: the negative mean score of its output."""
    return torch.stack([-judged[-1].mean() for judged in made]).mean()


def feature_matching_loss(recorded: list[LayerOutputs], made: list[LayerOutputs]) -> Tensor:
    """Return the feature-matching loss: the mean difference of the layers' outputs, relative to those of recordings."""
    return torch.stack(
        [
            (ours - theirs.detach()).abs().mean() / theirs.detach().abs().mean().clamp(min=1e-5)
            for real, fake in zip(recorded, made, strict=True)
            for theirs, ours in zip(real[:-1], fake[:-1], strict=True)
        ]
    ).mean()
