import json
from pathlib import Path

import pytest

from cloning.bark.config import BarkSpec
from cloning.prompt import BARK
from errors import Unavailable


def test_defaults_are_those_of_the_published_models() -> None:
    spec = BarkSpec.from_configs({}, {})
    assert spec.prompt == BARK
    assert (spec.sample_rate, spec.max_text_tokens, spec.max_semantic_tokens) == (24_000, 256, 768)
    assert spec.temperatures == (0.7, 0.7, 0.5)


def test_temperatures_come_from_the_checkpoint() -> None:
    spec = BarkSpec.from_configs({}, {"semantic_config": {"temperature": 0.3}, "fine_acoustics_config": {}})
    assert spec.temperatures == (0.3, 0.7, 0.5)


def test_the_correction_of_envelopes_comes_from_the_checkpoint() -> None:
    assert BarkSpec.from_configs({}, {}).envelope_correction == 0
    assert BarkSpec.from_configs({}, {"envelope_correction": 2}).envelope_correction == 2


@pytest.mark.parametrize("strength", [-1, 5.1, "strong", None, float("nan")])
def test_an_impossible_correction_is_refused(strength: object) -> None:
    with pytest.raises(Unavailable, match="envelope_correction"):
        BarkSpec.from_configs({}, {"envelope_correction": strength})


@pytest.mark.parametrize("temperature", [-0.1, 2.5, "warm", None, float("nan")])
def test_an_impossible_temperature_is_refused(temperature: object) -> None:
    with pytest.raises(Unavailable, match="temperature"):
        BarkSpec.from_configs({}, {"coarse_acoustics_config": {"temperature": temperature}})


@pytest.mark.parametrize(
    "lengths", [(0, 1024), (-1, 1024), (512, 512), (512, 1025), (512, 0)], ids=lambda pair: f"{pair[0]} of {pair[1]}"
)
def test_impossible_windows_of_the_fine_model_are_refused(lengths: tuple[int, int]) -> None:
    history, read = lengths
    fine = {"max_fine_history_length": history, "max_fine_input_length": read}
    with pytest.raises(Unavailable, match="1024 positions"):
        BarkSpec.from_configs({}, {"fine_acoustics_config": fine})


@pytest.mark.parametrize("rate", [0, -50, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(Unavailable, match="rate"):
        BarkSpec.from_configs({}, {"semantic_config": {"semantic_rate_hz": rate}})


def test_values_come_from_the_files(tmp_path: Path) -> None:
    config = {
        "semantic_config": {"block_size": 300},
        "codec_config": {"sampling_rate": 16_000, "upsampling_ratios": [8, 8, 5]},
    }
    generation = {
        "codebook_size": 512,
        "semantic_config": {"semantic_rate_hz": 50.0, "semantic_vocab_size": 306},
        "coarse_acoustics_config": {"coarse_rate_hz": 50},
        "fine_acoustics_config": {"n_fine_codebooks": 6},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "generation_config.json").write_text(json.dumps(generation))
    spec = BarkSpec.from_directory(tmp_path)
    assert (spec.sample_rate, spec.frame_rate, spec.semantic_vocab, spec.fine_books) == (16_000, 50.0, 306, 6)
    assert spec.max_semantic_tokens == 44
    assert spec.frames(100) == 100
    assert spec.semantic_tokens(0.0) == 1
    assert spec.semantic_tokens(0.5) == 25
    assert spec.semantic_tokens(99.0) == 44


def test_frames_are_those_of_the_presets() -> None:
    spec = BarkSpec.from_configs({}, {})
    assert [spec.frames(tokens) for tokens in (0, 1, 158, 346, 499)] == [0, 1, 237, 520, 750]


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 236, 237, 238, 749, 750, 751])
def test_tokens_within_frames_are_the_most_that_fit(frames: int) -> None:
    spec = BarkSpec.from_configs({}, {})
    tokens = spec.semantic_tokens_within(frames)
    assert spec.frames(tokens) <= frames < spec.frames(tokens + 1)


def test_missing_damaged_and_contradictory_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"config\.json is missing"):
        BarkSpec.from_directory(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(Unavailable, match="cannot be read"):
        BarkSpec.from_directory(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(Unavailable, match="not a configuration"):
        BarkSpec.from_directory(tmp_path)
    with pytest.raises(Unavailable, match="contradicts"):
        BarkSpec.from_configs({"codec_config": {"sampling_rate": 16_000}}, {})
    with pytest.raises(Unavailable, match="no room"):
        BarkSpec.from_configs({"semantic_config": {"block_size": 256}}, {})
