"""The commands, from clips to files that cloning reads, with the stand-in."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cloning.checkpoints.model_choice import ModelChoice
from cloning.methods.feature_clusters import load_codebook
from cloning.methods.quantizer_network import QuantizerInfo, load, read_info
from errors import Conflict, InvalidInput
from training.codebook import codebook_command
from training.networks import NETWORKS
from training.quantizer import Corpus, examples_of, quantizer_command, vocabulary_of
from training.shards import Clip, ShardWriter

CPU = torch.device("cpu")
CLIPS = 30


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    with ShardWriter(folder, 20) as writer:
        for number in range(CLIPS):
            audio = random.integers(-9000, 9000, 5000).astype(np.int16)
            semantic = random.integers(0, 10_000, 11).astype(np.uint16)
            writer.add(Clip(f"c{number}", f"text {number}", f"c{number}", 0, 24_000, audio, semantic))
    return folder


def train(clips: Path, out: Path, model: Path, network: str, steps: int = 2, **changed: object) -> None:
    quantizer_command(
        clips,
        network,
        out,
        width=4,
        steps=steps,
        batch=2,
        copies=1,
        model=str(model),
        device="cpu",
        **changed,  # type: ignore[arg-type]  # the command's own options
    )


def test_a_published_network_is_trained_further_from_its_own_file(clips: Path, stand_in: Path, tmp_path: Path) -> None:
    train(clips, tmp_path / "first", stand_in, "v0")
    file = tmp_path / "first" / "quantizer.pth"

    train(clips, tmp_path / "second", stand_in, "v0", start=file)

    assert read_info(file) == QuantizerInfo(48, 4, 10_000, 0)
    assert load(tmp_path / "second" / "quantizer.pth", CPU).tokens(torch.randn(20, 48)).shape == (20,)
    for name in ("report.md", "report.json", "confusion.png", "log.csv", "curves.png", "quantizer.safetensors"):
        assert (tmp_path / "second" / name).is_file()


def test_ours_goes_on_where_it_was_and_refuses_other_settings(
    clips: Path, stand_in: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(clips, tmp_path / "run", stand_in, "ours")
    train(clips, tmp_path / "run", stand_in, "ours", steps=4)

    assert "continuing from step 2" in capsys.readouterr().out
    assert load(tmp_path / "run" / "quantizer.safetensors", CPU).tokens(torch.randn(20, 48)).shape == (20,)
    with pytest.raises(Conflict, match="network was ours, now v0"):
        train(clips, tmp_path / "run", stand_in, "v0")
    with pytest.raises(Conflict, match=r"smoothing was 0\.0, now 0\.2"):
        train(clips, tmp_path / "run", stand_in, "ours", smoothing=0.2)
    with pytest.raises(InvalidInput, match="holds our recurrent network"):
        train(clips, tmp_path / "other", stand_in, "v1", start=tmp_path / "run" / "quantizer.safetensors")


def test_a_codebook_is_made_and_measured(clips: Path, stand_in: Path, tmp_path: Path) -> None:
    codebook_command(clips, tmp_path, clusters=3, model=str(stand_in), device="cpu")

    assert load_codebook(tmp_path / "codebook.safetensors", CPU).centroids.shape == (3, 48)
    assert "codebook" in (tmp_path / "report.md").read_text()


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no clips"):
        train(tmp_path, tmp_path / "run", tmp_path / "no model is needed", "v0")


def test_a_damaged_shard_is_named(clips: Path, stand_in: Path, tmp_path: Path) -> None:
    for path in clips.glob("*.npz"):
        (tmp_path / path.name).write_bytes(path.read_bytes()[:100])
        (tmp_path / f"{path.stem}.jsonl").write_text(path.with_suffix(".jsonl").read_text())

    with pytest.raises(InvalidInput, match="damaged"):
        train(tmp_path, tmp_path / "run", stand_in, "v0")


def test_recordings_are_measured_beside_what_was_held_out() -> None:
    clip = Clip("c", "text", "ann", 0, 16_000, np.zeros(1700, np.int16), np.array([3, 4, 5, 6], np.uint16))

    (example,) = examples_of(lambda samples: torch.ones(len(samples) // 320, 2), [clip])

    assert example.features.shape == (4, 2)
    assert example.tokens.tolist() == [3, 4, 5, 6]
    assert set(Corpus([], {"clean": []}, 2, 12, [example]).measured) == {"clean", "recordings"}
    assert set(Corpus([], {"clean": []}, 2, 12).measured) == {"clean"}


def test_the_networks_to_choose_from() -> None:
    assert NETWORKS[:3] == ("v0", "v1", "ours")


def test_sunos_vocabulary_is_known_without_a_download() -> None:
    assert vocabulary_of(ModelChoice(model="suno/bark")) == 10_000
