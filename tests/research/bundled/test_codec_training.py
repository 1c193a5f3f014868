"""Decoder and encoder learn from the teacher, and gates stop those that do not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from research.bundled import codec_training
from research.bundled.codec import new_decoder, new_encoder, unit_variance
from research.bundled.codec_training import DecoderJob, EncoderJob, residual_spread
from research.bundled.teacher import BOOKS, LATENT
from tests.research.bundled import material
from training.loop import NotLearning, Schedule, train

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops of half a second or less, and few of them."""
    monkeypatch.setattr(codec_training, "_VALID_CROPS", 4)
    monkeypatch.setattr(DecoderJob, "_FRAMES", 16)
    monkeypatch.setattr(EncoderJob, "_FRAMES", 16)


SCHEDULE = Schedule(steps=20, warmup=10, learning_rate=5e-4, weight_decay=0.0, validate_every=20, save_every=20)


def decoder_job() -> DecoderJob:
    torch.manual_seed(0)
    buffer = material.buffer()
    job = DecoderJob(new_decoder(), material.teacher(), buffer, buffer, batch=2)
    unit_variance(job.module, job.example(), level=0.1)
    return job


def encoder_job() -> EncoderJob:
    torch.manual_seed(0)
    buffer = material.buffer()
    job = EncoderJob(new_encoder(), material.teacher(), buffer, buffer, batch=2)
    unit_variance(job.module, job.example(), level=job.level)
    return job


@pytest.mark.parametrize("make", [decoder_job, encoder_job])
def test_it_learns(make: Callable[[], DecoderJob | EncoderJob], tmp_path: Path) -> None:
    job = make()
    with torch.no_grad():
        before = job.validate()["loss"]

    train(job, SCHEDULE, tmp_path, device=CPU)

    with torch.no_grad():
        assert job.validate()["loss"] < 0.9 * before


def test_the_teacher_is_not_trained() -> None:
    job = decoder_job()
    loss, _ = job.loss(np.random.default_rng(0))

    loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there

    assert all(parameter.grad is not None for parameter in job.module.parameters())
    assert all(parameter.grad is None for parameter in job._teacher.parameters())


def test_the_decoder_gets_the_latents_of_the_first_books() -> None:
    job = decoder_job()
    latents = job.example()

    assert latents.shape[1] == LATENT
    assert not torch.equal(latents, job._latents(job._valid, torch.full((len(latents),), 2)))


def test_an_encoder_that_copies_its_teacher_is_right_about_every_code() -> None:
    job = encoder_job()

    class Copy(nn.Module):
        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            return job._teacher.latents(samples[:, 0]).transpose(1, 2)

    job.module = Copy()
    figures = job.validate()

    assert figures["latents"] == 0.0
    assert figures["same_1"] == figures["same_8"] == 1.0


def test_spread_falls_from_book_to_book() -> None:
    teacher = material.teacher()
    latents = teacher.latents(material.buffer().at(torch.tensor([0]), 300)[0])

    spread = residual_spread(teacher.quantizer, latents)

    assert spread.shape == (BOOKS,)
    assert spread.tolist() == sorted(spread.tolist(), reverse=True)


def test_what_does_not_learn_is_stopped() -> None:
    decoder, encoder = decoder_job(), encoder_job()

    decoder.check(1_999, {"loss": 9.0})
    encoder.check(1_999, {"latents": 1.0})
    with pytest.raises(NotLearning):
        decoder.check(2_000, {"loss": 1.9})
    with pytest.raises(NotLearning):
        encoder.check(2_000, {"latents": 0.7})
