"""What a choice of models resolves to, without a network."""

from pathlib import Path
from unittest import mock

import pytest
import torch

from cloning.checkpoints import downloads, model_choice
from cloning.checkpoints.model_choice import (
    MODEL_NAMES,
    ModelChoice,
    pick_device,
    resolve_bark,
    resolve_hubert,
    resolve_quantizer,
)
from cloning.checkpoints.published import (
    BARK,
    BUNDLED_DIRECTORY,
    HUBERT,
    QUANTIZER_OF_LANGUAGE,
    QUANTIZERS,
    PublishedFile,
    Repository,
)
from errors import Unavailable
from tests.cloning import tiny


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Repository | PublishedFile]:
    """What was fetched, instead of fetching it."""
    fetched: list[Repository | PublishedFile] = []
    folder = tmp_path / "fetched"
    folder.mkdir()
    for name in ("config.json", "pytorch_model.bin"):
        (folder / name).touch()

    def repository(asked: Repository, cache: Path, offline: bool) -> Path:
        fetched.append(asked)
        return folder

    def file(asked: PublishedFile, cache: Path, offline: bool) -> Path:
        fetched.append(asked)
        return folder / asked.file

    monkeypatch.setattr(
        model_choice, "fetch_repository", mock.create_autospec(downloads.fetch_repository, side_effect=repository)
    )
    monkeypatch.setattr(model_choice, "fetch_file", mock.create_autospec(downloads.fetch_file, side_effect=file))
    return fetched


def family(directory: Path) -> Path:
    """A directory laid out like models/bundled."""
    bark, hubert = tiny.bark(), tiny.hubert()
    tiny.write(bark, directory / "bark", tiny.hub_weights(bark))
    tiny.write(hubert, directory / "hubert", tiny.hub_weights(hubert))
    (directory / "quantizer.pth").touch()
    return directory


def test_the_bundled_model_is_whole_and_needs_no_network(hub: list[object]) -> None:
    choice = ModelChoice()

    assert resolve_bark(choice) == BUNDLED_DIRECTORY / "bark"
    assert resolve_hubert(choice) == BUNDLED_DIRECTORY / "hubert"
    assert resolve_quantizer(choice, "de") == BUNDLED_DIRECTORY / "quantizer.pth"
    assert not hub


@pytest.mark.parametrize("name", ["suno/bark", "suno/bark-small"])
def test_sunos_models_come_with_the_published_hubert_and_quantizer(name: str, hub: list[object]) -> None:
    choice = ModelChoice(model=name)

    resolve_bark(choice)
    resolve_hubert(choice)
    quantizer = resolve_quantizer(choice, "en")

    assert hub == [BARK[name], HUBERT, QUANTIZERS["quantifier_hubert_base_ls960_14"]]
    assert quantizer.name == "quantifier_hubert_base_ls960_14.pth"


@pytest.mark.parametrize(
    ("language", "file"),
    [
        ("de", "german-HuBERT-quantizer_14_epoch.pth"),
        ("pl", "polish-HuBERT-quantizer_8_epoch.pth"),
        ("pt", "portuguese-HuBERT-quantizer_24_epoch.pth"),
        ("ja", "japanese-HuBERT-quantizer_24_epoch.pth"),
        ("zh", "quantifier_hubert_base_ls960_14.pth"),
    ],
)
def test_the_language_chooses_the_quantizer(language: str, file: str, hub: list[object]) -> None:
    assert resolve_quantizer(ModelChoice(model="suno/bark"), language).name == file


def test_every_language_has_a_quantizer_that_is_listed() -> None:
    assert set(QUANTIZER_OF_LANGUAGE.values()) <= QUANTIZERS.keys()
    assert {"bundled", "suno/bark", "suno/bark-small"} == set(MODEL_NAMES)


def test_a_named_quantizer_wins_over_the_language(hub: list[object], tmp_path: Path) -> None:
    for name in ("quantifier_V1_hubert_base_ls960_23", "quantifier_V1_hubert_base_ls960_23.pth"):
        choice = ModelChoice(quantizer=name)
        assert resolve_quantizer(choice, "de").name == "quantifier_V1_hubert_base_ls960_23.pth"
    mine = tmp_path / "mine.pth"
    mine.touch()
    assert resolve_quantizer(ModelChoice(quantizer=str(mine)), "de") == mine
    assert len(hub) == 2


def test_another_hubert_takes_a_published_quantizer(hub: list[object]) -> None:
    assert resolve_quantizer(ModelChoice(hubert=HUBERT.name), "en").name == "quantifier_hubert_base_ls960_14.pth"


def test_a_directory_in_the_hubs_layout(hub: list[object], tmp_path: Path) -> None:
    bark = tiny.bark()
    tiny.write(bark, tmp_path / "mine", tiny.hub_weights(bark))
    choice = ModelChoice(model=str(tmp_path / "mine"))

    assert resolve_bark(choice) == tmp_path / "mine"
    resolve_hubert(choice)
    assert hub == [HUBERT]


def test_a_directory_laid_out_like_the_bundled_model(hub: list[object], tmp_path: Path) -> None:
    choice = ModelChoice(model=str(family(tmp_path / "mine")))

    assert resolve_bark(choice) == tmp_path / "mine" / "bark"
    assert resolve_hubert(choice) == tmp_path / "mine" / "hubert"
    assert resolve_quantizer(choice, "en") == tmp_path / "mine" / "quantizer.pth"
    assert not hub


@pytest.mark.parametrize(
    "missing", ["bark/config.json", "bark/model.safetensors", "hubert/config.json", "quantizer.pth"]
)
def test_a_missing_file_is_named(hub: list[object], tmp_path: Path, missing: str) -> None:
    (family(tmp_path) / missing).unlink()
    choice = ModelChoice(model=str(tmp_path))

    with pytest.raises(
        Unavailable, match=f"{tmp_path}.*(missing|no model weights|again)|no model weights in {tmp_path}"
    ):
        for resolve in (resolve_bark, resolve_hubert):
            resolve(choice)
        resolve_quantizer(choice, "en")


def test_a_hubert_by_directory_and_by_any_hub_id(hub: list[object], tmp_path: Path) -> None:
    hubert = tiny.hubert()
    tiny.write(hubert, tmp_path / "hubert", tiny.hub_weights(hubert))

    assert resolve_hubert(ModelChoice(hubert=str(tmp_path / "hubert"))) == tmp_path / "hubert"
    resolve_hubert(ModelChoice(hubert="someone/other-hubert@abc"))
    asked = hub[0]
    assert isinstance(asked, Repository)
    assert (asked.name, asked.revision) == ("someone/other-hubert", "abc")


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ModelChoice(model="suno/bark-tiny"), "no model suno/bark-tiny"),
        (ModelChoice(hubert="nonsense"), "no HuBERT nonsense"),
        (ModelChoice(hubert="/no/where"), "no HuBERT /no/where"),
        (ModelChoice(quantizer="best"), "no quantizer best"),
    ],
)
def test_what_does_not_exist_is_named(choice: ModelChoice, said: str, hub: list[object]) -> None:
    with pytest.raises(Unavailable, match=said):
        (resolve_bark(choice), resolve_hubert(choice), resolve_quantizer(choice, "en"))


class TestDevices:
    """On a machine that is made to have two CUDA devices, Apple's GPU, or neither."""

    @pytest.fixture
    def machine(self, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        return monkeypatch

    @pytest.fixture
    def cuda(self, machine: pytest.MonkeyPatch) -> None:
        machine.setattr(torch.cuda, "is_available", lambda: True)
        machine.setattr(torch.cuda, "device_count", lambda: 2)

    def test_auto_falls_back_to_the_cpu(self, machine: pytest.MonkeyPatch) -> None:
        assert pick_device("auto") == pick_device("cpu") == torch.device("cpu")

    def test_auto_takes_apples_gpu(self, machine: pytest.MonkeyPatch) -> None:
        machine.setattr(torch.backends.mps, "is_available", lambda: True)
        assert pick_device("auto") == pick_device("mps") == torch.device("mps")

    def test_auto_takes_cuda(self, cuda: None) -> None:
        assert pick_device("auto") == torch.device("cuda")
        assert pick_device("cuda:1") == torch.device("cuda:1")

    @pytest.mark.parametrize("name", ["cuda:2", "mps"])
    def test_a_device_that_is_not_there_is_named(self, cuda: None, name: str) -> None:
        with pytest.raises(Unavailable, match=f"no device {name}"):
            pick_device(name)

    @pytest.mark.parametrize("name", ["gpu", "", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "mps:0", "auto:0"])
    def test_nonsense_is_refused(self, cuda: None, name: str) -> None:
        with pytest.raises(Unavailable):
            pick_device(name)
