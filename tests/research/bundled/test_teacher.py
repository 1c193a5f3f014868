"""The teacher's codes do not depend on the crop, and its job learns."""

from pathlib import Path

import numpy as np
import pytest
import torch

from errors import Unavailable
from research.bundled.spectra import HOP
from research.bundled.teacher import BOOKS, MARGIN, Teacher, TeacherJob, load_teacher
from tests.research.bundled import material
from training.loop import NotLearning, Schedule, train

CPU = torch.device("cpu")


def test_a_crops_latents_are_the_whole_sounds_but_for_the_margins() -> None:
    teacher, buffer = material.teacher(), material.buffer()
    whole = teacher.latents(buffer.at(torch.tensor([0]), 60)[0])
    crop = teacher.latents(buffer.at(torch.tensor([20]), 30)[0])

    torch.testing.assert_close(crop[:, MARGIN:-MARGIN], whole[:, 20 + MARGIN : 50 - MARGIN], atol=1e-4, rtol=1e-4)


def test_codes_have_a_frame_for_each_hop() -> None:
    assert material.teacher().encode(torch.zeros(2, 9 * HOP)).shape == (2, BOOKS, 9)


def test_training_learns_spectra_and_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TeacherJob, "_FRAMES", 25)
    monkeypatch.setattr(TeacherJob, "_VALID_CROPS", 8)
    torch.manual_seed(0)
    buffer = material.buffer(3_000)
    job = TeacherJob(Teacher(material.SYMBOLS), buffer, buffer, batch=8, warmup=2)
    job.module.eval()
    with torch.no_grad():
        before = job.validate()

    best = train(
        job, Schedule(steps=16, warmup=2, learning_rate=3e-3, validate_every=8, save_every=8), tmp_path, device=CPU
    )
    teacher = load_teacher(best, CPU)

    with torch.no_grad():
        after = job.validate()
    assert after["dB_8"] < 0.8 * before["dB_8"]
    assert after["dB_8"] < after["dB_1"]
    assert teacher.quantizer.ready
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_collapsed_codebooks_stop_the_run() -> None:
    buffer = material.buffer()
    job = TeacherJob(Teacher(material.SYMBOLS), buffer, buffer, batch=8, warmup=100)

    job.check(1_099, {"entries_1": 3.0})
    with pytest.raises(NotLearning, match="first codebook"):
        job.check(1_100, {"entries_1": 3.0})


def test_a_missing_teacher_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"best\.safetensors"):
        load_teacher(tmp_path / "best.safetensors", CPU)


def test_the_loss_follows_the_generator() -> None:
    buffer = material.buffer()
    losses = []
    for _ in range(2):
        torch.manual_seed(0)
        job = TeacherJob(Teacher(material.SYMBOLS), buffer, buffer, batch=2, warmup=100)
        losses.append(float(job.loss(np.random.default_rng(3))[0].detach()))

    assert losses[0] == losses[1]
