"""Encode and decode audio with EnCodec (package `encodec`), with the codec weights of a Bark checkpoint.

Rate, hop, widths and codebooks come from the checkpoint's `codec_config`, whose names are transformers'.
"""

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from numpy.typing import NDArray
from torch import Tensor, nn

from cloning.bark.config import read_json
from cloning.checkpoints.libraries import encodec, transformers
from cloning.checkpoints.weights import load_into, load_part
from errors import InvalidInput, ModelUnavailable

_PREFIX = "codec_model."

_FIXED = {
    "audio_channels": 1,
    "normalize": False,
    "chunk_length_s": None,
    "norm_type": "weight_norm",
    "pad_mode": "reflect",
}
"""Properties of Bark's codec that this module relies on: mono, whole clips, unscaled."""


_TOGETHER_FROM = 16
"""The fewest frames of a clip that is decoded in a batch: padding changes shorter ones in the first convolution, whose
kernel has 7 frames."""


class Codec:
    """Samples <-> tokens with a Bark checkpoint's EnCodec, float32, on `device`.

    batched: whether `decode_together` uses batches; by default on every device except a CPU, which one clip keeps busy.
    Raises Unavailable if `directory` lacks the codec's configuration or any of its weights, or has unknown weights.
    """

    def __init__(self, directory: Path, device: torch.device, *, batched: bool | None = None) -> None:
        config = read_json(directory / "config.json")
        shape = _codec_shape(config, directory)
        self._model = _build(shape)
        source, state = load_part(directory, _PREFIX)
        load_into(self._model, rename(state, self._model.state_dict()), source)
        self._model.to(device, torch.float32).eval()
        self._device = device
        causal = shape.use_causal_conv and shape.trim_right_ratio == 1
        self._batched = causal and (device.type != "cpu" if batched is None else batched)
        fine = config.get("fine_acoustics_config") or {}
        self.books: int = min(fine.get("n_codes_total") or 8, shape.num_quantizers)
        """The number of the codec's codebooks that Bark uses."""
        self.sample_rate: int = shape.sampling_rate
        """Samples per second."""
        self.frame_rate: float = shape.sampling_rate / shape.hop_length
        """Frames per second; each frame is one token of every book."""
        self.codebook_size: int = shape.codebook_size
        """Tokens are below this number."""

    @torch.inference_mode()
    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.int64]:
        """Encode float32 (N,) at `sample_rate` to int64 (books, T), T = ceil(N / hop). Raises InvalidInput if N is
        0."""
        if samples.ndim != 1 or not samples.size:
            raise InvalidInput("There is no sound to encode; record a few seconds of speech.")
        audio = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)).to(self._device)
        latents = self._model.encoder(audio[None, None])
        codes: Tensor = self._model.quantizer.vq.encode(latents, n_q=self.books)  # (books, 1, T)
        return codes[:, 0].cpu().numpy()

    @torch.inference_mode()
    def decode(self, codes: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Decode integers (books, T) to float32 (T * hop,). The first books alone can be decoded too.

        Raises InvalidInput if a token is out of range or T is 0.
        """
        self._check(codes)
        return self._decode([codes])[0]

    @torch.inference_mode()
    def decode_together(self, clips: Sequence[NDArray[np.integer[Any]]]) -> list[NDArray[np.float32]]:
        """Decode several clips, in one batch where that is faster and gives the same samples. Raises as `decode`.

        Only a causal decoder is batched: its samples do not depend on the padding that follows a clip.
        """
        for codes in clips:
            self._check(codes)
        fit = [i for i, codes in enumerate(clips) if self._batched and codes.shape[1] >= _TOGETHER_FROM]
        done = dict(zip(fit, self._decode([clips[i] for i in fit]), strict=True)) if fit else {}
        return [done[i] if i in done else self._decode([codes])[0] for i, codes in enumerate(clips)]

    def _check(self, codes: NDArray[np.integer[Any]]) -> None:
        if codes.ndim != 2 or not 1 <= codes.shape[0] <= self.books or not codes.shape[1]:
            raise InvalidInput(f"Codec tokens have the shape (books, frames) with 1 to {self.books} books.")
        if codes.min() < 0 or codes.max() >= self.codebook_size:
            raise InvalidInput(f"A codec token is out of range: they go from 0 to {self.codebook_size - 1}.")

    def _decode(self, clips: Sequence[NDArray[np.integer[Any]]]) -> list[NDArray[np.float32]]:
        """Decode clips with the same number of books, padded with zeros to the longest."""
        lengths = [codes.shape[1] for codes in clips]
        tokens = torch.zeros(clips[0].shape[0], len(clips), max(lengths), dtype=torch.int64)
        for number, codes in enumerate(clips):
            tokens[:, number, : lengths[number]] = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.int64))
        samples: Tensor = self._model.decoder(self._model.quantizer.decode(tokens.to(self._device)))  # (clips, 1, N)
        hop = samples.shape[2] // max(lengths)
        decoded = samples[:, 0].cpu().numpy()
        return [decoded[number, : length * hop] for number, length in enumerate(lengths)]


def rename(state: Mapping[str, Tensor], wanted: Mapping[str, object]) -> dict[str, Tensor]:
    """Rename EnCodec weights from transformers' names to those of the encodec package.

    `wanted` (the package's names) distinguishes transposed from plain convolutions, which transformers' names do not.
    """
    return {_package_name(name, wanted): tensor for name, tensor in state.items()}


def _package_name(name: str, wanted: Mapping[str, object]) -> str:
    name = re.sub(r"^quantizer\.layers\.(\d+)\.codebook\.", r"quantizer.vq.layers.\1._codebook.", name)
    name = re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", name)
    stem, separator, rest = name.rpartition(".conv.")
    if not separator:
        return name
    transposed = f"{stem}.convtr.convtr."
    return f"{transposed if transposed + 'bias' in wanted else f'{stem}.conv.conv.'}{rest}"


def _codec_shape(config: Mapping[str, Any], directory: Path) -> transformers.EncodecConfig:
    """Return the codec's configuration, with transformers' defaults for missing keys."""
    given = config.get("codec_config") or {}
    try:
        shape = transformers.EncodecConfig(**{key: value for key, value in given.items() if value is not None})
    except (TypeError, ValueError, AttributeError, StrictDataclassError) as error:
        raise ModelUnavailable(f"The codec_config in {directory} cannot be read; download the model again.") from error
    other = [key for key, value in _FIXED.items() if getattr(shape, key) != value]
    if shape.codebook_dim != shape.hidden_size:
        other.append("codebook_dim")
    if shape.codebook_size < 1 or not math.log2(shape.codebook_size).is_integer():
        other.append("codebook_size")
    if other:
        raise ModelUnavailable(f"The codec in {directory} differs from Bark's ({', '.join(other)}); use another model.")
    return shape


def _build(shape: transformers.EncodecConfig) -> Any:
    """Build an encodec.EncodecModel of this shape, without loaded weights."""
    common: dict[str, Any] = {
        "channels": shape.audio_channels,
        "dimension": shape.hidden_size,
        "n_filters": shape.num_filters,
        "n_residual_layers": shape.num_residual_layers,
        "ratios": list(shape.upsampling_ratios),
        "kernel_size": shape.kernel_size,
        "last_kernel_size": shape.last_kernel_size,
        "residual_kernel_size": shape.residual_kernel_size,
        "dilation_base": shape.dilation_growth_rate,
        "causal": shape.use_causal_conv,
        "true_skip": not shape.use_conv_shortcut,
        "compress": shape.compress,
        "lstm": shape.num_lstm_layers,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # encodec uses the older of torch's two weight norms
        encoder: nn.Module = encodec.modules.SEANetEncoder(**common)
        decoder: nn.Module = encodec.modules.SEANetDecoder(**common, trim_right_ratio=shape.trim_right_ratio)
    if shape.use_conv_shortcut:  # then nothing reads the input of an activation afterwards
        for module in (*encoder.modules(), *decoder.modules()):
            if isinstance(module, nn.ELU):
                module.inplace = True  # the largest tensors are 31 MB for 10 s
    quantizer = encodec.quantization.ResidualVectorQuantizer(
        dimension=shape.hidden_size, n_q=shape.num_quantizers, bins=shape.codebook_size
    )
    return encodec.EncodecModel(
        encoder,
        decoder,
        quantizer,
        target_bandwidths=list(shape.target_bandwidths),
        sample_rate=shape.sampling_rate,
        channels=shape.audio_channels,
    )
