"""The quantizers that can be trained, by name, with their sizes and learning rates."""

from dataclasses import dataclass
from pathlib import Path

import torch

from cloning.methods.bidirectional import BODIES
from cloning.methods.quantizer_network import FeatureQuantizer, OwnInfo, QuantizerInfo, build, load, read_info
from errors import InvalidInput

OURS = "ours"
_PUBLISHED = {"v0": 0, "v1": 1}
_OURS_BODY = "recurrent"
"""The body of the network `ours`."""

NETWORKS = (*_PUBLISHED, OURS, *BODIES)

_LAYERS = {"recurrent": 2, "convolutional": 8, "attentive": 4}
_OWN_WIDTH, _PUBLISHED_WIDTH = 512, 1024


@dataclass(frozen=True)
class NetworkChoice:
    """A network: one of `NETWORKS`, and the width of its hidden states; None: 1024 as published, 512 for Barkeep's own.

    Raises InvalidInput for an unknown name or an impossible width.
    """

    name: str
    width: int | None = None

    def __post_init__(self) -> None:
        if self.name not in NETWORKS:
            raise InvalidInput(f"There is no network {self.name}. Choose one of: {', '.join(NETWORKS)}.")
        if self.width is not None and (self.width < 1 or (not self.is_published and self.width % 4)):
            raise InvalidInput("The width of a network is at least 1, and a multiple of 4 for Barkeep's own.")

    @property
    def is_published(self) -> bool:
        """Whether it is one of the published networks, which other programs can load."""
        return self.name in _PUBLISHED

    @property
    def learning_rate(self) -> float:
        """The peak learning rate; for the published networks 1e-3, with which they were trained."""
        return 1e-3 if self.is_published else 2e-3

    @property
    def suffix(self) -> str:
        """The suffix of its file: .pth as published, .safetensors for Barkeep's own."""
        return ".pth" if self.is_published else ".safetensors"

    def info(self, features: int, vocabulary: int) -> QuantizerInfo | OwnInfo:
        """Return the sizes for features of this width and `vocabulary` tokens."""
        if self.is_published:
            return QuantizerInfo(features, self.width or _PUBLISHED_WIDTH, vocabulary, _PUBLISHED[self.name])
        body = _OURS_BODY if self.name == OURS else self.name
        return OwnInfo(features, self.width or _OWN_WIDTH, vocabulary, _LAYERS[body], body)


def initial_network(
    choice: NetworkChoice, features: int, vocabulary: int, start: Path | None, seed: int
) -> FeatureQuantizer:
    """Return a network to train: a new one, or the one in the file `start`.

    Raises InvalidInput when the file holds another network or other sizes, Unavailable when it cannot be read.
    """
    wanted = choice.info(features, vocabulary)
    if start is None:
        torch.manual_seed(seed)
        return build(wanted)
    held = read_info(start)
    if held != wanted:
        raise InvalidInput(
            f"{start.name} holds {_described(held)}, but the options describe {_described(wanted)}. Choose --network, "
            "--width and --hubert that match the file."
        )
    return load(start, torch.device("cpu"))


def _described(info: QuantizerInfo | OwnInfo) -> str:
    kind = f"a network v{info.version}" if isinstance(info, QuantizerInfo) else f"our {info.body} network"
    return f"{kind} ({info.input_size} -> {info.hidden_size} -> {info.output_size})"
