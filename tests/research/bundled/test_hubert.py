"""The small HuBERT loads like the published one, hears every frame, and learns."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cloning.methods.hubert import HubertFeatures
from errors import Unavailable
from research.bundled import hubert_training
from research.bundled.clip_buffer import ClipBuffer
from research.bundled.hubert import TokenClassifier, export, load_classifier
from research.bundled.hubert_training import ClassifierJob, HubertStep, run_hubert_step
from research.bundled.phones import SEMANTIC_SIZE
from training.loop import NotLearning
from training.room_acoustics import disturb

CPU = torch.device("cpu")
HOP = 320


@pytest.fixture(scope="module")
def listener() -> TokenClassifier:
    torch.manual_seed(0)
    return TokenClassifier().eval()


@pytest.fixture(scope="module")
def exported(listener: TokenClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hubert")
    export(listener, folder)
    return folder


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Crops of half a second, and few of them."""
    monkeypatch.setattr(hubert_training, "_FRAMES", 25)
    monkeypatch.setattr(hubert_training, "_VALID_CROPS", 4)
    yield


def tones(seconds: float = 20.0) -> ClipBuffer:
    """Every fifth of a second another of four tones, each a token of its own."""
    random = np.random.default_rng(0)
    tokens = np.repeat(random.integers(0, 4, int(seconds * 5)), 10)
    hertz = np.repeat(np.array([200, 500, 1200, 3000])[tokens], HOP)
    samples = 3000 * np.sin(2 * np.pi * np.cumsum(hertz) / 16_000)
    return ClipBuffer(torch.from_numpy(samples.astype(np.int16)), torch.from_numpy(tokens.astype(np.int16)))


@pytest.mark.parametrize("frames", [2, 25, 100])
def test_there_is_a_frame_for_every_token_but_the_last(listener: TokenClassifier, frames: int) -> None:
    with torch.inference_mode():
        logits = listener(torch.zeros(2, frames * HOP))

    assert logits.shape == (2, frames - 1, SEMANTIC_SIZE)


def test_it_is_small(listener: TokenClassifier) -> None:
    assert sum(parameter.numel() for parameter in listener.parameters()) < 1_500_000


def test_cloning_loads_what_was_exported(listener: TokenClassifier, exported: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    features = HubertFeatures(exported, CPU)

    with torch.inference_mode():
        expected = listener.hubert(torch.from_numpy(samples)[None]).last_hidden_state[0]
    torch.testing.assert_close(features(samples), expected, rtol=0.02, atol=0.02)  # half precision is kept
    assert features.size == expected.shape[1] == 160
    assert len(features(np.zeros(31 * 16_000, np.float32))) == 31 * 50 - 1


def test_the_head_is_dropped(exported: Path) -> None:
    assert not any(name.startswith("head") for name in load_file(exported / "model.safetensors"))
    config = json.loads((exported / "config.json").read_text())
    assert config["model_type"] == "hubert"
    assert math.prod(config["conv_stride"]) == HOP


def test_it_begins_as_a_bank_of_filters(listener: TokenClassifier) -> None:
    first = listener.hubert.feature_extractor.conv_layers[0].conv
    time = torch.arange(4_000) / 16_000

    def loudest(hertz: float) -> int:
        with torch.inference_mode():
            bands = first(torch.sin(2 * math.pi * hertz * time)[None, None])[0]
        half = len(bands) // 2
        return int((bands[:half] ** 2 + bands[half:] ** 2).mean(dim=1).argmax())

    places = [loudest(hertz) for hertz in (300, 1000, 2500, 5000, 7000)]
    assert places == sorted(set(places))


def test_it_learns_to_tell_tones_apart(listener: TokenClassifier) -> None:
    torch.manual_seed(0)
    job = ClassifierJob(TokenClassifier(), tones(), tones(5.0), batch=8)
    optimizer = torch.optim.AdamW(job.module.parameters(), lr=2e-3)
    for step in range(25):
        loss, figures = job.loss(np.random.default_rng(step))
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        optimizer.step()
        optimizer.zero_grad()

    job.module.eval()
    with torch.no_grad():
        found = job.validate()
    assert float(figures["right"]) > 0.4
    assert found["clean_token"] > 0.5
    assert found["clean_unit"] >= found["clean_token"]
    assert found["loss"] == pytest.approx((found["clean_loss"] + found["noisy_loss"]) / 2)


def test_validation_does_not_change_between_calls(listener: TokenClassifier) -> None:
    one, other = (ClassifierJob(listener, tones(), tones(5.0), batch=2) for _ in range(2))

    with torch.no_grad():
        assert one.validate() == one.validate() == other.validate()


def test_a_run_that_does_not_learn_is_stopped(listener: TokenClassifier) -> None:
    job = ClassifierJob(listener, tones(), tones(5.0), batch=2)

    job.check(500, {"clean_token": 0.0})
    job.check(1_000, {"clean_token": 0.4})
    with pytest.raises(NotLearning, match="10% of the tokens"):
        job.check(1_000, {"clean_token": 0.1})


def test_disturbed_sound_is_finite_and_different() -> None:
    samples = torch.randn(6, 8_000) * 0.1
    heard = disturb(samples, np.random.default_rng(0))

    assert heard.shape == samples.shape
    assert bool(heard.isfinite().all())
    assert not torch.allclose(heard, samples, atol=1e-3)


def test_held_out_speakers_are_measured(
    listener: TokenClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hubert").mkdir()
    save_file(listener.state_dict(), tmp_path / "hubert" / "best.safetensors")
    monkeypatch.setattr(hubert_training, "_TEST_CROPS", 3)
    monkeypatch.setattr(
        hubert_training, "load_buffer", lambda folder, split, hours, device: {"test": tones(5.0)}[split]
    )

    run_hubert_step(HubertStep.MEASURE, tmp_path, hubert_training.HUBERT_PROFILES["cpu"], CPU)

    lines = capsys.readouterr().out.splitlines()
    assert [line[:9].strip() for line in lines] == ["clean", "20 dB", "10 dB", "room", "disturbed"]
    assert all("token 0." in line and "phones " in line for line in lines)


def test_the_best_weights_are_exported(listener: TokenClassifier, tmp_path: Path) -> None:
    (tmp_path / "hubert").mkdir()
    best = tmp_path / "hubert" / "best.safetensors"
    profile = hubert_training.HUBERT_PROFILES["cpu"]

    with pytest.raises(Unavailable):
        run_hubert_step(HubertStep.EXPORT, tmp_path, profile, CPU)
    save_file(listener.state_dict(), best)
    run_hubert_step(HubertStep.EXPORT, tmp_path, profile, CPU)

    assert HubertFeatures(tmp_path / "hubert" / "model", CPU).size == 160
    again = load_classifier(best, CPU).state_dict()
    assert all(torch.equal(again[name], value) for name, value in listener.state_dict().items())
