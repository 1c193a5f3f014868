"""Compute HuBERT features of speech, the input of the quantizer."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cloning.checkpoints.weights import load_hubert
from cloning.methods.rounded_hubert import round_matrices

SAMPLE_RATE = 16_000
"""Samples per second of HuBERT's input."""

LAYER = 9
"""The layer whose output the published quantizers read (fairseq's `output_layer=9`). A shallower HuBERT, such as the
bundled one, gives its last layer."""

_WINDOW = 400
"""Samples under one frame (25 ms). Shorter input gives no frame."""

_CHUNK = 30 * SAMPLE_RATE
"""Samples per chunk: attention grows with the square of the length. Reference clips are far shorter."""


class HubertFeatures:
    """`features(samples)`: float32 (N,) at 16 kHz, not normalised -> float32 (T, D) at 50 Hz, on `device`.

    rounded: whether to compute in 8 bits, which needs a CPU with `cloning.bark.linear.int8_is_supported`.
    """

    def __init__(self, directory: Path, device: torch.device, *, rounded: bool = False) -> None:
        self._model = load_hubert(directory)
        nn.Module.to(self._model, device)
        self._device = device
        self.size: int = self._model.config.hidden_size
        """D, the width of a frame."""
        depth: int = self._model.config.num_hidden_layers
        self._layer = min(LAYER, depth)
        # The output of the layers above is not read. With a stable layer norm they stay: transformers 4 normalises the
        # last layer's output, and 5 does not (findings/transformers-speech-layers.sh).
        if not self._model.config.do_stable_layer_norm:
            del self._model.encoder.layers[self._layer :]
        if rounded:
            with torch.inference_mode():
                round_matrices(self._model)

    @torch.inference_mode()
    def __call__(self, samples: np.ndarray) -> Tensor:
        """Return the features of one clip. Fewer than 400 samples are padded with silence to one frame."""
        padded = np.pad(samples, (0, max(0, _WINDOW - len(samples)))).astype(np.float32, copy=False)
        hop = self._model.config.inputs_to_logits_ratio
        starts = range(0, len(padded) - _WINDOW + 1, _CHUNK // hop * hop)
        # chunks overlap by the window minus the hop, so that no frame is lost between them
        chunks = [padded[start : start + _CHUNK // hop * hop + _WINDOW - hop] for start in starts]
        return torch.cat([self._features(torch.from_numpy(chunk).to(self._device)) for chunk in chunks])

    def _features(self, samples: Tensor) -> Tensor:
        hidden = self._model(samples[None], output_hidden_states=True).hidden_states
        features: Tensor = hidden[self._layer][0]
        return features
