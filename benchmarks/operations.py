"""Count the floating-point operations of the networks around Bark's models: the codec, HuBERT and the quantizer.

Counts convolutions, linear layers and LSTMs, for one second of silence. Leaves out the scores of HuBERT's attention,
which are a seventeenth of its operations for a clip of ten seconds.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.checkpoints import bark_config, hubert_config, quantizer_info
from benchmarks.rows import CLONE_SECONDS, CLONE_STAGES
from cloning.checkpoints.libraries import transformers
from cloning.methods.hubert import LAYER
from cloning.methods.quantizer_network import FEATURE_RATE_HZ, Quantizer

_FRAMES = 75
"""Codec frames per second."""


def of_decoding(shape: str) -> float:
    """Return the operations of the codec's decoder per frame."""
    codec: Any = _codec(shape)
    return _counted(codec, lambda: codec.decoder(torch.zeros(1, codec.config.hidden_size, _FRAMES))) / _FRAMES


def of_cloning(shape: str) -> dict[str, float]:
    """Return the operations of each stage of cloning a clip of CLONE_SECONDS. HuBERT runs up to the layer in use."""
    config = hubert_config(shape)
    config.num_hidden_layers = min(LAYER, config.num_hidden_layers)
    hubert: Any = transformers.HubertModel(config)
    hubert.eval()
    quantizer, codec = Quantizer(quantizer_info(shape)), _codec(shape)
    features = torch.zeros(int(FEATURE_RATE_HZ), quantizer.info.input_size)
    counts = (
        _counted(hubert, lambda: hubert(torch.zeros(1, 16_000))),
        _counted(quantizer, lambda: quantizer(features)),
        _counted(codec, lambda: codec.encoder(torch.zeros(1, 1, 24_000))),
    )
    return {stage: CLONE_SECONDS * count for stage, count in zip(CLONE_STAGES, counts, strict=True)}


def _codec(shape: str) -> Any:
    config: Any = bark_config(shape).codec_config
    codec: Any = transformers.EncodecModel(config)
    return codec.eval()


def _counted(model: nn.Module, action: Callable[[], object]) -> float:
    with _counter(model) as counts, torch.no_grad():
        action()
    return sum(counts)


@contextmanager
def _counter(model: nn.Module) -> Iterator[list[float]]:
    """Count operations inside `with`: yield a list that receives the operations of each call of a layer of `model`."""
    counts: list[float] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        counts.append(2.0 * _multiplications(layer, inputs[0], output))

    layers = (nn.Conv1d, nn.ConvTranspose1d, nn.Linear, nn.LSTM)
    handles = [layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, layers)]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def _multiplications(layer: Any, given: Tensor, output: Any) -> float:
    if isinstance(layer, nn.LSTM):
        steps = given.numel() / layer.input_size
        return steps * sum(weight.numel() for name, weight in layer.named_parameters() if name.startswith("weight"))
    if isinstance(layer, nn.ConvTranspose1d):
        return float(given.numel() * layer.weight.shape[1:].numel())
    return float(output.numel() * layer.weight.shape[1:].numel())
