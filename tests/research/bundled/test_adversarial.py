"""Decoder and critics learn in one step, each from its own loss, and listeners decide what is kept."""

import numpy as np
import pytest
import torch
from torch import nn

from research.bundled import adversarial, codec_training
from research.bundled.adversarial import AdversarialJob, AdversarialPair, decoder_of
from research.bundled.codec import new_decoder
from research.bundled.codec_training import DecoderJob
from tests.research.bundled import material
from training.loop import NotLearning


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_training, "_VALID_CROPS", 2)
    monkeypatch.setattr(DecoderJob, "_FRAMES", 10)


def job(words: float = 0.1, quality: float = 3.0) -> AdversarialJob:
    torch.manual_seed(0)
    buffer = material.buffer()
    decoding = DecoderJob(new_decoder(), material.teacher(), buffer, buffer, batch=2)
    return AdversarialJob(decoding, lambda _: (words, quality))


def gradients(module: nn.Module) -> list[torch.Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in module.parameters()]


def backward(one: AdversarialJob) -> None:
    one.module.zero_grad()
    torch.manual_seed(1)
    loss, _ = one.loss(np.random.default_rng(0))
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there


def test_the_decoders_loss_does_not_change_the_critics(monkeypatch: pytest.MonkeyPatch) -> None:
    one = job()
    one.module.steps.fill_(10_000)
    backward(one)
    whole = gradients(one.module.critics)
    monkeypatch.setattr(adversarial, "_SPECTRAL", 0.0)
    monkeypatch.setattr(adversarial, "_FEATURE_MATCHING", 0.0)
    monkeypatch.setattr(adversarial, "adversarial_loss", lambda _: torch.tensor(0.0))
    backward(one)

    for with_all, alone in zip(whole, gradients(one.module.critics), strict=True):
        torch.testing.assert_close(with_all, alone)
    assert all(not gradient.any() for gradient in gradients(one.module.decoder))


def test_the_critics_change_the_decoder_only_after_steps_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    one = job()
    backward(one)
    first_gradients = gradients(one.module.decoder)
    monkeypatch.setattr(adversarial, "_FEATURE_MATCHING", 0.0)
    monkeypatch.setattr(adversarial, "adversarial_loss", lambda _: torch.tensor(0.0))
    backward(one)
    for first, spectral_alone in zip(first_gradients, gradients(one.module.decoder), strict=True):
        torch.testing.assert_close(first, spectral_alone)
    assert int(one.module.steps) == 2

    monkeypatch.undo()
    one = job()
    one.module.steps.fill_(10_000)
    backward(one)
    later_gradients = gradients(one.module.decoder)
    assert any(not torch.allclose(first, later) for first, later in zip(first_gradients, later_gradients, strict=True))


def test_words_and_quality_decide_what_is_kept() -> None:
    with torch.no_grad():
        figures = {name: job(*heard).validate() for name, heard in {"a": (0.1, 3.0), "b": (0.2, 3.3)}.items()}

    assert figures["a"]["loss"] == pytest.approx(4 * 0.1 - 3.0)
    assert figures["a"]["loss"] < figures["b"]["loss"]
    assert figures["a"]["spectral"] == figures["b"]["spectral"]


def test_a_decoder_that_loses_its_words_is_stopped() -> None:
    one = job()
    one.check(500, {"words_wrong": 0.3})
    with pytest.raises(NotLearning, match="loses 60% of the words"):
        one.check(500, {"words_wrong": 0.6})


def test_the_decoder_is_found_among_the_weights_of_a_pair() -> None:
    pair = AdversarialPair(new_decoder())
    again = new_decoder()
    again.load_state_dict(decoder_of(pair.state_dict()))

    for one, other in zip(pair.decoder.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
