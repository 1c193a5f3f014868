"""How tokens are drawn: from the softmax at a temperature, as in `suno-ai/bark` (`bark/generation.py`)."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampler:
    """One stage's draws for one utterance, from a generator of its own. Temperature 0 takes the likeliest."""

    temperature: float
    generator: torch.Generator

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of (..., vocabulary) logits, in float32; at temperature 0 those of temperature 1."""
        return (logits.float() / (self.temperature or 1.0)).softmax(-1)

    def draw(self, probabilities: Tensor) -> Tensor:
        """(rows, vocabulary) -> (rows,)"""
        if self.temperature == 0:
            return probabilities.argmax(-1)
        return torch.multinomial(probabilities, 1, generator=self.generator)[:, 0]
