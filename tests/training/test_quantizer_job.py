"""Quantizers learn what can be learned, padding counts for nothing, and a killed run ends like one that was not."""

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cloning.methods.quantizer_network import FeatureQuantizer
from errors import Cancelled, InvalidInput
from training.feature_cache import Example
from training.loop import Schedule, train
from training.networks import NETWORKS, NetworkChoice, initial_network
from training.quantizer_job import QuantizerJob, check_examples, padded

CPU = torch.device("cpu")
VOCABULARY = 6


def examples(count: int, seed: int = 0) -> list[Example]:
    """The token of a frame is told by the next frame's features: only who looks ahead can know it."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        tokens = random.integers(0, VOCABULARY, random.integers(12, 30))
        features = np.eye(VOCABULARY)[np.roll(tokens, 1)] + random.normal(0, 0.1, (len(tokens), VOCABULARY))
        made.append(Example(features.astype(np.float16), tokens))
    return made


def job(name: str, smoothing: float = 0.0) -> QuantizerJob:
    module = initial_network(NetworkChoice(name, 16), VOCABULARY, VOCABULARY, None, 0)
    return QuantizerJob(module, [examples(20)], {"clean": examples(5, 1)}, batch=4, smoothing=smoothing, device=CPU)


def schedule(steps: int, every: int = 1000) -> Schedule:
    return Schedule(steps=steps, warmup=2, learning_rate=0.02, validate_every=every, save_every=every)


def test_ours_learns_what_a_network_without_foresight_cannot(tmp_path: Path) -> None:
    accuracy = {}
    for name in ("ours", "v0"):
        learner = job(name)
        train(learner, schedule(60), tmp_path / name, device=CPU)
        learner.module.eval()
        with torch.no_grad():
            accuracy[name] = learner.validate()["clean_accuracy"]

    assert accuracy["ours"] > 0.8
    assert accuracy["v0"] < 0.4


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_makes_a_finite_loss_with_gradients_everywhere(name: str) -> None:
    learner = job(name, smoothing=0.1)

    loss, figures = learner.loss(np.random.default_rng(0))
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there

    assert torch.isfinite(loss)
    assert 0 <= float(figures["accuracy"]) <= 1
    assert all(parameter.grad is not None for parameter in learner.module.parameters())


class Exact(FeatureQuantizer):
    """Its logits are the features."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(VOCABULARY, VOCABULARY, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(20 * torch.eye(VOCABULARY))

    def hidden(self, features: Tensor, lengths: Tensor) -> Tensor:
        return features


def test_padding_counts_for_nothing_in_the_figures() -> None:
    exact = [
        Example(np.eye(VOCABULARY, dtype=np.float16)[tokens], tokens)
        for tokens in (np.array([1, 2, 3, 3, 5]), np.array([4]))
    ]
    learner = QuantizerJob(Exact(), [exact], {"clean": exact}, batch=2, smoothing=0.0, device=CPU)

    figures = learner.validate()

    assert figures["clean_accuracy"] == figures["clean_top5"] == 1.0
    assert figures["loss"] < 1e-6
    assert float(learner.loss(np.random.default_rng(0))[0].detach()) < 1e-6


def test_a_neighbours_share_of_the_target_costs_where_tokens_change() -> None:
    still, moving = np.array([2, 2, 2, 2]), np.array([1, 2, 3, 4])
    losses = []
    for tokens in (still, moving):
        one = [Example(np.eye(VOCABULARY, dtype=np.float16)[tokens], tokens)]
        learner = QuantizerJob(Exact(), [one], {"clean": one}, batch=1, smoothing=0.1, device=CPU)
        losses.append(float(learner.loss(np.random.default_rng(0))[0].detach()))

    assert losses[0] < 1e-6
    assert losses[1] == pytest.approx(20 * 0.1 * 0.75, rel=1e-3)  # the first and last have one other neighbour


def test_a_batch_has_zeros_behind_the_ends() -> None:
    batch = padded(examples(3), CPU)

    assert batch.inside.sum(dim=1).tolist() == batch.lengths.tolist()
    assert not batch.features[~batch.inside].any()


class Killed(QuantizerJob):
    """Gets SIGTERM in its third step."""

    steps = 0

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float | Tensor]]:
        self.steps += 1
        if self.steps == 3:
            signal.raise_signal(signal.SIGTERM)
        loss, figures = super().loss(random)
        return loss, dict(figures)


def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = train(job("attentive", 0.1), schedule(6, 3), tmp_path / "whole", device=CPU)
    cut = job("attentive", 0.1)
    killed = Killed(cut.module, [examples(20)], {"clean": examples(5, 1)}, batch=4, smoothing=0.1, device=CPU)

    with pytest.raises(Cancelled):
        train(killed, schedule(6, 3), tmp_path / "cut", device=CPU)
    best = train(job("attentive", 0.1), schedule(6, 3), tmp_path / "cut", device=CPU)

    assert killed.steps == 3
    assert best.read_bytes() == whole.read_bytes()


def test_tokens_outside_the_vocabulary_are_named() -> None:
    with pytest.raises(InvalidInput, match="token 5, but the model has 0 to 3"):
        check_examples([Example(np.zeros((2, 3), np.float16), np.array([0, 5]))], 4)


def test_features_of_several_widths_are_refused() -> None:
    two = [Example(np.zeros((1, width), np.float16), np.array([0])) for width in (3, 4)]

    with pytest.raises(InvalidInput, match="different widths"):
        check_examples(two, 10)


def test_training_goes_on_from_a_published_file_and_refuses_another(tmp_path: Path) -> None:
    published = initial_network(NetworkChoice("v0", 16), VOCABULARY, VOCABULARY, None, 5)
    published.save(tmp_path / "q.pth")

    started = initial_network(NetworkChoice("v0", 16), VOCABULARY, VOCABULARY, tmp_path / "q.pth", 0)

    assert all(torch.equal(one, started.state_dict()[name]) for name, one in published.state_dict().items())
    for choice in (NetworkChoice("v1", 16), NetworkChoice("v0", 8), NetworkChoice("ours", 16)):
        with pytest.raises(InvalidInput, match="holds a network v0"):
            initial_network(choice, VOCABULARY, VOCABULARY, tmp_path / "q.pth", 0)


@pytest.mark.parametrize(("name", "width"), [("v2", None), ("ours", 6), ("v0", 0)])
def test_an_unknown_network_or_an_odd_width_is_refused(name: str, width: int | None) -> None:
    with pytest.raises(InvalidInput):
        NetworkChoice(name, width)


def test_ours_is_smaller_than_v1_at_the_published_sizes() -> None:
    with torch.device("meta"):
        ours, v1 = (initial_network(NetworkChoice(name), 768, 10_000, None, 0) for name in ("ours", "v1"))

    sizes = [sum(one.numel() for one in network.parameters()) for network in (ours, v1)]
    assert sizes[1] == pytest.approx(60.9e6, rel=0.01)
    assert sizes[0] < sizes[1] / 5
