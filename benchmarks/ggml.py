"""Write a Bark checkpoint as one file for bark.cpp, in ggml's first format: vocabulary, three models and a codec.

The format, as bark.cpp and encodec.cpp read it: a magic number; the vocabulary; for each model its sizes, the number of
its tensors, and the tensors; the magic number again, the codec's sizes, and its tensors to the end of the file. A
tensor consists of the number of its dimensions, the length of its name, its type (0 float32, 1 float16), the dimensions
from last to first, the name and the values. Matrices and tables of the models have the requested precision, those of
the codec half precision (encodec.cpp has no convolution for others); everything else is float32.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

MAGIC = 0x67676D6C
FLOAT32, FLOAT16 = 0, 1
"""Type numbers of a tensor; a model's type is that of its matrices."""

_NAMES = (
    (r"layernorm_final\.weight", "ln_f/g"),
    (r"layernorm_final\.bias", "ln_f/b"),
    (r"position_embeds_layer\.weight", "wpe"),
    (r"input_embeds_layer\.weight", "wte/0"),
    (r"input_embeds_layers\.(\d+)\.weight", r"wte/\1"),
    (r"lm_head\.weight", "lm_head/0"),
    (r"lm_heads\.(\d+)\.weight", r"lm_head/\1"),
    (r"layers\.(\d+)\.layernorm_([12])\.weight", r"h\1/ln_\2/g"),
    (r"layers\.(\d+)\.layernorm_([12])\.bias", r"h\1/ln_\2/b"),
    (r"layers\.(\d+)\.attn\.att_proj\.weight", r"h\1/attn/c_attn/w"),
    (r"layers\.(\d+)\.attn\.out_proj\.weight", r"h\1/attn/c_proj/w"),
    (r"layers\.(\d+)\.mlp\.in_proj\.weight", r"h\1/mlp/c_fc/w"),
    (r"layers\.(\d+)\.mlp\.out_proj\.weight", r"h\1/mlp/c_proj/w"),
)
"""Patterns of transformers' weight names, and bark.cpp's names for them, without the prefix `model/`."""


def write(model: Any, vocabulary: list[str], path: Path, *, half: bool = False) -> None:
    """Write transformers' BarkModel and its tokenizer's pieces to `path`, in float32 or in half precision."""
    with path.open("wb") as file:
        _integers(file, MAGIC, len(vocabulary))
        for piece in vocabulary:
            spelled = piece.encode()
            _integers(file, len(spelled))
            file.write(spelled)
        for part in (model.semantic, model.coarse_acoustics, model.fine_acoustics):
            _write_transformer(file, part, half)
        _write_codec(file, model.codec_model)


def _write_transformer(file: BinaryIO, part: Any, half: bool) -> None:
    config = part.config
    books = getattr(config, "n_codes_total", 1)
    heads = books - config.n_codes_given if books > 1 else 1
    sizes = (config.num_layers, config.num_heads, config.hidden_size, config.block_size)
    # Only the norms of the fine model have biases; bark.cpp has one flag for these and for the biases of matrices.
    biased = books > 1 or config.bias
    _integers(file, *sizes, int(biased), config.input_vocab_size, config.output_vocab_size, heads, books)
    tensors = {_name(name): tensor for name, tensor in part.state_dict().items() if not name.endswith(".attn.bias")}
    _integers(file, FLOAT16 if half else FLOAT32, len(tensors))
    for name, tensor in tensors.items():
        _write_tensor(file, name, tensor, half and re.search(r"/w$|/wte/|/lm_head/", name) is not None)


def _name(name: str) -> str:
    for pattern, replacement in _NAMES:
        if re.fullmatch(pattern, name):
            return "model/" + re.sub(pattern, replacement, name)
    raise ValueError(f"bark.cpp has no name for the weight {name}.")


def _write_codec(file: BinaryIO, codec: Any) -> None:
    config = codec.config
    _integers(file, MAGIC, config.audio_channels, config.hidden_size, config.num_filters, config.kernel_size)
    bandwidth = int(max(config.target_bandwidths))
    _integers(file, config.residual_kernel_size, config.codebook_size, bandwidth, config.sampling_rate, FLOAT16)
    for name, tensor in _codec_tensors(codec):
        _write_tensor(file, name, tensor, "weight" in name)


def _codec_tensors(codec: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and the values of every weight that encodec.cpp reads, with weight norm applied."""
    for name, module in codec.named_modules():
        coder = re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", name)
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            kind = "convtr.convtr" if isinstance(module, nn.ConvTranspose1d) else "conv.conv"
            stem = f"{coder.removesuffix('.conv')}.{kind}"
            yield f"{stem}.weight", module.weight
            if module.bias is not None:
                yield f"{stem}.bias", module.bias
        elif isinstance(module, nn.LSTM):
            yield from ((f"{coder}.{key}", tensor) for key, tensor in module.state_dict().items())
    for number, layer in enumerate(codec.quantizer.layers):
        yield f"quantizer.vq.layers.{number}._codebook.embed", layer.codebook.embed


def _write_tensor(file: BinaryIO, name: str, tensor: Tensor, half: bool) -> None:
    spelled = name.encode()
    _integers(file, tensor.ndim, len(spelled), FLOAT16 if half else FLOAT32, *reversed(tensor.shape))
    file.write(spelled)
    tensor.detach().to(torch.float32).numpy().astype(np.float16 if half else np.float32).tofile(file)


def _integers(file: BinaryIO, *numbers: int) -> None:
    file.write(struct.pack(f"<{len(numbers)}i", *numbers))
