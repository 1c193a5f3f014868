"""The bundled model: complete, small, and noise of the right length and loudness."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cloning import libraries, quantizer
from cloning.checkpoints import load_bark
from cloning.codec import Codec
from cloning.features import HubertFeatures
from cloning.models import BUNDLED_DIRECTORY
from training.random_model import generation_config, write_model
from training.synthetic_voice import synthetic_voice

CPU = torch.device("cpu")
transformers: Any = libraries.transformers


@pytest.fixture(scope="module")
def bark() -> Any:
    return load_bark(BUNDLED_DIRECTORY / "bark", torch.float32, CPU)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(BUNDLED_DIRECTORY / "bark", CPU)


def test_the_files_are_those_of_the_checksums() -> None:
    listed = {}
    for line in (BUNDLED_DIRECTORY / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        listed[name] = digest
    files = {path for path in BUNDLED_DIRECTORY.rglob("*") if path.is_file() and path.name != "SHA256SUMS"}

    assert {path.relative_to(BUNDLED_DIRECTORY).as_posix() for path in files} == listed.keys()
    for path in files:
        name = path.relative_to(BUNDLED_DIRECTORY).as_posix()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == listed[name], name
    assert sum(path.stat().st_size for path in files) < 12e6


def test_the_script_makes_the_same_model_again(tmp_path: Path, bark: Any) -> None:
    """The same files, and the same weights where no sum is rounded: the codec's may differ between processors."""
    write_model(tmp_path)

    again = load_bark(tmp_path / "bark", torch.float32, CPU).state_dict()
    assert all(
        torch.allclose(tensor, again[name]) for name, tensor in bark.state_dict().items() if "codec_model" not in name
    )
    assert again.keys() == bark.state_dict().keys()
    names = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    assert names == {path.relative_to(BUNDLED_DIRECTORY) for path in BUNDLED_DIRECTORY.rglob("*")}


def semantic_tokens(bark: Any, text: str, seed: int) -> int:
    ids = transformers.AutoTokenizer.from_pretrained(BUNDLED_DIRECTORY / "bark")(
        text, add_special_tokens=False, padding="max_length", max_length=256, return_tensors="pt"
    )
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
def test_speech_is_about_as_long_as_its_text(bark: Any, text: str, seed: int) -> None:
    seconds = semantic_tokens(bark, text, seed) / 49.9

    assert 0.7 < seconds / (len(text) / 15) < 1.5


def test_random_codes_are_audible_noise(codec: Codec) -> None:
    samples = codec.decode(np.random.default_rng(0).integers(0, 1024, (8, 150)))

    assert np.isfinite(samples).all()
    assert -30 < 20 * np.log10(samples.std()) < -15
    assert np.abs(samples).max() < 1


def test_codes_and_tokens_follow_the_sound(codec: Codec) -> None:
    first, second = (synthetic_voice(seed, 4.0, pitch=140.0) for seed in (11, 12))
    codes = codec.encode(first)
    assert np.mean(codes != codec.encode(second)) > 0.6
    assert min(len(np.unique(book)) for book in codes) > 50

    features = HubertFeatures(BUNDLED_DIRECTORY / "hubert", CPU)
    network = quantizer.load(BUNDLED_DIRECTORY / "quantizer.pth", CPU)
    tokens = [network.tokens(features(synthetic_voice(seed, 4.0, 140.0, 16_000))) for seed in (11, 12)]
    assert len(set(tokens[0].tolist())) > 30
    assert (tokens[0] != tokens[1]).float().mean() > 0.5


@pytest.mark.parametrize("speaker", [0, 1])
def test_the_built_in_speakers_are_prompts_as_bark_wants_them(speaker: int) -> None:
    folder = BUNDLED_DIRECTORY / "bark" / "speaker_embeddings" / "v2"
    semantic, coarse, fine = (
        np.load(folder / f"en_speaker_{speaker}_{part}_prompt.npy", allow_pickle=False)
        for part in ("semantic", "coarse", "fine")
    )

    assert 0 <= semantic.min() <= semantic.max() < 10_000
    assert fine.shape == (8, int(len(semantic) * 75 / 49.9))
    assert np.array_equal(coarse, fine[:2])
    assert 0 <= fine.min() <= fine.max() < 1024


def test_transformers_own_processor_reads_the_directory() -> None:
    processor = transformers.AutoProcessor.from_pretrained(BUNDLED_DIRECTORY / "bark")

    inputs = processor("Hello", voice_preset="v2/en_speaker_1")
    assert inputs["history_prompt"]["fine_prompt"].shape[0] == 8
