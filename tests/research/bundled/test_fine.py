"""What the fine model is trained on is what the engine feeds it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cloning.bark.config import BarkSpec
from cloning.bark.fine import FineModel, FineWork
from cloning.bark.sampling import Sampler
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from research.bundled import fine, gpt
from research.bundled.layout import (
    BOOKS,
    COARSE_BOOKS,
    FINE_FRAMES,
    FINE_FRAMES_BEFORE,
    FINE_PAD,
    Size,
    generation_config,
)
from research.bundled.speech import Joined
from tests.research.bundled.tokens import drawn_codebooks, drawn_speech
from training.loop import NotLearning

SMALL = Size(layers=1, heads=2, width=16)
CPU = torch.device("cpu")
CODEC = {"codec_config": {"sampling_rate": 16_000, "upsampling_ratios": [8, 5, 4, 2]}}


class Listening(FineModel):
    """The engine's; remembers what it is given, and says what it is handed."""

    def __init__(self) -> None:
        super().__init__(gpt.new_fine(SMALL), BarkSpec.from_configs(CODEC, generation_config()))
        self.given: Tensor | None = None
        says: Any = lambda hidden: hidden  # noqa: E731  # stands where a layer stands
        self.heads = dict.fromkeys(self.heads, says)

    def embed(self, codes: Tensor, book: int) -> Tensor:
        self.given = codes[:, : book + 1].clone()
        return super().embed(codes, book)


@pytest.mark.parametrize(
    ("before", "length"),
    [(0, 90), (0, 600), (FINE_FRAMES_BEFORE, 128), (FINE_FRAMES_BEFORE, 400), (50, 300), (200, 330), (0, 256)],
)
def test_windows_are_those_of_the_engine(before: int, length: int) -> None:
    speech = drawn_speech(clips=2, frames=(600, 600))
    kept = min(before, FINE_FRAMES_BEFORE)
    rows = Joined(np.array([600 - kept]), np.array([kept]), np.array([600]), np.array([length]))
    truth = speech.codes[:, 600 : 600 + length].astype(np.int64)
    past = speech.prompts[:, 600 - before : 600].astype(np.int64)
    voice = VoicePrompt(np.zeros(before, np.int64), past[:COARSE_BOOKS], past) if before else None
    model = Listening()
    work = FineWork(
        model, truth[:COARSE_BOOKS], voice, Sampler(0.0, torch.Generator()), ProgressReporter(lambda *_: None)
    )
    padded = np.concatenate([past[:, before - kept :], truth, np.zeros((BOOKS, 2 * FINE_FRAMES), np.int64)], axis=1)

    for window in range(int(fine.windows_of(rows)[0])):
        for book in range(COARSE_BOOKS, BOOKS):
            assert work.book == book
            _, first = work.given()
            assert model.given is not None
            ours = fine.windows(speech, rows, np.array([window]), book, np.random.default_rng(0))
            known = ours.known[0]
            assert model.given.numpy()[known].tolist() == ours.inputs[0][known].tolist()
            assert model.given.numpy()[~known, :COARSE_BOOKS].tolist() == ours.inputs[0][~known, :COARSE_BOOKS].tolist()
            assert not ours.asked[0, :first].any()
            start = min(window * FINE_FRAMES_BEFORE, max(FINE_FRAMES, kept + length) - FINE_FRAMES)
            said = torch.from_numpy(padded[book, start + first : start + FINE_FRAMES])
            work.take(torch.nn.functional.one_hot(said, 512).float())
            assert ours.targets[0][known].tolist() == padded[book, start : start + FINE_FRAMES][known].tolist()
    assert work.done
    assert np.array_equal(work.codes, truth)


def test_of_the_book_that_is_asked_only_what_is_known_is_given() -> None:
    speech = drawn_speech(clips=8)
    random = np.random.default_rng(0)
    batch = fine.windows(speech, *fine.draw_windows(speech, random, 64), 5, random)

    assert (batch.inputs[batch.asked][:, 5] == FINE_PAD).all()
    rest = batch.known & ~batch.asked
    assert np.array_equal(batch.inputs[rest][:, 5], batch.targets[rest])
    assert batch.asked.any(1).all()
    assert ((batch.inputs >= 0) & (batch.inputs <= FINE_PAD)).all()


def test_spoiled_inputs_are_wrong_in_the_books_before_the_last_only() -> None:
    inputs = np.random.default_rng(0).integers(0, 512, (20, 30, 5))
    inputs[3] = FINE_PAD
    spoiled = fine.spoil(inputs, np.random.default_rng(1))

    assert np.array_equal(spoiled[..., -1], inputs[..., -1])
    assert np.array_equal(spoiled[3], inputs[3])
    assert (spoiled != inputs)[..., :-1].mean() == pytest.approx(0.05, abs=0.02)


def small_job() -> fine.FineJob:
    torch.manual_seed(0)
    speech = drawn_speech(clips=30)
    return fine.FineJob(SMALL, speech, speech, drawn_codebooks(), batch=4, device=CPU)


def test_the_loss_begins_near_that_of_a_guess_and_falls() -> None:
    job = small_job()
    optimizer = torch.optim.AdamW(job.module.parameters(), lr=3e-3)
    with torch.no_grad():
        before = job.validate()
    for step in range(12):
        loss, figures = job.loss(np.random.default_rng(step))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        optimizer.step()
    with torch.no_grad():
        after = job.validate()

    assert before["loss"] == pytest.approx(np.log(512), abs=0.6)
    assert after["loss"] < before["loss"]
    assert after.keys() == {"loss", *(f"book {book}" for book in range(3, 9))}
    assert figures["tokens"] == 4 * FINE_FRAMES


def test_the_gate_closes_on_a_model_that_guesses() -> None:
    job = small_job()
    job.check(999, {"book 3": 6.2})
    job.check(1000, {"book 3": 5.5})
    with pytest.raises(NotLearning, match="book 3"):
        job.check(1000, {"book 3": 6.0})
