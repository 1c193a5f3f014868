"""The bundled EnCodec: its configuration, its initialisation, and its assembly from three trained parts.

It is a transformers EncodecModel, so it is exported and loaded like the codec of `suno/bark`. Its codebooks are the
teacher's.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cloning.checkpoints.libraries import transformers
from cloning.checkpoints.weights import load_into, load_state
from research.bundled.adversarial import decoder_of
from research.bundled.spectra import HOP, SAMPLE_RATE
from research.bundled.teacher import BOOKS, CODEBOOK_SIZE, LATENT, Teacher, load_teacher

TEACHER, DECODER, ADVERSARIAL, ENCODER = "teacher", "decoder", "adversarial", "encoder"
FINETUNE = "finetune"
"""Folders of the training runs in the codec's folder; each has a file best.safetensors."""
BEFORE_FINETUNING = (ADVERSARIAL, DECODER)
DECODERS = (FINETUNE, *BEFORE_FINETUNING)
"""The runs that train a decoder, the last one first."""

RATIOS = (2, 4, 5, 8)
"""Upsampling factors of the decoder's layers. Small ones come first, so that the widest layers run at low rates."""

_BEST = "best.safetensors"
_BITS = CODEBOOK_SIZE.bit_length() - 1
OUTPUT_LEVEL = 0.1
"""Standard deviation of an untrained decoder's output, about that of speech; full scale is 1."""


def codec_config() -> transformers.EncodecConfig:
    """Return the configuration: 16 kHz mono, 50 frames/s, 8 books of 512, not causal, since it need not stream."""
    frame_rate = SAMPLE_RATE / HOP
    return transformers.EncodecConfig(
        sampling_rate=SAMPLE_RATE,
        audio_channels=1,
        normalize=False,
        target_bandwidths=[books * _BITS * frame_rate / 1000 for books in (2, BOOKS)],
        upsampling_ratios=list(RATIOS),
        num_filters=24,
        num_residual_layers=2,
        dilation_growth_rate=3,
        num_lstm_layers=1,
        hidden_size=LATENT,
        codebook_size=CODEBOOK_SIZE,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )


def new_encoder() -> nn.Module:
    """Return an untrained SEANet encoder: float (B, 1, T * HOP) -> (B, LATENT, T)."""
    encoder: nn.Module = transformers.EncodecModel(codec_config()).encoder
    return encoder


def new_decoder() -> nn.Module:
    """Return an untrained SEANet decoder: float (B, LATENT, T) -> (B, 1, T * HOP)."""
    decoder: nn.Module = transformers.EncodecModel(codec_config()).decoder
    return decoder


@torch.no_grad()
def unit_variance(module: nn.Module, example: Tensor, level: float = 1.0) -> None:
    """Scale each convolution so that its output for `example` has unit variance, and set its bias to zero.

    Otherwise the latents of a SEANet collapse, or its output stays silent for thousands of steps. `level` is the
    standard deviation of the last convolution's output.
    """

    def scale(convolution: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor:
        deviation = output.std().clamp(min=1e-6)
        _gain(convolution).div_(deviation)
        if isinstance(convolution.bias, Tensor):
            convolution.bias.zero_()
        return output / deviation

    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv1d | nn.ConvTranspose1d)]
    hooks = [convolution.register_forward_hook(scale) for convolution in convolutions]
    module(example)
    for hook in hooks:
        hook.remove()
    _gain(convolutions[-1]).mul_(level)


def assemble(teacher: Teacher, encoder: nn.Module, decoder: nn.Module) -> transformers.EncodecModel:
    """Return the whole codec with copies of its parts, on the CPU, in evaluation mode."""
    codec = transformers.EncodecModel(codec_config())
    codec.encoder.load_state_dict(encoder.state_dict())
    codec.decoder.load_state_dict(decoder.state_dict())
    for book, embed in enumerate(teacher.quantizer.embed):
        codebook = codec.quantizer.get_submodule(f"layers.{book}.codebook")
        codebook.get_buffer("embed").copy_(embed)
        codebook.get_buffer("embed_avg").copy_(embed)
        codebook.get_buffer("cluster_size").fill_(1.0)
    nn.Module.eval(codec)
    return codec


def load_codec(folder: Path) -> transformers.EncodecModel:
    """Load the codec from its parts in `folder`. Raises Unavailable if a part is missing or damaged."""
    teacher = load_teacher(folder / TEACHER / _BEST, torch.device("cpu"))
    codec = transformers.EncodecModel(codec_config())
    weights = folder / ENCODER / _BEST
    load_into(codec.encoder, load_state(weights), weights)
    load_decoder(codec.decoder, folder)
    return assemble(teacher, codec.encoder, codec.decoder)


def load_decoder(decoder: nn.Module, folder: Path, runs: Sequence[str] = DECODERS) -> None:
    """Load the decoder of the first of `runs` that exists in `folder`.

    Raises Unavailable if there is none, or it is damaged.
    """
    run = next((run for run in runs if (folder / run / _BEST).is_file()), runs[-1])
    weights = folder / run / _BEST
    state = load_state(weights)
    load_into(decoder, decoder_of(state) if run == ADVERSARIAL else state, weights)


def _gain(convolution: nn.Module) -> Tensor:
    """Return weight norm's gains, one for each channel."""
    gain = convolution.get_parameter("parametrizations.weight.original0")
    return gain.data
