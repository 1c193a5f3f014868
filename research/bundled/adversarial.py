"""The adversarial phase of the decoder: it continues from the spectral phase and trains discriminators as well.

Each step trains the discriminators on detached output, and the decoder through frozen discriminators. The best
checkpoint is chosen by word errors and quality, since no loss measures them.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from research.bundled.codec_training import DecoderJob
from research.bundled.discriminators import (
    Discriminators,
    LayerOutputs,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
)
from training.loop import NotLearning

Listen = Callable[[nn.Module], tuple[float, float]]
"""A function that returns a decoder's word error rate and DNSMOS on held-out clips."""

_SPECTRAL = 4.0
_FEATURE_MATCHING = 2.0
"""Weights of the spectral and the feature-matching loss beside the adversarial loss."""
_ALONE_STEPS = 300
"""The number of first steps in which the decoder learns from the spectral loss only."""
_RAMP_STEPS = 700
"""The number of following steps, in which the weight of the discriminators in the decoder's loss grows from 0 to 1."""
_WORDS = 4.0
"""The weight of the word error rate beside DNSMOS: 5 % of the words count as much as 0.2 DNSMOS points."""


class AdversarialPair(nn.Module):
    """A decoder, its discriminators, and the number of trained batches."""

    steps: Tensor

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder
        self.critics = Discriminators()
        self.register_buffer("steps", torch.tensor(0))


def decoder_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the decoder's weights from the state of an AdversarialPair."""
    prefix = "decoder."
    return {name.removeprefix(prefix): weight for name, weight in state.items() if name.startswith(prefix)}


class AdversarialJob:
    """Trains a decoder against discriminators on the crops of a DecoderJob, for training/loop.py."""

    def __init__(self, decoding: DecoderJob, listen: Listen) -> None:
        self._decoding, self._listen = decoding, listen
        self.module = AdversarialPair(decoding.module)

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the sum of the discriminators' and the decoder's losses on one batch of crops."""
        pair = self.module
        share = float(((pair.steps - _ALONE_STEPS) / _RAMP_STEPS).clamp(0, 1))
        pair.steps += 1
        restored, target = self._decoding.restored(random)
        recorded, made = _both(pair.critics, target, restored.detach())
        frozen = {name: parameter.detach() for name, parameter in pair.critics.named_parameters()}
        judged: list[LayerOutputs] = functional_call(pair.critics, frozen, (restored,))
        critics = discriminator_loss(recorded, made)
        spectral = self._decoding.spectral(restored, target)
        fooling, likeness = adversarial_loss(judged), feature_matching_loss(recorded, judged)
        total = critics + _SPECTRAL * spectral + share * (fooling + _FEATURE_MATCHING * likeness)
        figures = {"critics": critics, "spectral": spectral, "fooling": fooling, "likeness": likeness}
        return total, {name: figure.detach() for name, figure in figures.items()}

    def validate(self) -> dict[str, float]:
        """Return the spectral loss, word errors and quality; "loss" combines the last two."""
        words, quality = self._listen(self.module.decoder)
        spectral = self._decoding.validate()["loss"]
        return {"loss": _WORDS * words - quality, "words_wrong": words, "quality": quality, "spectral": spectral}

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Raise NotLearning if over half of the words are wrong."""
        if figures["words_wrong"] > 0.5:
            raise NotLearning(
                f"The decoder loses {figures['words_wrong']:.0%} of the words after {step} steps; lower the rate."
            )


def _both(critics: nn.Module, recorded: Tensor, made: Tensor) -> tuple[list[LayerOutputs], list[LayerOutputs]]:
    """Run the discriminators on recorded and decoded crops in one batch; return their outputs for each."""
    judged: list[LayerOutputs] = critics(torch.cat([recorded, made]))
    count = len(recorded)
    return [[part[:count] for part in one] for one in judged], [[part[count:] for part in one] for one in judged]
