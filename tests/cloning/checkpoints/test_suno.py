"""Suno's own checkpoints become a directory in the hub's layout with the same weights."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cloning.checkpoints import suno
from cloning.checkpoints.model_choice import ModelChoice, resolve_bark
from cloning.checkpoints.weights import load_bark
from cloning.codec import Codec
from errors import Unavailable
from tests.cloning import tiny

CPU = torch.device("cpu")
_TO_SUNO = (
    ("layers.", "h."),
    ("layernorm_1", "ln_1"),
    ("layernorm_2", "ln_2"),
    ("layernorm_final", "ln_f"),
    ("att_proj", "c_attn"),
    ("out_proj", "c_proj"),
    ("in_proj", "c_fc"),
    ("position_embeds_layer", "wpe"),
    ("input_embeds_layers", "wtes"),
    ("input_embeds_layer", "wte"),
)


def suno_name(name: str) -> str:
    if name.startswith("input_embeds_layers"):
        return f"_orig_mod.transformer.{name.replace('input_embeds_layers', 'wtes')}"
    for ours, theirs in _TO_SUNO:
        name = name.replace(ours, theirs)
    return f"_orig_mod.{name if name.startswith('lm_head') else f'transformer.{name}'}"


def suno_checkpoint(stage: Any, **changes: Any) -> dict[str, Any]:
    config = stage.config
    arguments = {
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "n_embd": config.hidden_size,
        "block_size": config.block_size,
        "bias": config.bias,
        "input_vocab_size": config.input_vocab_size,
        "output_vocab_size": config.output_vocab_size,
        "dropout": 0.0,
    }
    if hasattr(config, "n_codes_total"):
        arguments |= {"n_codes_total": config.n_codes_total, "n_codes_given": config.n_codes_given}
    weights = {suno_name(name): tensor.clone() for name, tensor in stage.state_dict().items()}
    return {"model_args": {**arguments, **changes}, "model": weights, "best_val_loss": np.float32(2.5)}


def package_codec_name(name: str) -> str:
    """From transformers' EnCodec names to those of the encodec package's 24 kHz file."""
    name = re.sub(r"^quantizer\.layers\.(\d+)\.codebook\.", r"quantizer.vq.layers.\1._codebook.", name)
    name = re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", name)
    transposed = re.match(r"decoder\.model\.(3|6|9|12)\.conv\.", name)
    return name.replace(".conv.", ".convtr.convtr." if transposed else ".conv.conv.")


@pytest.fixture(scope="module")
def bark() -> Any:
    model = tiny.bark()
    model.codec_model = tiny.transformers.EncodecModel(
        tiny.transformers.EncodecConfig()
    ).eval()  # Suno's is always this
    tiny.randomise(model.codec_model)
    return model


@pytest.fixture(scope="module")
def original(bark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("suno")
    for name, stage in (("text_2", bark.semantic), ("coarse", bark.coarse_acoustics), ("fine_2", bark.fine_acoustics)):
        torch.save(suno_checkpoint(stage), directory / f"{name}.pt")
    codec = {package_codec_name(name): tensor for name, tensor in tiny.hub_weights(bark.codec_model).items()}
    torch.save(codec, directory / "encodec_24khz-d7cc33bc.th")
    (directory / "vocab.txt").write_text("[UNK]\na\n")
    return directory


@pytest.fixture
def directory(original: Path, tmp_path: Path) -> Path:
    """A copy, of links, to take something away from."""
    copy = tmp_path / "suno"
    copy.mkdir()
    for path in original.iterdir():
        (copy / path.name).symlink_to(path)
    return copy


def test_a_mix_of_sunos_checkpoints_keeps_every_weight(bark: Any, directory: Path, tmp_path: Path) -> None:
    found = resolve_bark(ModelChoice(model=str(directory), cache=tmp_path / "cache"))
    loaded = load_bark(found, torch.float32, CPU)

    expected = bark.state_dict()
    assert loaded.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())
    assert (found / "vocab.txt").is_file()
    assert loaded.generation_config.to_dict()["semantic_config"]["temperature"] == 0.7
    assert Codec(found, CPU).books == 8


def test_it_is_converted_once_and_again_when_a_file_changes(
    bark: Any, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = suno.converted(directory, tmp_path / "cache")
    made = (first / "config.json").stat().st_mtime_ns
    assert suno.converted(directory, tmp_path / "cache") == first
    assert (first / "config.json").stat().st_mtime_ns == made

    (directory / "coarse.pt").unlink()
    torch.save(suno_checkpoint(bark.coarse_acoustics), directory / "coarse.pt")
    assert suno.converted(directory, tmp_path / "cache") != first
    assert len(list((tmp_path / "cache" / "converted").iterdir())) == 2


@pytest.mark.parametrize("missing", ["text_2.pt", "coarse.pt", "encodec_24khz-d7cc33bc.th", "vocab.txt"])
def test_a_missing_file_is_named(directory: Path, tmp_path: Path, missing: str) -> None:
    (directory / missing).unlink()

    with pytest.raises(Unavailable, match=r"text\.pt|coarse\.pt|encodec_24khz|vocab\.txt"):
        suno.converted(directory, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_oldest_files_have_one_vocabulary_size(bark: Any) -> None:
    config = suno.stage_config({"vocab_size": 12_096, "n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 16})

    assert config["input_vocab_size"] == config["output_vocab_size"] == 12_096
    assert config["num_layers"] == 2


def test_a_fine_head_that_is_not_tied_is_refused(bark: Any, directory: Path, tmp_path: Path) -> None:
    checkpoint = suno_checkpoint(bark.fine_acoustics)
    checkpoint["model"]["_orig_mod.lm_heads.2.weight"] = torch.zeros(66, 8)
    (directory / "fine_2.pt").unlink()
    torch.save(checkpoint, directory / "fine_2.pt")

    with pytest.raises(Unavailable, match=r"unexpected: lm_heads\.2\.weight"):
        suno.converted(directory, tmp_path / "cache")


def test_a_weight_too_few_is_named_when_it_is_loaded(bark: Any, directory: Path, tmp_path: Path) -> None:
    checkpoint = suno_checkpoint(bark.semantic)
    del checkpoint["model"]["_orig_mod.transformer.h.0.ln_1.weight"]
    (directory / "text_2.pt").unlink()
    torch.save(checkpoint, directory / "text_2.pt")

    with pytest.raises(Unavailable, match=r"missing: semantic\.layers\.0\.layernorm_1\.weight"):
        load_bark(suno.converted(directory, tmp_path / "cache"), torch.float32, CPU)


def test_another_file_of_that_name_is_refused(directory: Path, tmp_path: Path) -> None:
    (directory / "text_2.pt").unlink()
    torch.save([1, 2], directory / "text_2.pt")

    with pytest.raises(Unavailable, match="not one of Suno's"):
        suno.converted(directory, tmp_path / "cache")
