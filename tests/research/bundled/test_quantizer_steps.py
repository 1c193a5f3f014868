"""A small HuBERT gets a quantizer that cloning reads, and a codebook; another HuBERT gets others."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cloning.methods import quantizer_network
from cloning.methods.feature_clusters import load_codebook
from cloning.methods.quantizer_network import QuantizerInfo
from errors import InvalidInput, Unavailable
from research.bundled import quantizer_steps
from research.bundled.hubert import TokenClassifier, export
from research.bundled.phones import SEMANTIC_SIZE
from research.bundled.quantizer_steps import (
    QUANTIZER_PROFILES,
    codebook_file,
    make_small_codebook,
    make_small_quantizer,
    quantizer_file,
)
from tests.research.bundled import material
from training.loop import Schedule
from training.shards import ShardWriter

CPU = torch.device("cpu")
SPEAKERS = [f"speaker-{number}" for number in range(40)]
SHORT = Schedule(steps=2, warmup=1, learning_rate=1e-3)
PROFILE = replace(QUANTIZER_PROFILES["cpu"], hours=0.02, copies=1, width=8, batch=2, schedule=SHORT, clusters=5)


def hubert(work: Path, seed: int = 0) -> None:
    torch.manual_seed(seed)
    export(TokenClassifier().eval(), work / "hubert" / "model")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("work")
    with ShardWriter(folder / "corpus", 30) as shards:
        for text in (f"{speaker} says {number}." for speaker in SPEAKERS for number in range(2)):
            shards.add(material.clip(text, text.partition(" ")[0], text))
    hubert(folder)
    make_small_quantizer(folder, PROFILE, CPU)
    make_small_codebook(folder, PROFILE, CPU)
    return folder


def test_the_quantizer_is_a_published_one_for_the_models_tokens(work: Path) -> None:
    made = quantizer_network.load(quantizer_file(work), CPU)

    assert made.info == QuantizerInfo(160, 8, SEMANTIC_SIZE, 0)
    assert made.tokens(torch.randn(20, 160), 50.0).shape == (20,)
    assert "| noisy |" in (quantizer_file(work).parent / "report.md").read_text()


def test_the_codebook_has_tokens_that_the_clips_have(work: Path) -> None:
    made = load_codebook(codebook_file(work), CPU)

    assert made.centroids.shape == (5, 160)
    assert int(made.codes.max()) < material.SYMBOLS


def test_only_some_hours_are_looked_at(work: Path) -> None:
    frames = 0.02 * 3600 * 50
    corpus = quantizer_steps._corpus(work, PROFILE, CPU, copies=0)

    assert frames - 2 * 60 < sum(len(one.tokens) for one in corpus.train[0]) <= frames
    assert len(corpus.valid["clean"]) == 5  # a tenth of it


def test_what_is_done_is_not_even_loaded_again(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(quantizer_steps, "_corpus", refuse)
    make_small_quantizer(work, PROFILE, CPU)
    make_small_codebook(work, PROFILE, CPU)


def test_a_longer_schedule_goes_on(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_small_quantizer(work, replace(PROFILE, schedule=replace(SHORT, steps=3)), CPU)

    assert "continuing from step 2" in capsys.readouterr().out


def test_another_hubert_has_its_own(work: Path, tmp_path: Path) -> None:
    hubert(tmp_path, seed=1)

    assert quantizer_file(tmp_path).parent.name != quantizer_file(work).parent.name
    assert codebook_file(tmp_path).parent.name != codebook_file(work).parent.name


def test_what_they_build_on_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="run the step hubert first"):
        make_small_quantizer(tmp_path, PROFILE, CPU)
    hubert(tmp_path)
    with pytest.raises(InvalidInput, match="no clips"):
        make_small_codebook(tmp_path, PROFILE, CPU)


def test_the_shipped_sizes_are_small() -> None:
    profile = QUANTIZER_PROFILES["cpu"]
    made = quantizer_network.build(QuantizerInfo(160, profile.width, SEMANTIC_SIZE))

    assert sum(weight.numel() for weight in made.parameters()) * 4 < 2_000_000
    assert profile.clusters * (160 * 4 + 8) < 1_000_000
