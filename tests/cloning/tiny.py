"""Tiny random checkpoints in the published formats, for the tests of the loading code."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from cloning.checkpoints import libraries

transformers: Any = libraries.transformers  # it is typed in parts only

_STAGE = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "block_size": 16, "bias": False}
CODEC = {
    "model_type": "encodec",
    "num_filters": 2,
    "hidden_size": 8,
    "codebook_size": 64,
    "num_lstm_layers": 1,
    "upsampling_ratios": [4, 2],
    "sampling_rate": 800,
    "target_bandwidths": [4.8],
}
"""800 Hz, hop 8: 100 frames a second, 8 codebooks of 64."""


def bark(seed: int = 0) -> Any:
    """A Bark of a few thousand weights, all of them random: codebooks too."""
    torch.manual_seed(seed)
    config = transformers.BarkConfig(
        semantic_config={**_STAGE, "input_vocab_size": 40, "output_vocab_size": 30},
        coarse_acoustics_config={**_STAGE, "input_vocab_size": 50, "output_vocab_size": 50},
        fine_acoustics_config={**_STAGE, "input_vocab_size": 66, "output_vocab_size": 66},
        codec_config=CODEC,
    )
    model = transformers.BarkModel(config).eval()
    randomise(model)
    return model


def randomise(model: torch.nn.Module) -> None:
    """Draw everything that starts as zeros or ones: norms, biases and codebooks."""
    for name, tensor in model.state_dict().items():
        constant = name.endswith((".embed", ".embed_avg", ".cluster_size", "bias")) or "layernorm" in name
        if constant and tensor.is_floating_point():
            tensor.normal_()


def hub_weights(model: Any, old_weight_norm: bool = True) -> dict[str, torch.Tensor]:
    """The state dict as the hub's files have it; each tensor on its own."""
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    if not old_weight_norm:
        return state
    return {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in state.items()
    }


def write(model: Any, directory: Path, weights: dict[str, torch.Tensor], file: str = "model.safetensors") -> Path:
    """Write a directory in the hub's layout with these weights."""
    directory.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(directory)
    if file.endswith(".safetensors"):
        save_file(weights, directory / file, metadata={"format": "pt"})
    else:
        torch.save(weights, directory / file)
    return directory


def hubert(layers: int = 2) -> Any:
    """A HuBERT of `layers` narrow layers."""
    torch.manual_seed(1)
    return transformers.HubertModel(
        transformers.HubertConfig(
            hidden_size=16,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=16,
            conv_dim=(8,) * 7,
            num_conv_pos_embeddings=4,
            num_conv_pos_embedding_groups=2,
            initializer_range=0.2,
        )
    ).eval()
