"""A codebook gives each frame the token of its nearest cluster, and the method uses it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cloning.checkpoints.model_choice import ModelChoice, resolve_codebook
from cloning.media.audio import Recording
from cloning.methods.feature_clusters import Codebook, load_codebook
from cloning.methods.registry import METHODS, by_codebook
from cloning.methods.subject import Subject
from cloning.model_set import LoadedModels
from cloning.progress import ProgressReporter
from errors import Unavailable

CPU = torch.device("cpu")
THREE = Codebook(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]]), torch.tensor([7, 8, 9]))


def test_each_frame_has_the_token_of_the_nearest_cluster() -> None:
    features = torch.tensor([[0.1, 0.2], [0.9, -0.3], [3.0, 9.0], [0.2, 0.0]])

    assert THREE.clusters(features).tolist() == [0, 1, 2, 0]
    assert THREE.tokens(features.double()).tolist() == [7, 8, 9, 7]


def test_a_long_clip_loses_its_tail_as_with_the_quantizer() -> None:
    assert len(THREE.tokens(torch.zeros(600, 2))) == 599


def test_a_file_holds_all_of_it(tmp_path: Path) -> None:
    THREE.save(tmp_path / "c.safetensors")
    loaded = load_codebook(tmp_path / "c.safetensors", CPU)

    assert torch.equal(loaded.centroids, THREE.centroids)
    assert torch.equal(loaded.codes, THREE.codes)


@pytest.mark.parametrize(
    "state",
    [
        {"centroids": torch.zeros(3, 2)},
        {"centroids": torch.zeros(3), "tokens": torch.zeros(3, dtype=torch.int64)},
        {"centroids": torch.zeros(3, 2), "tokens": torch.zeros(4, dtype=torch.int64)},
        {"centroids": torch.zeros(3, 2), "tokens": torch.zeros(3)},
        {"centroids": torch.zeros(0, 2), "tokens": torch.zeros(0, dtype=torch.int64)},
    ],
)
def test_another_file_is_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "c.safetensors")

    with pytest.raises(Unavailable, match="not a codebook"):
        load_codebook(tmp_path / "c.safetensors", CPU)


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(Unavailable, match="width 2"):
        THREE.tokens(torch.zeros(4, 3))


def test_a_codebook_is_a_file_or_the_models_own(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="training codebook"):
        resolve_codebook(ModelChoice(model="suno/bark"))
    with pytest.raises(Unavailable, match="missing"):
        resolve_codebook(ModelChoice(codebook=str(tmp_path / "c.safetensors")))
    (tmp_path / "bark").mkdir()
    THREE.save(tmp_path / "codebook.safetensors")
    own = ModelChoice(model=str(tmp_path))

    assert resolve_codebook(own) == tmp_path / "codebook.safetensors"
    assert resolve_codebook(ModelChoice(codebook=str(own.model + "/codebook.safetensors"))).is_file()
    with pytest.raises(Unavailable, match="no codebook"):
        resolve_codebook(ModelChoice(model=str(tmp_path), hubert="facebook/hubert-base-ls960"))


def test_the_method_takes_the_clip_and_its_clusters(stand_in: Path, tmp_path: Path) -> None:
    Codebook(torch.randn(5, 48), torch.tensor([3, 30, 300, 3000, 9999])).save(tmp_path / "c.safetensors")
    codebook = str(tmp_path / "c.safetensors")
    models = LoadedModels(ModelChoice(model=str(stand_in), device="cpu", codebook=codebook))
    clip = Recording(np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32), 24_000)

    made = METHODS["codebook"](models, Subject(clip, "en"), ProgressReporter())

    assert made.maker == "c.safetensors"
    assert set(made.prompt.semantic.tolist()) <= {3, 30, 300, 3000, 9999}
    assert made.prompt.seconds() == pytest.approx(1.0, abs=0.05)
    assert np.array_equal(made.prompt.fine, models.codec.encode(clip.samples)[:, : made.prompt.fine.shape[1]])
    assert METHODS["codebook"] is by_codebook
