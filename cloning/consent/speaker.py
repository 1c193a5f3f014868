"""Embed the voice of a recording, and compare speakers.

The weights are Resemblyzer's (Apache-2.0; L. Wan et al.: "Generalized end-to-end loss for speaker verification", 2018):
three LSTM layers over 40 mel bands. Only its `pretrained.pt` is used; the package's own code needs a voice detector
that does not build everywhere.
"""

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from cloning.consent.packages import NOT_INSTALLED
from cloning.media.audio import Recording, Samples, resample
from errors import InvalidInput, Unavailable

SAMPLE_RATE = 16_000
_BANDS, _WIDTH, _LAYERS = 40, 256, 3
_WINDOW, _HOP = 400, 160
"""Samples per mel frame (25 ms) and between two (10 ms)."""
_PARTIAL, _STEP = 160, 40
"""Frames per embedded piece (1.6 s, as in training) and between two pieces."""
_LEVEL_DBFS = -30.0
"""Resemblyzer raises quieter clips to this level. Here louder ones are lowered too, as level changes the embedding."""
_BLOCK, _SILENCE_DB = 800, 40.0
"""A block of 800 samples (50 ms) this far below the loudest one counts as silence and is dropped."""

Embedding = npt.NDArray[np.float32]
"""Float32 (256,) of length 1; no element is negative."""


class SpeakerEncoder(nn.Module):
    """`embed(recording)`: the embedding of its voice. Raises Unavailable if Resemblyzer's weights are not installed."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BANDS, _WIDTH, _LAYERS, batch_first=True)
        self.linear = nn.Linear(_WIDTH, _WIDTH)
        state = torch.load(_weights(), map_location="cpu", weights_only=True)["model_state"]
        self.load_state_dict({name: value for name, value in state.items() if not name.startswith("similarity")})
        self.eval()
        self._window = torch.hann_window(_WINDOW)
        bank = mel_filter_bank(
            _WINDOW // 2 + 1, _BANDS, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
        )
        self._filters = bank.T.astype(np.float32)  # (40, 201)

    def forward(self, mels: Tensor) -> Tensor:
        """Mel power (pieces, frames, 40) -> (pieces, 256), each of length 1."""
        _, (hidden, _) = self.lstm(mels)
        raw = torch.relu(self.linear(hidden[-1]))  # (pieces, 256)
        return nn.functional.normalize(raw, dim=1)

    @torch.inference_mode()
    def embed(self, recording: Recording) -> Embedding:
        """Return the mean embedding of pieces of 1.6 s, scaled to length 1. A shorter clip is repeated. Raises
        InvalidInput for silence."""
        frames = self._frames(_speech(resample(recording, SAMPLE_RATE).samples))
        missing = max(0, _PARTIAL - len(frames))
        frames = np.pad(frames, ((0, missing), (0, 0)), mode="wrap")
        starts = range(0, len(frames) - _PARTIAL + 1, _STEP)
        pieces = torch.from_numpy(np.stack([frames[start : start + _PARTIAL] for start in starts]))
        mean: Embedding = nn.functional.normalize(self(pieces).mean(dim=0), dim=0).numpy()
        return mean

    def _frames(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return mel power (T, 40), not its logarithm, as in Resemblyzer's training."""
        spectrum = torch.stft(
            torch.from_numpy(samples), _WINDOW, _HOP, window=self._window, pad_mode="constant", return_complex=True
        )
        power = spectrum.abs().square().numpy()  # (201, T)
        frames: npt.NDArray[np.float32] = (self._filters @ power).T.astype(np.float32)
        return frames


def similarity(one: Embedding, other: Embedding) -> float:
    """Return the cosine of two voices: 0..1; about 0.85 for one speaker in two clips, 0.6 for two speakers."""
    return float(one @ other)


def _speech(samples: Samples) -> Samples:
    """Return the clip without its silences, at the encoder's level."""
    if not np.any(samples):
        raise InvalidInput("A clip is silent, so no voice can be recognised in it. Leave it out.")
    blocks = np.pad(samples, (0, -samples.size % _BLOCK)).reshape(-1, _BLOCK)
    levels = 10 * np.log10(np.maximum(np.mean(blocks.astype(np.float64) ** 2, axis=1), 1e-12))
    loud = blocks[levels > levels.max() - _SILENCE_DB].reshape(-1)
    level = 10 * np.log10(np.mean(loud.astype(np.float64) ** 2))
    speech: Samples = (loud * 10 ** ((_LEVEL_DBFS - level) / 20)).astype(np.float32)
    return speech


def _weights() -> Path:
    package = importlib.util.find_spec("resemblyzer")
    if package is None or package.origin is None:
        raise Unavailable(NOT_INSTALLED)
    return Path(package.origin).with_name("pretrained.pt")
