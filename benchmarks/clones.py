"""Measure cloning: HuBERT's features, the quantizer and the codec's encoder, for a clip of random samples.

Barkeep's code is compared with transformers' HuBERT and EnCodec and torch's LSTM, used as in the code that made the
published quantizers: features of layer 9 of the whole clip, one token per frame, codes at 6 kbit/s.
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from benchmarks.checkpoints import BARK, HUBERT, QUANTIZER
from benchmarks.rows import CLONE_SECONDS, CLONE_STAGES, LineResults
from cloning import memory
from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.weights import load_bark, load_hubert
from cloning.methods.hubert import LAYER, SAMPLE_RATE
from cloning.methods.quantizer_network import load as load_quantizer
from cloning.model_set import LoadedModels

_CODEC_RATE = 24_000
_BANDWIDTH = 6.0
"""Kilobits per second of EnCodec's eight codebooks."""

Clip = npt.NDArray[np.float32]
T = TypeVar("T")


class Cloner(Protocol):
    """Converts a clip, float32 (N,), to tokens."""

    def features(self, clip: Clip) -> torch.Tensor:
        """Return HuBERT's features of samples at 16 kHz: (T, D)."""

    def tokens(self, features: torch.Tensor) -> torch.Tensor:
        """Return semantic tokens, int64 (S,)."""

    def codes(self, clip: Clip) -> object:
        """Return EnCodec's codes of samples at 24 kHz."""


class BarkeepCloner:
    """Cloning with the models of `LoadedModels`, as in the bot; `dtype` also determines HuBERT's precision."""

    def __init__(self, folder: Path, device: str, dtype: str) -> None:
        models = LoadedModels(ModelChoice(str(folder), device=device, dtype=dtype))
        self._hubert, self._codec, (self._quantizer, _) = models.hubert, models.codec, models.quantizer("en")
        memory.use_large_pages()

    def features(self, clip: Clip) -> torch.Tensor:
        """See Cloner."""
        return self._hubert(clip)

    def tokens(self, features: torch.Tensor) -> torch.Tensor:
        """See Cloner."""
        return self._quantizer.tokens(features)

    def codes(self, clip: Clip) -> object:
        """See Cloner."""
        return self._codec.encode(clip)


class TransformersCloner:
    """Cloning with transformers' models and torch's LSTM."""

    def __init__(self, folder: Path, device: str) -> None:
        self._device = torch.device(device)
        self._hubert = load_hubert(folder / HUBERT)
        nn.Module.to(self._hubert, self._device)
        bark: Any = load_bark(folder / BARK, torch.float32, self._device)
        self._codec = bark.codec_model
        self._quantizer: Any = load_quantizer(folder / QUANTIZER, self._device)

    @torch.inference_mode()
    def features(self, clip: Clip) -> torch.Tensor:
        """See Cloner."""
        hidden = self._hubert(torch.from_numpy(clip)[None].to(self._device), output_hidden_states=True).hidden_states
        features: torch.Tensor = hidden[min(LAYER, len(hidden) - 1)][0]
        return features

    @torch.inference_mode()
    def tokens(self, features: torch.Tensor) -> torch.Tensor:
        """See Cloner."""
        hidden, _ = self._quantizer.lstm(features)
        return torch.log_softmax(self._quantizer.fc(hidden), dim=-1).argmax(dim=-1)

    @torch.inference_mode()
    def codes(self, clip: Clip) -> object:
        """See Cloner."""
        samples = torch.from_numpy(clip)[None, None].to(self._device)
        return self._codec.encode(samples, bandwidth=_BANDWIDTH).audio_codes.cpu()


def clone(cloner: Cloner) -> LineResults:
    """Clone one clip of CLONE_SECONDS; return the seconds of each stage, and their sum as `first`."""
    random = np.random.default_rng(0)
    clips = [random.normal(0, 0.1, int(CLONE_SECONDS * rate)).astype(np.float32) for rate in (SAMPLE_RATE, _CODEC_RATE)]
    results = LineResults(samples=clips[1].size)
    features = _timed(results, CLONE_STAGES[0], lambda: cloner.features(clips[0]))
    _timed(results, CLONE_STAGES[1], lambda: cloner.tokens(features).cpu())
    _timed(results, CLONE_STAGES[2], lambda: cloner.codes(clips[1]))
    results.first = sum(results.stages.values())
    return results


def _timed(results: LineResults, stage: str, action: Callable[[], T]) -> T:
    began = perf_counter()
    result = action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    results.stages[stage] += perf_counter() - began
    return result
