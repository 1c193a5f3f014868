"""The quantizer: a small network from HuBERT features to Bark's semantic tokens, in the published file format.

Architecture and file format follow the public checkpoints of bark-voice-cloning (`quantifier_*.pth`): a torch zip with
one extra member, `*/.info`, that holds the sizes as JSON. This module knows nothing of audio, HuBERT or Bark.
"""

import json
import math
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cloning.checkpoints import load_into, load_state
from errors import Unavailable

FEATURE_RATE_HZ = 50.0
"""HuBERT's frames per second: 16 kHz through strides 5*2*2*2*2*2*2 = 320."""

SEMANTIC_RATE_HZ = 49.9
"""Bark's semantic tokens per second: HuBERT makes 499 frames of 10 s, as the window of a 500th does not fit."""

_LAYERS = 2
_MAX_INFO_BYTES = 4096
_MAX_SIZE = 1 << 17


@dataclass(frozen=True, slots=True)
class QuantizerInfo:
    """The sizes of a quantizer, as in a checkpoint's `.info`. The defaults are those of the files without one.

    Version 1 has a second linear layer of 4096, without an activation, before the vocabulary.
    """

    input_size: int = 768
    hidden_size: int = 1024
    output_size: int = 10_000
    version: int = 0

    def __post_init__(self) -> None:
        sizes = (self.input_size, self.hidden_size, self.output_size)
        if any(type(size) is not int or not 1 <= size <= _MAX_SIZE for size in sizes):
            raise Unavailable("The quantizer names sizes that no quantizer has; take a published quantizer file.")
        if type(self.version) is not int or self.version not in (0, 1):
            raise Unavailable("The quantizer is of a version that Barkeep does not know; it reads versions 0 and 1.")

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the JSON of an `.info` member. Unknown keys are ignored; missing ones have their defaults.

        Raises Unavailable for anything else.
        """
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as fault:
            raise Unavailable("The quantizer's .info is not JSON; take a published quantizer file.") from fault
        if not isinstance(body, dict):
            raise Unavailable("The quantizer's .info is not a JSON object; take a published quantizer file.")
        return cls(**{key: body[key] for key in cls.__dataclass_fields__ if key in body})

    def to_json(self) -> str:
        """The text of an `.info` member."""
        return json.dumps(asdict(self))


class Quantizer(nn.Module):
    """LSTM (2 layers, one direction) and a linear layer (version 0) or two (version 1), names as published."""

    def __init__(self, info: QuantizerInfo) -> None:
        super().__init__()
        self.info = info
        self.lstm = nn.LSTM(info.input_size, info.hidden_size, _LAYERS, batch_first=True)
        if info.version == 0:
            self.fc = nn.Linear(info.hidden_size, info.output_size)
        else:
            self.intermediate = nn.Linear(info.hidden_size, 4096)
            self.fc = nn.Linear(4096, info.output_size)

    def forward(self, features: Tensor) -> Tensor:
        """Logits over the vocabulary. (T, D) -> (T, V), or (B, T, D) -> (B, T, V)."""
        hidden, _ = self.lstm(features)
        if self.info.version == 1:
            hidden = self.intermediate(hidden)
        logits: Tensor = self.fc(hidden)
        return logits

    @torch.inference_mode()
    def tokens(self, features: Tensor, semantic_rate: float = SEMANTIC_RATE_HZ) -> Tensor:
        """The likeliest semantic token of each frame: features (T, D) float at 50 Hz -> (S,) int64 on the same device.

        Token i belongs to frame i. What a long clip has too many (one after 10 s) goes from the end: cutting the
        beginning would shift every token by one. Raises Unavailable for features of another width.
        """
        if features.ndim != 2 or features.shape[-1] != self.info.input_size:
            raise Unavailable(
                f"The quantizer wants features of width {self.info.input_size}, but HuBERT gives "
                f"{features.shape[-1]}; choose a HuBERT and a quantizer that belong together."
            )
        tokens: Tensor = self(features.to(self.fc.weight)).argmax(dim=-1)
        return tokens[: token_count(len(tokens), semantic_rate)]

    def save(self, path: Path) -> None:
        """Write `.safetensors`, or the published zip format for any other ending."""
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        if path.suffix == ".safetensors":
            save_file(state, path, metadata={"info": self.info.to_json()})
            return
        torch.save(state, path)
        with zipfile.ZipFile(path, "a") as archive:
            # torch reads every member below the folder that torch.save named after the file
            folder = archive.namelist()[0].partition("/")[0]
            # a ZipInfo has a fixed date, so that the same weights make the same file
            archive.writestr(zipfile.ZipInfo(f"{folder}/.info"), self.info.to_json())


def token_count(frames: int, semantic_rate: float = SEMANTIC_RATE_HZ) -> int:
    """How many semantic tokens a clip of so many HuBERT frames has; never more than frames.

    A clip is one frame longer than its frames, since the window of the last one must fit.
    """
    return min(frames, math.floor(round((frames + 1) / FEATURE_RATE_HZ * semantic_rate, 6)))


def load(path: Path, device: torch.device) -> Quantizer:
    """Read a quantizer, ready to use. Raises Unavailable if the file is missing, damaged, or not a quantizer."""
    state = load_state(path)
    quantizer = Quantizer(read_info(path))
    load_into(quantizer, state, path)
    return quantizer.to(device).eval()


def read_info(path: Path) -> QuantizerInfo:
    """The sizes that a quantizer's file names; the defaults if it names none (the first published file does not)."""
    try:
        text = _info_text(path)
    except (OSError, zipfile.BadZipFile, SafetensorError) as fault:
        raise Unavailable(f"The quantizer file {path} cannot be read; download it again.") from fault
    return QuantizerInfo() if text is None else QuantizerInfo.from_json(text)


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
            raise Unavailable(f"The .info inside {path} is too long; take a published quantizer file.")
        return archive.read(members[0])
