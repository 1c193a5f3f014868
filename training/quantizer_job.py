"""Batches, loss and validation of a quantizer, for training/loop.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cloning.methods.quantizer_network import FeatureQuantizer
from errors import InvalidInput
from training.feature_cache import Example
from training.loop import LOSS, TOKENS

_POOL = 4
"""A batch is taken from this many random batches, sorted by length, so that it has little padding."""
_BY_LENGTH = 16
"""Clips per batch outside training."""
_TOP = 5


@dataclass(frozen=True)
class PaddedClips:
    """Clips padded to one length. features: float32 (B, T, D); tokens: int64 (B, T); inside: bool (B, T).

    lengths: int64 (B,), on the CPU.
    """

    features: Tensor
    tokens: Tensor
    inside: Tensor
    lengths: Tensor


def padded(examples: Sequence[Example], device: torch.device) -> PaddedClips:
    """Return examples as one batch, padded with zeros."""
    lengths = [len(example.tokens) for example in examples]
    features = np.zeros((len(examples), max(lengths), examples[0].features.shape[1]), np.float32)
    tokens = np.zeros(features.shape[:2], np.int64)
    for row, example in enumerate(examples):
        features[row, : lengths[row]] = example.features
        tokens[row, : lengths[row]] = example.tokens
    counts = torch.tensor(lengths)
    inside = torch.arange(features.shape[1]) < counts[:, None]
    return PaddedClips(
        _on(torch.from_numpy(features), device), _on(torch.from_numpy(tokens), device), _on(inside, device), counts
    )


def batches(examples: Sequence[Example], device: torch.device) -> list[PaddedClips]:
    """Return all examples in batches, sorted by length."""
    ordered = sorted(examples, key=lambda example: len(example.tokens))
    return [padded(ordered[start : start + _BY_LENGTH], device) for start in range(0, len(ordered), _BY_LENGTH)]


def check_examples(examples: Sequence[Example], vocabulary: int) -> None:
    """Raise InvalidInput if features differ in width, or tokens are outside 0 to `vocabulary` - 1."""
    if len({example.features.shape[1] for example in examples}) != 1:
        raise InvalidInput("The features have different widths; remove the folder with features and start again.")
    largest = max(int(example.tokens.max(initial=0)) for example in examples)
    if largest >= vocabulary:
        raise InvalidInput(
            f"The clips hold the token {largest}, but the model has 0 to {vocabulary - 1}. Give the --model that "
            "spoke them."
        )


class QuantizerJob:
    """Trains a quantizer, for training/loop.py.

    copies: the training clips, once per copy of the sound. valid: the held-out clips, by the name of the copy. batch:
    clips per step. smoothing: the share of a frame's target that its two neighbours get.
    """

    def __init__(
        self,
        module: FeatureQuantizer,
        copies: Sequence[Sequence[Example]],
        valid: Mapping[str, Sequence[Example]],
        *,
        batch: int,
        smoothing: float,
        device: torch.device,
    ) -> None:
        self.module = module
        self._copies = [[example for example in copy if len(example.tokens)] for copy in copies]
        self._valid = {name: [one for one in examples if len(one.tokens)] for name, examples in valid.items()}
        self._batch, self._smoothing, self._device = batch, smoothing, device

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the cross-entropy of one batch of clips of similar length, each in a random copy."""
        batch = padded(self._drawn(random), self._device)
        logits = self._logits(batch)
        wanted = batch.tokens[batch.inside]
        loss = functional.cross_entropy(logits, wanted)
        if self._smoothing:
            beside = [functional.cross_entropy(logits, tokens[batch.inside]) for tokens in _neighbours(batch)]
            loss = (1 - self._smoothing) * loss + self._smoothing / 2 * (beside[0] + beside[1])
        right = (logits.argmax(dim=-1) == wanted).float().mean()
        return loss, {"accuracy": right.detach(), TOKENS: wanted.numel()}

    def validate(self) -> dict[str, float]:
        """Return the cross-entropy, and the shares of frames whose token is the most likely or among the top five."""
        figures: dict[str, float] = {}
        for name, examples in self._valid.items():
            sums, frames = torch.zeros(3), 0
            for batch in batches(examples, self._device):
                logits = self._logits(batch)
                wanted = batch.tokens[batch.inside]
                among = logits.topk(min(_TOP, logits.shape[-1]), dim=-1).indices == wanted[:, None]
                summed = functional.cross_entropy(logits, wanted, reduction="sum")
                sums += torch.stack([summed, among[:, 0].sum(), among.sum()]).cpu()
                frames += len(wanted)
            loss, accuracy, top = (float(one) / frames for one in sums)
            figures |= {f"{name}_{LOSS}": loss, f"{name}_accuracy": accuracy, f"{name}_top{_TOP}": top}
        losses = [figures[f"{name}_{LOSS}"] for name in self._valid]
        return {LOSS: sum(losses) / len(losses), **figures}

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Do nothing: no accuracy is required."""

    def _drawn(self, random: np.random.Generator) -> list[Example]:
        count = len(self._copies[0])
        size = min(self._batch, count)
        pool = random.choice(count, min(_POOL * size, count), replace=False)
        lengths = np.array([len(self._copies[0][place].tokens) for place in pool])
        start = int(random.integers(len(pool) - size + 1))
        chosen = pool[np.argsort(lengths, kind="stable")[start : start + size]]
        copies = random.integers(len(self._copies), size=size)
        return [self._copies[copy][place] for copy, place in zip(copies, chosen, strict=True)]

    def _logits(self, batch: PaddedClips) -> Tensor:
        """Return logits (true frames, V) float32, without padding."""
        hidden = self.module.hidden(batch.features, batch.lengths)
        logits: Tensor = self.module.fc(hidden[batch.inside])
        return logits.float()


def _neighbours(batch: PaddedClips) -> tuple[Tensor, Tensor]:
    """Return the tokens of the previous and next frames; at the ends of a clip, its own."""
    place = torch.arange(batch.tokens.shape[1])
    behind = torch.minimum(place + 1, batch.lengths[:, None] - 1).clamp(min=0).to(batch.tokens.device)
    before = batch.tokens[:, (place - 1).clamp(min=0).to(batch.tokens.device)]
    return before, batch.tokens.gather(1, behind)


def _on(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
