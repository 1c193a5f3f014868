"""HuBERT's layer 9 as the quantizers want it: 50 Hz, the waveform as it is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cloning.methods import hubert as features_module
from cloning.methods.hubert import HubertFeatures
from cloning.methods.quantizer_network import token_count
from errors import Unavailable
from tests.cloning import tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tiny.hubert(layers=11)
    return tiny.write(model, tmp_path_factory.mktemp("hubert"), tiny.hub_weights(model), "pytorch_model.bin")


def noise(seconds: float) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * 16_000))).astype(np.float32)


def test_features_are_the_ninth_hidden_state_of_the_waveform_as_it_is(directory: Path) -> None:
    samples = noise(2.0)
    with torch.inference_mode():
        expected = tiny.hubert(layers=11)(torch.from_numpy(samples)[None], output_hidden_states=True).hidden_states[9][
            0
        ]

    features = HubertFeatures(directory, CPU)(samples)

    assert features.shape == (99, 16)
    assert features.dtype == torch.float32
    assert torch.allclose(features, expected, atol=1e-5)


def test_the_ninth_hidden_state_is_the_output_of_nine_layers(directory: Path) -> None:
    model = tiny.hubert(layers=11)
    layer_outputs: list[torch.Tensor] = []
    model.encoder.layers[8].register_forward_hook(
        lambda _module, _input, output: layer_outputs.append(output[0] if isinstance(output, tuple) else output)
    )
    samples = noise(1.0)
    with torch.inference_mode():
        model(torch.from_numpy(samples)[None])

    assert torch.allclose(HubertFeatures(directory, CPU)(samples), layer_outputs[0].reshape(49, 16), atol=1e-5)


def test_layers_that_nobody_reads_are_not_computed(directory: Path) -> None:
    features = HubertFeatures(directory, CPU)

    assert len(features._model.encoder.layers) == 9


def test_a_shallow_hubert_gives_its_last_layer(tmp_path: Path) -> None:
    model = tiny.hubert(layers=2)
    tiny.write(model, tmp_path, tiny.hub_weights(model))
    samples = noise(0.5)
    with torch.inference_mode():
        expected = model(torch.from_numpy(samples)[None]).last_hidden_state[0]

    assert torch.allclose(HubertFeatures(tmp_path, CPU)(samples), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("count", "frames"), [(0, 1), (1, 1), (399, 1), (400, 1), (720, 2), (16_000, 49), (160_000, 499)]
)
def test_frames_come_at_50_hz(directory: Path, count: int, frames: int) -> None:
    assert len(HubertFeatures(directory, CPU)(np.zeros(count, np.float32))) == frames


def test_a_long_clip_is_read_in_pieces_without_losing_frames(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features_module, "_CHUNK", 8_000)
    samples = noise(3.21)

    assert len(HubertFeatures(directory, CPU)(samples)) == (len(samples) - 400) // 320 + 1


def test_features_and_tokens_of_ten_seconds_match_barks_rate(directory: Path) -> None:
    assert token_count(len(HubertFeatures(directory, CPU)(noise(10.0)))) == round(10 * 49.9)


def test_a_missing_hubert_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no model weights"):
        HubertFeatures(tmp_path / "nowhere", CPU)
