"""The stand-in: complete, made once, and noise of the right length and loudness."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cloning.checkpoints import libraries
from cloning.checkpoints.weights import load_bark
from cloning.codec import Codec
from cloning.methods import quantizer_network
from cloning.methods.hubert import HubertFeatures
from tests.stand_in import once, random_model
from tests.stand_in.random_model import generation_config, write_model
from tests.stand_in.synthetic_voice import synthetic_voice

CPU = torch.device("cpu")
transformers: Any = libraries.transformers


@pytest.fixture(scope="module")
def bark(stand_in: Path) -> Any:
    return load_bark(stand_in / "bark", torch.float32, CPU)


@pytest.fixture(scope="module")
def codec(stand_in: Path) -> Codec:
    return Codec(stand_in / "bark", CPU)


@pytest.fixture(scope="module")
def tokenizer(stand_in: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(stand_in / "bark")


def test_the_same_libraries_make_the_same_files(stand_in: Path, tmp_path: Path) -> None:
    write_model(tmp_path)

    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} == {
        path.relative_to(stand_in) for path in stand_in.rglob("*")
    }
    for path in tmp_path.rglob("*.safetensors"):
        made, again = (load_file(folder / path.relative_to(tmp_path)) for folder in (stand_in, tmp_path))
        assert made.keys() == again.keys()
        assert all(torch.allclose(made[name], again[name], atol=1e-3) for name in made), path.name


def test_it_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def write(directory: Path) -> None:
        made.append(directory)
        directory.mkdir()

    monkeypatch.setattr(random_model, "write_model", write)
    directories = {once.made_once(tmp_path) for _ in range(2)}
    monkeypatch.setattr(once, "version", lambda name: "99")
    directories.add(once.made_once(tmp_path))

    assert len(made) == len(directories) == 2
    assert all(directory.is_dir() for directory in directories)


def semantic_tokens(bark: Any, tokenizer: Any, text: str, seed: int) -> int:
    ids = tokenizer(text, add_special_tokens=False, padding="max_length", max_length=256, return_tensors="pt")
    classes = transformers.models.bark.generation_configuration_bark
    torch.manual_seed(seed)
    with torch.inference_mode():
        tokens = bark.semantic.generate(
            ids["input_ids"],
            attention_mask=ids["attention_mask"],
            semantic_generation_config=classes.BarkSemanticGenerationConfig(**generation_config()["semantic_config"]),  # type: ignore[arg-type]  # a dict
        )
    return int((tokens != 10_000).sum())


@pytest.mark.parametrize(
    "text", ["Good morning, friends.", "Hello everyone, this is my new voice and it sounds like noise."]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_speech_is_about_as_long_as_its_text(bark: Any, tokenizer: Any, text: str, seed: int) -> None:
    seconds = semantic_tokens(bark, tokenizer, text, seed) / 49.9

    assert 0.7 < seconds / (len(text) / 15) < 1.5


def test_random_codes_are_audible_noise(codec: Codec) -> None:
    samples = codec.decode(np.random.default_rng(0).integers(0, 1024, (8, 150)))

    assert np.isfinite(samples).all()
    assert -30 < 20 * np.log10(samples.std()) < -15
    assert np.abs(samples).max() < 1


def test_codes_and_tokens_follow_the_sound(codec: Codec, stand_in: Path) -> None:
    first, second = (synthetic_voice(seed, 4.0, pitch=140.0) for seed in (11, 12))
    codes = codec.encode(first)
    assert np.mean(codes != codec.encode(second)) > 0.6
    assert min(len(np.unique(book)) for book in codes) > 50

    features = HubertFeatures(stand_in / "hubert", CPU)
    network = quantizer_network.load(stand_in / "quantizer.pth", CPU)
    tokens = [network.tokens(features(synthetic_voice(seed, 4.0, 140.0, 16_000))) for seed in (11, 12)]
    assert len(set(tokens[0].tolist())) > 30
    assert (tokens[0] != tokens[1]).float().mean() > 0.5


@pytest.mark.parametrize("speaker", [0, 1])
def test_the_built_in_speakers_are_prompts_as_bark_wants_them(stand_in: Path, speaker: int) -> None:
    folder = stand_in / "bark" / "speaker_embeddings" / "v2"
    semantic, coarse, fine = (
        np.load(folder / f"en_speaker_{speaker}_{part}_prompt.npy", allow_pickle=False)
        for part in ("semantic", "coarse", "fine")
    )

    assert 0 <= semantic.min() <= semantic.max() < 10_000
    assert fine.shape == (8, int(len(semantic) * 75 / 49.9))
    assert np.array_equal(coarse, fine[:2])
    assert 0 <= fine.min() <= fine.max() < 1024


def test_transformers_own_processor_reads_the_directory(stand_in: Path) -> None:
    processor = transformers.AutoProcessor.from_pretrained(stand_in / "bark")

    inputs = processor("Hello", voice_preset="v2/en_speaker_1")
    assert inputs["history_prompt"]["fine_prompt"].shape[0] == 8
