"""A codebook: clusters of HuBERT features, each with the semantic token that occurs most often with it.

The simplest way to turn features into tokens, for comparison with the trained quantizer: each frame is classified
alone.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from cloning.atomic_files import write_atomically
from cloning.checkpoints.weights import load_state
from cloning.methods.quantizer_network import SEMANTIC_RATE_HZ, token_count
from errors import ModelUnavailable


@dataclass(frozen=True)
class Codebook:
    """centroids: float32 (K, D). codes: int64 (K,), the token of each cluster."""

    centroids: Tensor
    codes: Tensor

    def clusters(self, features: Tensor) -> Tensor:
        """Return each frame's nearest cluster: float (T, D) -> int64 (T,). Raises Unavailable for another width."""
        if features.ndim != 2 or features.shape[1] != self.centroids.shape[1]:
            raise ModelUnavailable(
                f"The codebook needs features of width {self.centroids.shape[1]}, but HuBERT gives "
                f"{features.shape[-1]}; use the HuBERT that the codebook was made for."
            )
        return torch.cdist(features.to(self.centroids), self.centroids).argmin(dim=1)

    def tokens(self, features: Tensor, semantic_rate: float = SEMANTIC_RATE_HZ) -> Tensor:
        """Convert features (T, D) at 50 Hz to semantic tokens int64 (S,), with the tail cut as by the quantizer."""
        tokens = self.codes[self.clusters(features)]
        return tokens[: token_count(len(tokens), semantic_rate)]

    def save(self, path: Path) -> None:
        """Write the codebook as safetensors. Raises Unavailable if it cannot be written."""
        tensors = {"centroids": self.centroids.float(), "tokens": self.codes.long()}
        write_atomically(path, save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}))


def load_codebook(path: Path, device: torch.device) -> Codebook:
    """Read a codebook. Raises Unavailable if the file is missing, damaged, or not a codebook."""
    state = load_state(path)
    centroids, codes = state.get("centroids"), state.get("tokens")
    if (
        centroids is None
        or codes is None
        or centroids.ndim != 2
        or codes.shape != centroids.shape[:1]
        or codes.is_floating_point()
        or not len(codes)
    ):
        raise ModelUnavailable(f"The file {path} is not a codebook; make one with `python -m training codebook`.")
    return Codebook(centroids.float().to(device), codes.long().to(device))
