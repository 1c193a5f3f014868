"""The encodec package with a Bark checkpoint's weights gives what transformers' EnCodec gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cloning.codec import Codec
from errors import InvalidInput, Unavailable
from tests.cloning import tiny

CPU = torch.device("cpu")


def checkpoint(directory: Path, codec_config: dict[str, Any], old_weight_norm: bool = True) -> Any:
    """Write a directory that holds a codec alone, and return the codec in transformers."""
    torch.manual_seed(3)
    codec = tiny.transformers.EncodecModel(tiny.transformers.EncodecConfig(**codec_config)).eval()
    tiny.randomise(codec)
    weights = {f"codec_model.{name}": tensor for name, tensor in tiny.hub_weights(codec, old_weight_norm).items()}
    tiny.write(codec, directory, weights)
    config = {"codec_config": codec.config.to_dict(), "fine_acoustics_config": {"n_codes_total": 8}}
    (directory / "config.json").write_text(json.dumps(config))
    return codec


def noise(count: int) -> np.ndarray:
    return (0.3 * np.random.default_rng(1).standard_normal(count)).astype(np.float32)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Codec, Any]:
    """The true 24 kHz shape: 15 million random weights, 32 codebooks of which Bark uses 8."""
    directory = tmp_path_factory.mktemp("published")
    reference = checkpoint(directory, {"model_type": "encodec"})
    return Codec(directory, CPU), reference


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[Codec, Any]:
    """Residual blocks that add their input itself, which no activation may overwrite."""
    directory = tmp_path_factory.mktemp("identity")
    reference = checkpoint(directory, {**tiny.CODEC, "use_conv_shortcut": False}, old_weight_norm=False)
    return Codec(directory, CPU), reference


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Codec, Any]:
    directory = tmp_path_factory.mktemp("small")
    reference = checkpoint(directory, tiny.CODEC, old_weight_norm=False)
    return Codec(directory, CPU), reference


@pytest.mark.parametrize(
    ("shape", "count"), [("published", 24_000), ("published", 12_345), ("small", 801), ("small", 7), ("identity", 801)]
)
def test_codes_and_samples_equal_those_of_transformers(shape: str, count: int, request: pytest.FixtureRequest) -> None:
    codec, reference = request.getfixturevalue(shape)
    samples = noise(count)
    with torch.inference_mode():
        bandwidth = 6.0 if shape == "published" else 4.8
        codes = reference.encode(torch.from_numpy(samples)[None, None], bandwidth=bandwidth).audio_codes[0]  # (1, 8, T)
        audio = reference.decode(codes[None], [None]).audio_values[0, 0]

    ours = codec.encode(samples)

    assert ours.dtype == np.int64
    assert np.array_equal(ours, codes[0].numpy())
    assert len(np.unique(ours)) > 1
    np.testing.assert_allclose(codec.decode(ours), audio.numpy(), atol=1e-6)


@pytest.mark.parametrize("change", [{}, {"use_causal_conv": False}, {"trim_right_ratio": 0.5}])
def test_clips_decoded_together_sound_as_alone(tmp_path: Path, change: dict[str, Any]) -> None:
    checkpoint(tmp_path, {**tiny.CODEC, **change})
    alone, together = Codec(tmp_path, CPU), Codec(tmp_path, CPU, batched=True)
    random = np.random.default_rng(0)
    clips = [random.integers(0, alone.codebook_size, (8, frames)) for frames in (40, 3, 16, 90, 15)]
    for one, clip in zip(together.decode_together(clips), clips, strict=True):
        np.testing.assert_allclose(one, alone.decode(clip), atol=1e-5)
    for one, clip in zip(alone.decode_together(clips), clips, strict=True):
        assert np.array_equal(one, alone.decode(clip))
    with pytest.raises(InvalidInput, match="out of range"):
        together.decode_together([clips[0], clips[1] + alone.codebook_size])


def test_the_published_shape_is_barks(published: tuple[Codec, Any]) -> None:
    codec, _ = published

    assert (codec.sample_rate, codec.frame_rate, codec.codebook_size, codec.books) == (24_000, 75.0, 1024, 8)
    assert codec.encode(noise(24_000)).shape == (8, 75)
    assert codec.decode(np.zeros((8, 75), np.int64)).shape == (24_000,)
    assert codec.decode(np.zeros((8, 75), np.int64)).dtype == np.float32


def test_the_first_books_alone_and_other_integers_can_be_decoded(small: tuple[Codec, Any]) -> None:
    codec, _ = small
    codes = np.random.default_rng(0).integers(0, 64, (8, 9), dtype=np.int64)

    assert np.array_equal(codec.decode(codes.astype(np.uint16)), codec.decode(codes))
    assert codec.decode(codes[:2]).shape == (72,)


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros((9, 4), np.int64),
        np.zeros((8, 0), np.int64),
        np.zeros(8, np.int64),
        np.full((8, 4), 64),
        np.full((8, 4), -1),
    ],
)
def test_codes_that_are_none_are_refused(small: tuple[Codec, Any], codes: np.ndarray) -> None:
    with pytest.raises(InvalidInput):
        small[0].decode(codes)


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros((2, 8), np.float32)])
def test_no_sound_is_refused(small: tuple[Codec, Any], samples: np.ndarray) -> None:
    with pytest.raises(InvalidInput):
        small[0].encode(samples)


def test_a_whole_bark_checkpoint_gives_its_codec(tmp_path: Path) -> None:
    bark = tiny.bark()
    tiny.write(bark, tmp_path, tiny.hub_weights(bark), "pytorch_model.bin")
    codes = np.random.default_rng(0).integers(0, 64, (8, 5))
    with torch.inference_mode():
        expected = bark.codec_decode(torch.from_numpy(codes)[None])[0].numpy()

    np.testing.assert_allclose(Codec(tmp_path, CPU).decode(codes), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "word"), [("decoder.layers.0.conv.weight_v", "missing"), ("decoder.layers.99.conv.bias", "unexpected")]
)
def test_missing_and_unexpected_weights_are_named(tmp_path: Path, changed: str, word: str) -> None:
    codec = checkpoint(tmp_path, tiny.CODEC)
    weights = {f"codec_model.{name}": tensor for name, tensor in tiny.hub_weights(codec).items()}
    if weights.pop(f"codec_model.{changed}", None) is None:
        weights[f"codec_model.{changed}"] = torch.zeros(1)
    torch.save(weights, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()

    with pytest.raises(Unavailable, match=rf"{word}: decoder\.model\.\d+\.conv\.conv\..*") as raised:
        Codec(tmp_path, CPU)
    assert "pytorch_model.bin" in raised.value.message


@pytest.mark.parametrize(
    "change",
    [{"normalize": True}, {"audio_channels": 2}, {"codebook_size": 1000}, {"codebook_dim": 4}, {"norm_type": "x"}],
)
def test_a_codec_of_another_kind_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    checkpoint(tmp_path, tiny.CODEC)
    (tmp_path / "config.json").write_text(json.dumps({"codec_config": {**tiny.CODEC, **change}}))

    with pytest.raises(Unavailable):
        Codec(tmp_path, CPU)


@pytest.mark.parametrize("config", ["", "[]", '{"codec_config": 3}'])
def test_a_damaged_configuration_is_named(tmp_path: Path, config: str) -> None:
    checkpoint(tmp_path, tiny.CODEC)
    (tmp_path / "config.json").write_text(config)

    with pytest.raises(Unavailable, match="download the model again"):
        Codec(tmp_path, CPU)
