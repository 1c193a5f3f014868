"""A small HuBERT: from sound to features that identify the semantic token, for any voice and room.

The network is transformers' HubertModel with fewer convolutions and layers: it has 1.3 million weights, the published
one 94 million. It is trained to classify the semantic tokens, frame by frame, through a head that is not exported. The
exported part loads like the published model, and a quantizer reads its features.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cloning.checkpoints.libraries import transformers
from cloning.checkpoints.weights import load_into, load_state
from research.bundled.phones import SEMANTIC_SIZE

WIDTH = 160
LAYERS = 4

_CHANNELS = 128
_KERNELS, _STRIDES = (120, 2, 2, 2), (40, 2, 2, 2)
"""A frame has 400 samples and starts 320 after the previous one, as with the published convolutions."""

_SAMPLE_RATE = 16_000
_LOWEST_BAND, _HIGHEST_BAND = 80.0, 7600.0
_NORM_GAIN = 6.0
"""Initial gain of the first normalisation. relu6 clips at 6, which is then one standard deviation of a band, so that
soft sounds matter beside loud ones."""


class TokenClassifier(nn.Module):
    """HuBERT, and the head that classifies semantic tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.hubert: Any = transformers.HubertModel(_config())
        self.head = nn.Linear(WIDTH, SEMANTIC_SIZE)
        with torch.no_grad():
            _begin_as_filter_bank(self.hubert.feature_extractor)

    def forward(self, samples: Tensor) -> Tensor:
        """Return logits (B, (N - 400) // 320 + 1, SEMANTIC_SIZE) of float (B, N) at 16 kHz; frame i is of token i."""
        logits: Tensor = self.head(self.hubert(samples).last_hidden_state)
        return logits


def load_classifier(path: Path, device: torch.device) -> TokenClassifier:
    """Load a trained network in evaluation mode. Raises Unavailable if the file is missing or damaged."""
    classifier = TokenClassifier()
    load_into(classifier, load_state(path), path)
    return classifier.to(device).eval()


def export(classifier: TokenClassifier, directory: Path) -> None:
    """Write HuBERT without the head, in half precision, in the hub's layout: config.json and model.safetensors."""
    deepcopy(classifier.hubert).half().save_pretrained(directory)


def _config() -> transformers.HubertConfig:
    return transformers.HubertConfig(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=3 * WIDTH,
        conv_dim=(_CHANNELS,) * len(_KERNELS),
        conv_kernel=_KERNELS,
        conv_stride=_STRIDES,
        conv_bias=True,
        feat_extract_norm="group",
        feat_extract_activation="relu6",
        num_conv_pos_embeddings=48,
        num_conv_pos_embedding_groups=8,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
    )


def _begin_as_filter_bank(extractor: nn.Module) -> None:
    """Initialise the first convolution as band-pass filters, in sine and cosine, and the others as means over time."""
    layers: Any = extractor.conv_layers
    first, *others = [layer.conv for layer in layers]
    low, high = (2595 * torch.log10(torch.tensor(1 + hertz / 700)) for hertz in (_LOWEST_BAND, _HIGHEST_BAND))
    mels = torch.linspace(float(low), float(high), _CHANNELS // 2)
    bands = 700 * (10 ** (mels / 2595) - 1)
    angle = 2 * torch.pi * bands[:, None] * torch.arange(_KERNELS[0]) / _SAMPLE_RATE
    window = torch.hann_window(_KERNELS[0])
    first.weight.copy_(torch.cat([angle.cos() * window, angle.sin() * window])[:, None])
    nn.init.zeros_(first.bias)
    nn.init.constant_(layers[0].layer_norm.weight, _NORM_GAIN)
    for layer in others:
        nn.init.normal_(layer.weight, std=0.03)
        layer.weight += 0.5 * torch.eye(_CHANNELS)[:, :, None]
