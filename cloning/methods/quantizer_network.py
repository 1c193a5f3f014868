"""The quantizer: a small network from HuBERT features to Bark's semantic tokens.

Published quantizers follow the public checkpoints of bark-voice-cloning (`quantifier_*.pth`): a torch zip with one
extra member, `*/.info`, that holds the sizes as JSON. Barkeep's own network is bidirectional and is saved as
safetensors, with its sizes in the metadata.
"""

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cloning.checkpoints.weights import load_into, load_state
from cloning.methods import half_lstm
from cloning.methods.bidirectional import BODIES
from cloning.methods.half_lstm import HalfLstm
from errors import InvalidInput, ModelUnavailable

FEATURE_RATE_HZ = 50.0
"""HuBERT's frames per second: 16 kHz through strides 5*2*2*2*2*2*2 = 320."""

SEMANTIC_RATE_HZ = 49.9
"""Bark's semantic tokens per second: HuBERT makes 499 frames of 10 s, since the window of a 500th does not fit."""

_LAYERS = 2
_MAX_INFO_BYTES = 4096
_MAX_SIZE = 1 << 17
_WIDTH_STEP = 4
"""Widths are multiples of this: the network bodies divide them by two directions or four heads."""


@dataclass(frozen=True, slots=True)
class QuantizerInfo:
    """The sizes of a published quantizer, as in its `.info`. The defaults are those of the published files.

    Version 1 has a second linear layer of 4096, without an activation, before the vocabulary.
    """

    input_size: int = 768
    hidden_size: int = 1024
    output_size: int = 10_000
    version: int = 0

    def __post_init__(self) -> None:
        _refuse_odd_sizes(self.input_size, self.hidden_size, self.output_size)
        if type(self.version) is not int or self.version not in (0, 1):
            raise ModelUnavailable("This version of quantizer is not supported; Barkeep reads versions 0 and 1.")

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the JSON of an `.info` member. Unknown keys are ignored; missing ones have their defaults.

        Raises Unavailable for anything else.
        """
        body = _json_object(text)
        return cls(**{key: body[key] for key in cls.__dataclass_fields__ if key in body})

    @classmethod
    def of_weights(cls, state: Mapping[str, Tensor], source: Path) -> Self:
        """Return the sizes of the weights. Raises Unavailable, which names `source`, if they are not those of a
        published network."""
        try:
            (_, input_size), (_, hidden_size) = state["lstm.weight_ih_l0"].shape, state["lstm.weight_hh_l0"].shape
            output_size, _ = state["fc.weight"].shape
        except (KeyError, ValueError) as error:
            raise ModelUnavailable(
                f"The file {source} does not name the sizes of its network, and its weights are not those of a "
                "published quantizer; use another file, or train it again."
            ) from error
        return cls(input_size, hidden_size, output_size, version=int("intermediate.weight" in state))

    def to_json(self) -> str:
        """Return the text of an `.info` member."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class OwnInfo:
    """The sizes of Barkeep's own network, as in a file's metadata. `body`: one of `bidirectional.BODIES`."""

    input_size: int
    hidden_size: int
    output_size: int
    layers: int
    body: str

    def __post_init__(self) -> None:
        _refuse_odd_sizes(self.input_size, self.hidden_size, self.output_size, self.layers)
        if self.body not in BODIES:
            raise ModelUnavailable(f"This kind of quantizer is not supported; Barkeep reads {', '.join(BODIES)}.")
        if self.hidden_size % _WIDTH_STEP:
            raise ModelUnavailable(f"The width of Barkeep's own quantizer must be a multiple of {_WIDTH_STEP}.")

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a file's metadata. Raises Unavailable if a size is missing or invalid."""
        body = _json_object(text)
        if not cls.__dataclass_fields__.keys() <= body.keys():
            raise ModelUnavailable("The quantizer's file does not name all of its sizes; train or download it again.")
        return cls(**{key: body[key] for key in cls.__dataclass_fields__})

    def to_json(self) -> str:
        """Return the text of the metadata."""
        return json.dumps(asdict(self))


class FeatureQuantizer(nn.Module):
    """Base of all quantizers: logits per frame, and the most likely tokens."""

    info: QuantizerInfo | OwnInfo
    fc: nn.Linear
    """The last layer, from hidden states to the vocabulary."""

    def hidden(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Return the input of `fc`: (B, T, D), and the true lengths int64 (B,) on the CPU -> (B, T, H)."""
        raise TypeError("FeatureQuantizer is abstract; use a subclass.")

    def forward(self, features: Tensor) -> Tensor:
        """Return logits over the vocabulary. (T, D) -> (T, V), or (B, T, D) -> (B, T, V)."""
        batch = features if features.ndim == 3 else features[None]
        lengths = torch.full((len(batch),), batch.shape[1])
        logits: Tensor = self.fc(self.hidden(batch, lengths))
        return logits if features.ndim == 3 else logits[0]

    @torch.inference_mode()
    def tokens(self, features: Tensor, semantic_rate: float = SEMANTIC_RATE_HZ) -> Tensor:
        """Return the most likely token of each frame: features float (T, D) at 50 Hz -> int64 (S,) on the same device.

        Token i belongs to frame i. Surplus tokens of a long clip (one after 10 s) are cut from the end: cutting the
        beginning would shift every token by one. Raises Unavailable for features of another width.
        """
        if features.ndim != 2 or features.shape[-1] != self.info.input_size:
            raise ModelUnavailable(
                f"The quantizer needs features of width {self.info.input_size}, but HuBERT gives "
                f"{features.shape[-1]}; use the HuBERT that the quantizer was trained on."
            )
        tokens: Tensor = self(features.to(self.fc.weight)).argmax(dim=-1)
        return tokens[: token_count(len(tokens), semantic_rate)]

    def save(self, path: Path) -> None:
        """Write `.safetensors`, or the published zip format for any other ending.

        Raises InvalidInput for Barkeep's own network in the published format, which cannot hold it.
        """
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        if path.suffix == ".safetensors":
            save_file(state, path, metadata={"info": self.info.to_json()})
            return
        if isinstance(self.info, OwnInfo):
            raise InvalidInput("The published format cannot hold this network; save it as .safetensors.")
        torch.save(state, path)
        with zipfile.ZipFile(path, "a") as archive:
            # torch reads every member below the folder that torch.save named after the file
            folder = archive.namelist()[0].partition("/")[0]
            # a ZipInfo has a fixed date, so the same weights make the same file
            archive.writestr(zipfile.ZipInfo(f"{folder}/.info"), self.info.to_json())


class Quantizer(FeatureQuantizer):
    """LSTM (2 layers, one direction) and a linear layer (version 0) or two (version 1), named as published."""

    info: QuantizerInfo

    def __init__(self, info: QuantizerInfo) -> None:
        super().__init__()
        self.info = info
        self.lstm: nn.LSTM | HalfLstm = nn.LSTM(info.input_size, info.hidden_size, _LAYERS, batch_first=True)
        if info.version == 0:
            self.fc = nn.Linear(info.hidden_size, info.output_size)
        else:
            self.intermediate = nn.Linear(info.hidden_size, 4096)
            self.fc = nn.Linear(4096, info.output_size)

    def compact(self) -> None:
        """Keep the LSTM's weights in float16, for inference on a CPU; the network can no longer be saved."""
        if isinstance(self.lstm, nn.LSTM) and half_lstm.is_supported():
            self.lstm = HalfLstm(self.lstm)

    def hidden(self, features: Tensor, lengths: Tensor) -> Tensor:
        """See `FeatureQuantizer`. In one direction, padding after a clip's end does not change its states."""
        hidden, _ = self.lstm(features)
        if self.info.version == 1:
            hidden = self.intermediate(hidden)
        states: Tensor = hidden
        return states


class OwnQuantizer(FeatureQuantizer):
    """Barkeep's own network: bidirectional, with far fewer weights than the published ones."""

    info: OwnInfo

    def __init__(self, info: OwnInfo) -> None:
        super().__init__()
        self.info = info
        self.entrance = nn.Sequential(nn.LayerNorm(info.input_size), nn.Linear(info.input_size, info.hidden_size))
        self.body = BODIES[info.body](info.hidden_size, info.layers)
        self.norm = nn.LayerNorm(info.hidden_size)
        self.fc = nn.Linear(info.hidden_size, info.output_size)

    def hidden(self, features: Tensor, lengths: Tensor) -> Tensor:
        """See `FeatureQuantizer`."""
        states: Tensor = self.norm(self.body(self.entrance(features), lengths))
        return states


def token_count(frames: int, semantic_rate: float = SEMANTIC_RATE_HZ) -> int:
    """Return the number of semantic tokens of a clip of `frames` HuBERT frames, at most `frames`.

    The clip counts as one frame longer than its frames, since the window of the last one is longer than a hop.
    """
    return min(frames, math.floor(round((frames + 1) / FEATURE_RATE_HZ * semantic_rate, 6)))


def load(path: Path, device: torch.device) -> FeatureQuantizer:
    """Read a quantizer, ready to use. Raises Unavailable if the file is missing, damaged, or not a quantizer."""
    state = load_state(path)
    quantizer = build(_info_of(path, state))
    load_into(quantizer, state, path)
    return quantizer.to(device).eval()


def build(info: QuantizerInfo | OwnInfo) -> FeatureQuantizer:
    """Build an untrained quantizer of these sizes."""
    return Quantizer(info) if isinstance(info, QuantizerInfo) else OwnQuantizer(info)


def read_info(path: Path) -> QuantizerInfo | OwnInfo:
    """Return the sizes named in a quantizer's file, else those of its weights. Raises Unavailable."""
    return _info_of(path, load_state(path))


def _info_of(path: Path, state: Mapping[str, Tensor]) -> QuantizerInfo | OwnInfo:
    """Return the sizes of a file whose weights are `state`."""
    try:
        text = _info_text(path)
    except (OSError, zipfile.BadZipFile, SafetensorError) as error:
        raise ModelUnavailable(f"The quantizer file {path} cannot be read; download it again.") from error
    if text is None:
        return QuantizerInfo.of_weights(state, path)
    return OwnInfo.from_json(text) if "body" in _json_object(text) else QuantizerInfo.from_json(text)


def _info_text(path: Path) -> str | bytes | None:
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as archive:
            metadata: dict[str, str] = archive.metadata() or {}
        return metadata.get("info")
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.rpartition("/")[2] == ".info"]
        if not members:
            return None
        if members[0].file_size > _MAX_INFO_BYTES:
            raise ModelUnavailable(f"The .info inside {path} is too long; use a published quantizer file.")
        return archive.read(members[0])


def _json_object(text: str | bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelUnavailable("The quantizer's .info is not JSON; use a published quantizer file.") from error
    if not isinstance(body, dict):
        raise ModelUnavailable("The quantizer's .info is not a JSON object; use a published quantizer file.")
    return body


def _refuse_odd_sizes(*sizes: object) -> None:
    if any(type(size) is not int or not 1 <= size <= _MAX_SIZE for size in sizes):
        raise ModelUnavailable("The quantizer's sizes are out of range; use a published quantizer file.")
