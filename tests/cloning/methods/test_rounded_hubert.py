"""HuBERT in 8 bits: nearly the same features of the same frames, whatever the sizes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cloning.bark import linear
from cloning.checkpoints.libraries import transformers
from cloning.methods import rounded_hubert
from cloning.methods.hubert import HubertFeatures
from cloning.methods.rounded_hubert import RoundedExtractor, RoundedLinear
from tests.cloning import tiny

CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(not linear.int8_is_supported(), reason="this processor has no instructions for it")


def a_hubert(**changes: Any) -> Any:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 96,
    }
    config = transformers.HubertConfig(**{**sizes, "conv_dim": (32,) * 7, **changes})
    model: Any = transformers.HubertModel(config)
    return model.eval()


def both(model: Any, directory: Path) -> tuple[HubertFeatures, HubertFeatures]:
    tiny.write(model, directory, tiny.hub_weights(model))
    return HubertFeatures(directory, CPU), HubertFeatures(directory, CPU, rounded=True)


def sound(count: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(count)).astype(np.float32)


def error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).norm() / (wanted - wanted.mean(0)).norm())


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", ["gelu", "relu6"])
def test_features_are_nearly_those_of_float32(tmp_path: Path, activation: str, bias: bool) -> None:
    model = a_hubert(feat_extract_activation=activation, conv_bias=bias)
    if bias:
        for layer in model.feature_extractor.conv_layers:
            torch.nn.init.normal_(layer.conv.bias, std=0.1)
    exact, rounded = both(model, tmp_path)
    samples = sound(24_000)
    wanted, found = exact(samples), rounded(samples)
    assert isinstance(rounded._model.feature_extractor, RoundedExtractor)
    assert found.shape == wanted.shape
    assert 0 < error(found, wanted) < 0.15


@pytest.mark.parametrize(("count", "frames"), [(400, 1), (719, 1), (720, 2), (16_000, 49)])
def test_there_are_as_many_frames(tmp_path: Path, count: int, frames: int) -> None:
    _, rounded = both(a_hubert(), tmp_path)
    assert rounded(sound(count)).shape == (frames, 48)


def test_frames_do_not_depend_on_where_pieces_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, rounded = both(a_hubert(), tmp_path)
    samples = sound(16_000)
    wanted = rounded(samples)
    monkeypatch.setattr(rounded_hubert, "_AT_ONCE", 7)
    assert torch.equal(rounded(samples), wanted)


def test_no_convolution_of_samples_is_whole_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For 10 s, HuBERT base would have 65 MB of its first frames, twice."""
    _, rounded = both(a_hubert(), tmp_path)
    lengths: list[int] = []
    activation: Any = rounded._model.feature_extractor._activation
    activation.register_forward_hook(lambda _, given, found: lengths.append(len(found)))
    monkeypatch.setattr(rounded_hubert, "_AT_ONCE", 7)
    rounded(sound(16_000))
    assert max(lengths) == 6 * 2 + 3  # under 7 frames of the second


def test_the_first_convolution_and_its_norm_are_exact(tmp_path: Path) -> None:
    model = a_hubert(num_feat_extract_layers=1, conv_dim=(32,), conv_kernel=(10,), conv_stride=(5,))
    norm = model.feature_extractor.conv_layers[0].layer_norm
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    samples = torch.from_numpy(sound(16_000))[None] + 0.3
    with torch.inference_mode():
        wanted = model.feature_extractor(samples)
        found = RoundedExtractor(model.feature_extractor.conv_layers)(samples)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_rounded_stays_as_it_is(tmp_path: Path) -> None:
    """A convolution of odd width, and one with a norm of each frame, as in HuBERT large."""
    odd = a_hubert(conv_dim=(30,) * 7)
    large = a_hubert(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True)
    for model, folder in ((odd, tmp_path / "odd"), (large, tmp_path / "large")):
        exact, rounded = both(model, folder)
        assert type(rounded._model.feature_extractor) is type(exact._model.feature_extractor)
        layers: Any = rounded._model.encoder.layers
        assert isinstance(layers[0].attention.q_proj, RoundedLinear)
        samples = sound(16_000)
        assert 0 < error(rounded(samples), exact(samples)) < 0.15
