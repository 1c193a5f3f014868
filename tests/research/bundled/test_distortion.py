"""The fine model learns to be silent where it cannot predict, and what it can predict."""

from pathlib import Path

import numpy as np
import pytest
import torch

from research.bundled import distortion, gpt
from research.bundled.distortion import DistortionJob
from research.bundled.layout import BOOKS, COARSE_BOOKS, FINE_PAD, SILENT, Size
from tests.research.bundled.tokens import drawn_codebooks, drawn_speech
from training.loop import NotLearning
from training.run_state import write_weights

SMALL = Size(layers=1, heads=2, width=16)
CPU = torch.device("cpu")


@pytest.fixture
def job(tmp_path: Path) -> DistortionJob:
    torch.manual_seed(0)
    weights = tmp_path / "best.safetensors"
    write_weights(weights, gpt.new_fine(SMALL))
    codebooks = drawn_codebooks()
    codebooks[COARSE_BOOKS:, SILENT] = 0
    speech = drawn_speech(clips=30)
    return DistortionJob(weights, SMALL, speech, speech, codebooks, batch=4, device=CPU)


def test_it_begins_with_the_weights_of_the_run_before(job: DistortionJob, tmp_path: Path) -> None:
    other = gpt.new_fine(SMALL)
    write_weights(tmp_path / "other.safetensors", other)
    speech = drawn_speech(clips=6)

    made = DistortionJob(tmp_path / "other.safetensors", SMALL, speech, speech, drawn_codebooks(), batch=2, device=CPU)

    for name, tensor in made.module.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name])


def test_where_nothing_can_be_predicted_it_learns_silence(job: DistortionJob) -> None:
    optimizer = torch.optim.AdamW(job.module.parameters(), lr=2e-2)
    with torch.no_grad():
        before = job.validate()["loss"]
    for step in range(200):
        loss, _ = job.loss(np.random.default_rng(step))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        optimizer.step()
    with torch.no_grad():
        after = job.validate()["loss"]

    assert before == pytest.approx(2, abs=0.1)  # a guess
    assert after == pytest.approx(1, abs=0.1)  # the codes are drawn


def test_distances_are_relative_to_silence() -> None:
    codebooks = torch.zeros(1, 3, 4)
    codebooks[0, 1, 0] = 3.0
    codebooks[0, 2, 1] = 3.0

    found = distortion.distortions(codebooks)[0]

    mean = 18 / 3
    assert found[1, 1] == found[0, 0] == 0
    assert found[1, SILENT].item() == pytest.approx(9 / mean)
    assert found[1, 2].item() == pytest.approx(18 / mean)


def test_only_fine_books_before_the_last_are_silenced() -> None:
    inputs = np.random.default_rng(0).integers(1, 512, (40, 30, BOOKS))
    inputs[3] = FINE_PAD
    silenced = distortion.silence(inputs, np.random.default_rng(1))

    changed = silenced != inputs
    assert (silenced[changed] == SILENT).all()
    assert not changed[..., :COARSE_BOOKS].any()
    assert not changed[..., -1].any()
    assert not changed[3].any()
    shares = np.delete(changed, 3, axis=0)[..., COARSE_BOOKS:-1].mean((1, 2))
    assert shares.min() < 0.2
    assert shares.max() > 0.8


def test_the_gate_closes_on_a_model_that_is_no_better_than_silence(job: DistortionJob) -> None:
    job.check(399, {"book 3": 1.5})
    job.check(400, {"book 3": 0.8})
    with pytest.raises(NotLearning, match="book 3"):
        job.check(400, {"book 3": 1.0})
