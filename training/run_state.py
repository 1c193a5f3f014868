"""Files and weights of a training run: checkpoints, weight files, and the running mean of weights.

Files are written atomically, and reading them executes no code.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cloning.atomic_files import replacing
from cloning.checkpoints.weights import read_file
from errors import Unavailable

_EARLY_SHARE = 10
"""At the beginning of a run, the mean covers about the last tenth of the steps: one in this many."""


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers and containers of them to a torch file. Raises Unavailable if it cannot be written."""
    with replacing(path) as temporary:
        torch.save(dict(state), temporary)


def read_state(path: Path) -> dict[str, Any]:
    """Return what `write_state` wrote, on the CPU. Raises Unavailable if it is damaged or holds anything else."""
    state = read_file(path)
    if not isinstance(state, dict):
        raise Unavailable(f"The checkpoint {path} is not from a training run; delete it to start again.")
    return state


def write_weights(path: Path, module: nn.Module) -> None:
    """Write a module's state to a safetensors file, tied weights under each of their names.

    Raises Unavailable if it cannot be written.
    """
    weights = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in module.state_dict().items()}
    with replacing(path) as temporary:
        save_file(weights, temporary)


class RunningMean:
    """An exponential mean of a module's state. Only floating-point tensors are averaged; others are copied.

    At the beginning it covers fewer steps, so that the initial weights lose their influence quickly.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.weights = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        self._decay = decay

    @torch.no_grad()
    def follow(self, module: nn.Module, step: int) -> None:
        """Update the mean with the weights after step 1, 2, 3, ..."""
        decay = min(self._decay, step / (step + _EARLY_SHARE))
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                self.weights[name].lerp_(tensor, 1 - decay)
            else:
                self.weights[name].copy_(tensor)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Load saved weights."""
        for name, tensor in weights.items():
            self.weights[name].copy_(tensor)

    @contextmanager
    def lent_to(self, module: nn.Module) -> Iterator[None]:
        """Load the mean into the module for a block, and restore its own weights exactly afterwards."""
        own = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        module.load_state_dict(self.weights)
        try:
            yield
        finally:
            module.load_state_dict(own)
