"""The bundled codec is an EnCodec: our loader, through the encodec package, and transformers agree on it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cloning.checkpoints.libraries import transformers
from cloning.codec import Codec
from errors import Unavailable
from research.bundled.codec import (
    DECODER,
    ENCODER,
    TEACHER,
    codec_config,
    load_codec,
    new_decoder,
    new_encoder,
    unit_variance,
)
from research.bundled.spectra import HOP, SAMPLE_RATE
from research.bundled.teacher import BOOKS, CODEBOOK_SIZE, LATENT, load_teacher
from tests.cloning import tiny
from tests.research.bundled import material
from training.run_state import write_weights

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A codec's folder as training leaves it, with untrained parts."""
    folder = tmp_path_factory.mktemp("codec")
    torch.manual_seed(0)
    encoder, decoder, teacher = new_encoder(), new_decoder(), material.teacher()
    samples, _ = material.buffer().at(torch.tensor([0, 100]), 80)
    unit_variance(encoder, samples[:, None])
    unit_variance(decoder, teacher.latents(samples).transpose(1, 2), level=0.1)
    with torch.no_grad():
        teacher.quantizer.begin(encoder(samples[:, None]).transpose(1, 2).flatten(0, 1).repeat(4, 1), np_random())
    for name, part in ((TEACHER, teacher), (ENCODER, encoder), (DECODER, decoder)):
        (folder / name).mkdir()
        write_weights(folder / name / "best.safetensors", part)
    return folder


def np_random() -> np.random.Generator:
    return np.random.default_rng(0)


def speech(frames: int = 50) -> np.ndarray:
    samples, _ = material.buffer().at(torch.tensor([200]), frames)
    return samples[0].numpy()


def test_it_has_the_shape_that_was_planned() -> None:
    config = codec_config()
    codec = transformers.EncodecModel(config)

    assert (config.sampling_rate, config.frame_rate, config.hop_length) == (SAMPLE_RATE, 50, HOP)
    assert (config.num_quantizers, config.codebook_size, config.hidden_size) == (BOOKS, CODEBOOK_SIZE, LATENT)
    assert 3.5e6 < sum(parameter.numel() for parameter in codec.parameters()) < 4.5e6


def test_our_loader_and_transformers_agree(runs: Path, tmp_path: Path) -> None:
    reference: Any = load_codec(runs)
    save_file(
        {f"codec_model.{name}": tensor for name, tensor in tiny.hub_weights(reference, True).items()},
        tmp_path / "model.safetensors",
    )
    (tmp_path / "config.json").write_text(json.dumps({"codec_config": reference.config.to_dict()}))
    codec, samples = Codec(tmp_path, CPU), speech()
    with torch.inference_mode():
        codes = reference.encode(torch.from_numpy(samples)[None, None], bandwidth=3.6).audio_codes[0]
        audio = reference.decode(codes[None], [None]).audio_values[0, 0]

    ours = codec.encode(samples)

    assert (codec.sample_rate, codec.frame_rate, codec.codebook_size, codec.books) == (16_000, 50.0, 512, 8)
    assert ours.shape == (8, 50)
    assert len(np.unique(ours[0])) > 3
    assert np.array_equal(ours, codes[0].numpy())
    np.testing.assert_allclose(codec.decode(ours), audio.numpy(), atol=1e-6)


def test_its_codebooks_are_the_teachers(runs: Path) -> None:
    teacher, codec = load_teacher(runs / TEACHER / "best.safetensors", CPU), load_codec(runs)
    with torch.inference_mode():
        latents = codec.encoder(torch.from_numpy(speech())[None, None])
        codes = codec.quantizer.encode(latents, 3.6)[:, 0]

        assert torch.equal(codes, teacher.quantizer.encode(latents.transpose(1, 2))[0])
        torch.testing.assert_close(
            codec.quantizer.decode(codes[:, None]), teacher.quantizer.decode(codes[None]).transpose(1, 2)
        )


def test_untrained_layers_have_unit_variance_and_the_output_the_level_of_speech() -> None:
    torch.manual_seed(0)
    decoder, latents = new_decoder(), torch.randn(4, LATENT, 30)

    unit_variance(decoder, latents, level=0.1)

    with torch.no_grad():
        assert float(decoder(latents).std()) == pytest.approx(0.1, rel=0.1)


def test_a_missing_part_is_named(runs: Path, tmp_path: Path) -> None:
    (tmp_path / TEACHER).mkdir()
    (tmp_path / TEACHER / "best.safetensors").write_bytes((runs / TEACHER / "best.safetensors").read_bytes())

    with pytest.raises(Unavailable, match="encoder"):
        load_codec(tmp_path)
