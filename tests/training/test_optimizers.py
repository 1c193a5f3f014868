"""Which weights are moved by what, and that a run can go on."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from training.optimizers import Optimizers

RATE = 0.01


class TinyLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        return x + nn.functional.pad(self.inner(x), (0, 2))


class Stack(nn.Module):
    """An embedding, two layers, and heads in a list, which are no layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(10, 8)
        self.layers = nn.ModuleList([TinyLayer(), TinyLayer()])
        self.heads = nn.ModuleList([nn.Linear(8, 5, bias=False)])

    def loss(self) -> Tensor:
        x = self.table(torch.arange(10))
        for layer in self.layers:
            x = layer(x)
        loss: Tensor = self.heads[0](x).square().mean()
        return loss


def optimizers(module: nn.Module, kind: Literal["adamw", "muon"], decay: float = 0.0) -> Optimizers:
    return Optimizers(module, kind, weight_decay=decay, betas=(0.9, 0.95))


def advance(stack: Stack, optimizer: Optimizers, steps: int = 1) -> None:
    for _ in range(steps):
        stack.loss().backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        optimizer.step(RATE)


def step_of(stack: Stack, kind: Literal["adamw", "muon"]) -> dict[str, Tensor]:
    before = {name: weight.detach().clone() for name, weight in stack.named_parameters()}
    advance(stack, optimizers(stack, kind))
    return {name: weight.detach() - before[name] for name, weight in stack.named_parameters()}


def test_muon_moves_the_matrices_of_layers_alike_in_all_directions() -> None:
    stack: Any = Stack()
    steps = step_of(Stack(), "muon")
    stack.loss().backward()
    for layer, name in enumerate(("layers.0.inner.weight", "layers.1.inner.weight")):
        assert _evenness(steps[name]) > 1.5 * _evenness(stack.layers[layer].inner.weight.grad)


def test_everything_else_is_moved_as_by_adamw_alone() -> None:
    by_muon, by_adamw = step_of(Stack(), "muon"), step_of(Stack(), "adamw")
    for name in ("table.weight", "heads.0.weight", "layers.0.inner.bias"):
        assert torch.equal(by_muon[name], by_adamw[name])


def test_steps_of_both_are_about_as_large() -> None:
    sizes = [step_of(Stack(), kind)["layers.0.inner.weight"].square().mean().sqrt() for kind in ("muon", "adamw")]
    assert 0.1 < sizes[0] / sizes[1] < 1.0


def test_only_matrices_are_decayed() -> None:
    stack: Any = Stack()
    with torch.no_grad():
        stack.layers[0].inner.bias.fill_(3.0)
    optimizer = optimizers(stack, "muon", decay=0.5)
    for parameter in stack.parameters():
        parameter.grad = torch.zeros_like(parameter)
    table, bias = stack.table.weight.detach().clone(), stack.layers[0].inner.bias.detach().clone()
    optimizer.step(RATE)
    assert torch.allclose(stack.table.weight, table * (1 - RATE * 0.5))
    assert torch.equal(stack.layers[0].inner.bias, bias)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_what_was_kept_goes_on_to_the_bit(kind: Literal["adamw", "muon"]) -> None:
    whole, first = Stack(), Stack()
    advance(whole, optimizers(whole, kind), steps=4)
    begun = optimizers(first, kind)
    advance(first, begun, steps=2)
    second = Stack()
    second.load_state_dict(first.state_dict())
    resumed = optimizers(second, kind)
    resumed.load(begun.state())
    advance(second, resumed, steps=2)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])


def test_the_state_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="group"):
        optimizers(Stack(), "muon").load(optimizers(Stack(), "adamw").state())


def _evenness(matrix: Tensor) -> float:
    """The mean singular value as a share of the largest: 1 for an orthogonal matrix."""
    strengths = torch.linalg.svdvals(matrix)
    return float(strengths.mean() / strengths.max())
