"""What the coarse model is trained on is what the engine feeds it."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cloning.bark.coarse import CoarseModel, CoarseRow
from cloning.bark.config import BarkSpec, InputLayout
from cloning.bark.sampling import Sampler
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from research.bundled import coarse, gpt
from research.bundled.layout import (
    COARSE_BOOKS,
    COARSE_FRAMES,
    COARSE_FRAMES_AT_ONCE,
    COARSE_FRAMES_BEFORE,
    COARSE_SEMANTIC,
    COARSE_VOCABULARY,
    Size,
    generation_config,
)
from research.bundled.phones import SEMANTIC_SIZE
from research.bundled.speech import Joined
from tests.research.bundled.tokens import drawn_codebooks, drawn_speech
from training.loop import NotLearning

SMALL = Size(layers=1, heads=2, width=16)
CPU = torch.device("cpu")
CODEC = {"codec_config": {"sampling_rate": 16_000, "upsampling_ratios": [8, 5, 4, 2]}}


def engine_model() -> CoarseModel:
    """The engine's, whose vectors are the ids themselves."""
    generation = generation_config()
    module = gpt.new_coarse(SMALL)
    model = CoarseModel(module, BarkSpec.from_configs(CODEC, generation), InputLayout.from_config(generation))
    model.embeddings = torch.arange(COARSE_VOCABULARY).float()[:, None]
    return model


def fed(row: CoarseRow, codes: NDArray[Any]) -> dict[int, list[int]]:
    """What a row is given, by the frames that it has spoken, when it speaks exactly `codes` (T, books)."""
    given = {}
    for place, token in enumerate(codes.ravel()):
        if row.reads(0):
            given[place // COARSE_BOOKS] = row.context()[:, 0].int().tolist()
        row.take(int(token))
    return given


@pytest.mark.parametrize(("before", "length"), [(0, 400), (COARSE_FRAMES_BEFORE, 350), (40, 250), (300, 100), (1, 40)])
def test_windows_are_those_of_the_engine(before: int, length: int) -> None:
    speech = drawn_speech(clips=2, frames=(400, 400))
    kept = min(before, COARSE_FRAMES_BEFORE)
    rows = Joined(np.array([400 - kept]), np.array([kept]), np.array([400]), np.array([length]))
    clip = slice(400, 400 + length)
    past = slice(400 - before, 400)
    fine = speech.prompts[:, past].astype(np.int64)
    voice = VoicePrompt(speech.semantic[past].astype(np.int64), fine[:COARSE_BOOKS], fine) if before else None
    sampler = Sampler(0.0, torch.Generator())
    row = CoarseRow(engine_model(), speech.semantic[clip].tolist(), voice, sampler, ProgressReporter(lambda *_: None))

    given = fed(row, speech.codes[:COARSE_BOOKS, clip].T)

    assert 0 in given
    assert max(given) == (length - 1) // COARSE_FRAMES_AT_ONCE * COARSE_FRAMES_AT_ONCE or length + kept <= COARSE_FRAMES
    for done, engine in given.items():
        ours = coarse.windows(speech, rows, np.array([done]))
        assert ours.inputs[0, : len(engine)].tolist() == engine
        next_frame = (len(engine) - COARSE_SEMANTIC - 1) // COARSE_BOOKS
        assert ours.targets[0, next_frame].tolist() == speech.codes[:COARSE_BOOKS, 400 + done].tolist()
        assert ours.spoken[0, next_frame]
        assert next_frame == 0 or ours.known[0, next_frame - 1]


def test_inputs_are_the_targets_one_token_before() -> None:
    speech = drawn_speech(clips=8)
    batch = coarse.windows(speech, *coarse.draw_windows(speech, np.random.default_rng(0), 32))

    tokens = (batch.inputs[:, COARSE_SEMANTIC + 1 :] - SEMANTIC_SIZE) % 512
    assert np.array_equal(tokens, batch.targets.reshape(32, -1)[:, :-1])
    assert batch.inputs.shape[1] == COARSE_SEMANTIC + COARSE_BOOKS * COARSE_FRAMES
    assert (batch.spoken <= batch.known).all()
    assert batch.spoken.any(1).all()
    assert batch.inputs.min() >= 0
    assert batch.inputs.max() < COARSE_VOCABULARY


def test_spoiled_inputs_keep_their_kinds() -> None:
    speech = drawn_speech(clips=8)
    batch = coarse.windows(speech, *coarse.draw_windows(speech, np.random.default_rng(0), 200))
    inputs = batch.inputs
    spoiled = coarse.spoil(batch, np.random.default_rng(1))
    spoken = np.repeat(batch.spoken, COARSE_BOOKS, axis=1)[:, :-1]
    prompt = np.repeat(batch.known & ~batch.spoken, COARSE_BOOKS, axis=1)[:, :-1]
    tokens, truth = spoiled[:, COARSE_SEMANTIC + 1 :], inputs[:, COARSE_SEMANTIC + 1 :]

    assert np.array_equal((tokens - SEMANTIC_SIZE) // 512, (truth - SEMANTIC_SIZE) // 512)
    assert spoiled[:, COARSE_SEMANTIC].tolist() == inputs[:, COARSE_SEMANTIC].tolist()
    assert (tokens != truth)[spoken].mean() == pytest.approx(0.7 * 0.15 + 0.3 * 0.6, abs=0.03)
    assert (tokens != truth)[prompt].mean() == pytest.approx(0.05, abs=0.01)
    assert 0.01 < (spoiled[:, :COARSE_SEMANTIC] != inputs[:, :COARSE_SEMANTIC]).mean() < 0.1


def test_drawn_tokens_replace_some_of_those_after_the_prompt() -> None:
    speech = drawn_speech(clips=8)
    batch = coarse.windows(speech, *coarse.draw_windows(speech, np.random.default_rng(0), 200))
    spoken = np.repeat(batch.spoken, COARSE_BOOKS, axis=1)[:, :-1]
    drawn = (batch.targets + 1) % 512
    mixed = coarse.mix_in(batch.inputs, drawn, spoken, np.random.default_rng(1))
    tokens, truth = mixed[:, COARSE_SEMANTIC + 1 :], batch.inputs[:, COARSE_SEMANTIC + 1 :]
    moved = (tokens - SEMANTIC_SIZE) % 512 == ((truth - SEMANTIC_SIZE) % 512 + 1) % 512

    assert np.array_equal(moved, tokens != truth)
    assert not moved[~spoken].any()
    assert moved[spoken].mean() == pytest.approx(0.5, abs=0.08)
    assert np.array_equal((tokens - SEMANTIC_SIZE) // 512, (truth - SEMANTIC_SIZE) // 512)
    assert np.array_equal(mixed[:, : COARSE_SEMANTIC + 1], batch.inputs[:, : COARSE_SEMANTIC + 1])


def small_job() -> coarse.CoarseJob:
    torch.manual_seed(0)
    speech = drawn_speech(clips=30)
    return coarse.CoarseJob(SMALL, speech, speech, drawn_codebooks(), batch=4, device=CPU)


def test_the_loss_begins_as_that_of_a_guess_and_falls() -> None:
    job = small_job()
    optimizer = torch.optim.AdamW(job.module.parameters(), lr=1e-2)
    losses = []
    for step in range(12):
        loss, figures = job.loss(np.random.default_rng(step))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        optimizer.step()
        losses.append(loss.item())

    assert losses[0] == pytest.approx(np.log(512), abs=0.2)
    assert losses[-1] < losses[0] - 0.02
    assert figures["tokens"] == 4 * (COARSE_SEMANTIC + COARSE_BOOKS * COARSE_FRAMES)


def test_validation_is_the_same_each_time_and_tells_the_gaps() -> None:
    job = small_job()
    with torch.no_grad():
        first, second = job.validate(), job.validate()

    assert first == second
    assert first.keys() == {"loss", "book 1", "book 2", "gap", "voice gap"}
    assert abs(first["gap"]) < 0.1


def test_the_gate_closes_from_step_500_on() -> None:
    job = small_job()
    job.check(499, {"gap": 0.0})
    job.check(500, {"gap": 0.3})
    with pytest.raises(NotLearning, match="ignores its semantic tokens"):
        job.check(500, {"gap": 0.1})
