"""Loading is strict: whatever is missing, too much or misshapen is named, together with its file."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cloning.checkpoints.weights import load_bark, load_hubert, load_into, load_part, load_state
from errors import Unavailable
from tests.cloning import tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bark() -> Any:
    return tiny.bark()


def same_weights(loaded: Any, original: Any) -> bool:
    state, expected = loaded.state_dict(), original.state_dict()
    return state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in expected)


def own(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the masks, and without the heads that are tied."""
    return {name: t for name, t in weights.items() if not name.endswith(".attn.bias") and ".lm_heads." not in name}


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("old_weight_norm", [True, False])
@pytest.mark.parametrize("complete", [True, False])
def test_bark_loads_in_every_published_spelling(
    bark: Any, tmp_path: Path, file: str, old_weight_norm: bool, complete: bool
) -> None:
    weights = tiny.hub_weights(bark, old_weight_norm)
    tiny.write(bark, tmp_path, weights if complete else own(weights), file)

    assert same_weights(load_bark(tmp_path, torch.float32, CPU), bark)


def packed_again(path: Path) -> None:
    """The same torch file with its members compressed, as a tool for archives makes it."""
    original = path.with_suffix(".original")
    path.rename(original)
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    original.unlink()


def test_a_file_that_was_packed_again_with_compression_has_the_same_weights(tmp_path: Path) -> None:
    state = {"zeros": torch.zeros(5000), "counted": torch.arange(5000.0), "last": torch.ones(3)}
    torch.save(state, tmp_path / "state.pth")
    packed_again(tmp_path / "state.pth")

    loaded = load_state(tmp_path / "state.pth")
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("in_shards", [False, True])
def test_a_model_that_was_packed_again_with_compression_is_the_same(bark: Any, tmp_path: Path, in_shards: bool) -> None:
    tiny.write(bark, tmp_path, tiny.hub_weights(bark), "pytorch_model.bin")
    if in_shards:
        names = torch.load(tmp_path / "pytorch_model.bin").keys()
        (tmp_path / "pytorch_model.bin").rename(tmp_path / "pytorch_model-00001-of-00001.bin")
        index = {"metadata": {}, "weight_map": dict.fromkeys(names, "pytorch_model-00001-of-00001.bin")}
        (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    packed_again(next(tmp_path.glob("*.bin")))

    (tmp_path / "generation_config.json").write_text(json.dumps({"sample_rate": 800}))

    loaded = load_bark(tmp_path, torch.float32, CPU)
    assert same_weights(loaded, bark)
    assert loaded.generation_config.to_dict()["sample_rate"] == 800
    _, codec = load_part(tmp_path, "codec_model.")
    assert torch.equal(
        codec["decoder.layers.0.conv.weight_v"], tiny.hub_weights(bark)["codec_model.decoder.layers.0.conv.weight_v"]
    )


def test_bark_loads_in_shards(bark: Any, tmp_path: Path) -> None:
    bark.save_pretrained(tmp_path, max_shard_size="20KB")

    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert same_weights(load_bark(tmp_path, torch.float32, CPU), bark)
    _, codec = load_part(tmp_path, "codec_model.")
    assert codec.keys() == bark.codec_model.state_dict().keys()


def test_bark_loads_in_another_precision(bark: Any, tmp_path: Path) -> None:
    tiny.write(bark, tmp_path, own(tiny.hub_weights(bark)))

    assert load_bark(tmp_path, torch.bfloat16, CPU).dtype == torch.bfloat16


@pytest.mark.parametrize(
    "name",
    [
        "semantic.lm_head.weight",
        "coarse_acoustics.layers.0.mlp.in_proj.weight",
        "fine_acoustics.input_embeds_layers.3.weight",
        "codec_model.decoder.layers.0.conv.weight_g",
        "codec_model.quantizer.layers.0.codebook.embed",
    ],
)
def test_a_missing_weight_of_bark_is_named(bark: Any, tmp_path: Path, name: str) -> None:
    weights = own(tiny.hub_weights(bark))
    del weights[name]
    tiny.write(bark, tmp_path, weights)

    with pytest.raises(Unavailable, match=name.removesuffix("weight_g")) as raised:
        load_bark(tmp_path, torch.float32, CPU)
    assert "missing" in raised.value.message
    assert str(tmp_path / "model.safetensors") in raised.value.message


def test_an_unexpected_weight_of_bark_is_named(bark: Any, tmp_path: Path) -> None:
    tiny.write(bark, tmp_path, own(tiny.hub_weights(bark)) | {"semantic.extra.weight": torch.zeros(2)})

    with pytest.raises(Unavailable, match=r"unexpected: semantic\.extra\.weight"):
        load_bark(tmp_path, torch.float32, CPU)


def test_a_misshapen_weight_of_bark_is_named(bark: Any, tmp_path: Path) -> None:
    tiny.write(bark, tmp_path, own(tiny.hub_weights(bark)) | {"semantic.lm_head.weight": torch.zeros(3, 8)})

    with pytest.raises(Unavailable, match=r"of another shape: semantic\.lm_head\.weight"):
        load_bark(tmp_path, torch.float32, CPU)


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_a_truncated_file_is_named(bark: Any, tmp_path: Path, file: str) -> None:
    tiny.write(bark, tmp_path, own(tiny.hub_weights(bark)), file)
    data = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(data[: len(data) // 2])

    with pytest.raises(Unavailable, match=file):
        load_bark(tmp_path, torch.float32, CPU)
    with pytest.raises(Unavailable, match=file):
        load_state(tmp_path / file)


def test_a_directory_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no model weights"):
        load_bark(tmp_path, torch.float32, CPU)


def test_hubert_loads_and_misses_nothing(tmp_path: Path) -> None:
    hubert = tiny.hubert()
    weights = tiny.hub_weights(hubert)
    tiny.write(hubert, tmp_path, weights, "pytorch_model.bin")
    assert same_weights(load_hubert(tmp_path), hubert)

    del weights["encoder.layers.1.attention.k_proj.weight"]
    tiny.write(hubert, tmp_path, weights, "pytorch_model.bin")
    with pytest.raises(Unavailable, match=r"missing: encoder\.layers\.1\.attention\.k_proj\.weight"):
        load_hubert(tmp_path)


def test_load_into_takes_both_weight_norms_both_ways() -> None:
    old = nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 3)))
    new = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 3)))
    x = torch.randn(4, 2)

    load_into(new, old.state_dict(), Path("old.pt"))
    assert torch.allclose(old(x), new(x))
    nn.init.normal_(new[0].bias)  # type: ignore[arg-type]  # a Linear's bias
    load_into(old, new.state_dict(), Path("new.pt"))
    assert torch.allclose(old(x), new(x))


def test_load_into_names_at_most_a_few_weights() -> None:
    with pytest.raises(
        Unavailable, match=r"missing: bias, weight; unexpected: w0, w1, w2, w3, w4 and 4 more"
    ) as raised:
        load_into(nn.Linear(2, 3), {f"w{i}": torch.zeros(1) for i in range(9)}, Path("some.pt"))
    assert "some.pt" in raised.value.message


class Bomb:
    """Would run code if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("code in a checkpoint ran",)


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weight": torch.zeros(1), "bomb": Bomb()}, tmp_path / "zip.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"bomb": Bomb()}))

    for name in ("zip.pth", "plain.pth"):
        with pytest.raises(Unavailable, match="damaged or not a model"):
            load_state(tmp_path / name)
    assert "code" not in capsys.readouterr().out


def test_a_file_with_more_than_weights_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1), "epoch": 3}, tmp_path / "training.pt")

    with pytest.raises(Unavailable, match="does not hold a model's weights"):
        load_state(tmp_path / "training.pt")


def test_a_state_survives_both_formats_and_the_old_torch_format(tmp_path: Path) -> None:
    state = {"a": torch.randn(3), "b": torch.arange(4)}
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "a.pth")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)

    for name in ("a.safetensors", "a.pth", "old.pth"):
        loaded = load_state(tmp_path / name)
        assert loaded.keys() == state.keys()
        assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"nothing\.pth is missing"):
        load_state(tmp_path / "nothing.pth")
