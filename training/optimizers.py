"""Optimizers: AdamW for all parameters, or Muon for the matrices of a transformer's layers.

Muon (Keller Jordan, 2024) orthogonalises the update of each matrix, so that rare directions are learned as fast as
common ones.
"""

from typing import Any, Literal

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

Kind = Literal["adamw", "muon"]


class Optimizers:
    """The optimizers of one module. Gains, biases and other vectors have no weight decay.

    kind "muon": Muon updates the weights of linear layers inside the layers of a ModuleList, AdamW everything else.
    Muon's updates are scaled to the usual size of AdamW's, so both take the same learning rate.
    """

    def __init__(self, module: nn.Module, kind: Kind, *, weight_decay: float, betas: tuple[float, float]) -> None:
        learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
        matrices = [weight for weight in _layer_matrices(module) if weight.requires_grad] if kind == "muon" else []
        others = [parameter for parameter in learned if not any(parameter is weight for weight in matrices)]
        groups = [
            {"params": [p for p in others if p.ndim >= 2], "weight_decay": weight_decay},
            {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
        ]
        self._all: list[Optimizer] = [AdamW([group for group in groups if group["params"]], betas=betas, fused=True)]
        if matrices:
            self._all.append(Muon(matrices, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"))

    def step(self, learning_rate: float) -> None:
        """Make one step along the gradients, and clear them."""
        for optimizer in self._all:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state(self) -> list[dict[str, Any]]:
        """Return the state of each optimizer."""
        return [optimizer.state_dict() for optimizer in self._all]

    def load(self, state: list[dict[str, Any]]) -> None:
        """Load the result of `state`. Raises ValueError if it is of another module or kind."""
        for optimizer, part in zip(self._all, state, strict=True):
            optimizer.load_state_dict(part)


def _layer_matrices(module: nn.Module) -> list[torch.Tensor]:
    lists = [part for part in module.modules() if isinstance(part, nn.ModuleList)]
    linear = [part for layers in lists for layer in layers for part in layer.modules() if part is not layer]
    return [part.weight for part in linear if isinstance(part, nn.Linear)]
