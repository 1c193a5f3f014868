"""The adversarial phase of the decoder: trained from where the spectral loss left it, against critics that learn too.

Both learn in the same step: the critics from sounds that the decoder does not feel, the decoder from critics that do
not feel it. What is kept is what listeners like best, by words and quality, since no loss tells.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from research.bundled.codec_training import DecoderJob
from research.bundled.critics import Critics, Judged, critics_loss, fooling_loss, likeness_loss
from training.loop import NotLearning

Listen = Callable[[nn.Module], tuple[float, float]]
"""A decoder -> the share of words that are wrong, and DNSMOS, of clips that are not trained on."""

_SPECTRAL = 4.0
_LIKENESS = 2.0
"""Weights beside the critics' opinion."""
_HEARD_ALONE = 300
"""Steps in which only the critics learn from each other's sounds, before the decoder begins to heed them."""
_HEEDED = 700
"""Steps from then on until it heeds them wholly."""
_WORDS = 4.0
"""What a wrong word weighs beside DNSMOS: 5 % of the words are as much as 0.2."""


class Duel(nn.Module):
    """A decoder, its critics, and how often they were trained on a batch."""

    steps: Tensor

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder
        self.critics = Critics()
        self.register_buffer("steps", torch.tensor(0))


def decoder_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The decoder's weights among those of a duel."""
    prefix = "decoder."
    return {name.removeprefix(prefix): weight for name, weight in state.items() if name.startswith(prefix)}


class AdversarialJob:
    """Trains a duel on the crops of a decoder's job, for training/loop.py."""

    def __init__(self, decoding: DecoderJob, listen: Listen) -> None:
        self._decoding, self._listen = decoding, listen
        self.module = Duel(decoding.module)

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """The critics' loss and the decoder's, of one batch of crops."""
        duel = self.module
        heeded = float(((duel.steps - _HEARD_ALONE) / _HEEDED).clamp(0, 1))
        duel.steps += 1
        restored, target = self._decoding.restored(random)
        recorded, made = _both(duel.critics, target, restored.detach())
        frozen = {name: parameter.detach() for name, parameter in duel.critics.named_parameters()}
        felt: list[Judged] = functional_call(duel.critics, frozen, (restored,))
        critics = critics_loss(recorded, made)
        spectral = self._decoding.spectral(restored, target)
        fooling, likeness = fooling_loss(felt), likeness_loss(recorded, felt)
        total = critics + _SPECTRAL * spectral + heeded * (fooling + _LIKENESS * likeness)
        figures = {"critics": critics, "spectral": spectral, "fooling": fooling, "likeness": likeness}
        return total, {name: figure.detach() for name, figure in figures.items()}

    def validate(self) -> dict[str, float]:
        """The spectral loss, and what listeners hear, which is what "loss" is made of."""
        words, quality = self._listen(self.module.decoder)
        spectral = self._decoding.validate()["loss"]
        return {"loss": _WORDS * words - quality, "words_wrong": words, "quality": quality, "spectral": spectral}

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Words must not be lost for the sake of the sound."""
        if figures["words_wrong"] > 0.5:
            raise NotLearning(
                f"The decoder loses {figures['words_wrong']:.0%} of the words after {step} steps; lower the rate."
            )


def _both(critics: nn.Module, recorded: Tensor, made: Tensor) -> tuple[list[Judged], list[Judged]]:
    """What the critics make of both, judged in one batch."""
    judged: list[Judged] = critics(torch.cat([recorded, made]))
    count = len(recorded)
    return [[part[:count] for part in one] for one in judged], [[part[count:] for part in one] for one in judged]
