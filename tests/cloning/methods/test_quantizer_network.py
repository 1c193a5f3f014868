"""The quantizer reads and writes the published format, and gives each frame its likeliest token."""

import json
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from cloning.methods.quantizer_network import OwnInfo, Quantizer, QuantizerInfo, build, load, read_info, token_count
from errors import Unavailable

CPU = torch.device("cpu")
SMALL = {0: QuantizerInfo(6, 8, 20, 0), 1: QuantizerInfo(6, 8, 20, 1)}


def quantizer(version: int = 0) -> Quantizer:
    torch.manual_seed(version)
    return Quantizer(SMALL[version]).eval()


class Published(nn.Module):
    """The public network, written down from its checkpoints: what must be able to read our files."""

    def __init__(self, hidden_size: int, input_size: int, output_size: int, version: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, 2, batch_first=True)
        if version == 1:
            self.intermediate = nn.Linear(hidden_size, 4096)
        self.fc = nn.Linear(4096 if version == 1 else hidden_size, output_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.lstm(x)[0]
        if hasattr(self, "intermediate"):
            out = self.intermediate(out)
        return torch.log_softmax(self.fc(out), dim=1)


def read_as_published(path: Path) -> Published:
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/.info"))
        info = json.loads(archive.read(name))
    network = Published(info["hidden_size"], info["input_size"], info["output_size"], info["version"])
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


@pytest.mark.parametrize("version", [0, 1])
def test_the_published_code_reads_our_file(version: int, tmp_path: Path) -> None:
    ours = quantizer(version)
    ours.save(tmp_path / "mine.pth")
    features = torch.randn(30, 6)

    theirs = read_as_published(tmp_path / "mine.pth")(features).argmax(dim=1)

    assert torch.equal(ours.tokens(features), theirs)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("name", ["q.pth", "q.safetensors"])
def test_saving_and_loading_changes_nothing(version: int, name: str, tmp_path: Path) -> None:
    saved = quantizer(version)
    saved.save(tmp_path / name)

    loaded = load(tmp_path / name, CPU)

    assert loaded.info == saved.info
    assert not loaded.training
    assert all(torch.equal(tensor, loaded.state_dict()[key]) for key, tensor in saved.state_dict().items())


def test_the_same_weights_make_the_same_file(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        quantizer().save(tmp_path / folder / "q.pth")

    assert (tmp_path / "a" / "q.pth").read_bytes() == (tmp_path / "b" / "q.pth").read_bytes()


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("way", ["zip", "old pickle", "safetensors"])
def test_without_info_the_sizes_and_the_version_are_those_of_the_weights(
    version: int, way: str, tmp_path: Path
) -> None:
    saved = quantizer(version)
    path = tmp_path / ("q.safetensors" if way == "safetensors" else "q.pth")
    if way == "safetensors":
        save_file(saved.state_dict(), path)
    else:
        torch.save(saved.state_dict(), path, _use_new_zipfile_serialization=way == "zip")
    features = torch.randn(30, 6)

    assert read_info(path) == SMALL[version]
    assert torch.equal(load(path, CPU).tokens(features), saved.tokens(features))


def test_the_published_sizes_are_found_without_info(tmp_path: Path) -> None:
    torch.save(Published(1024, 768, 10_000, 1).state_dict(), tmp_path / "old.pth")

    assert read_info(tmp_path / "old.pth") == QuantizerInfo(768, 1024, 10_000, 1)


def test_our_own_network_without_its_sizes_is_refused_in_a_sentence(tmp_path: Path) -> None:
    save_file(build(OwnInfo(6, 8, 20, 1, "recurrent")).state_dict(), tmp_path / "q.safetensors")

    with pytest.raises(Unavailable, match=r"q\.safetensors does not name the sizes"):
        load(tmp_path / "q.safetensors", CPU)


def test_a_version_that_does_not_match_the_weights_is_named(tmp_path: Path) -> None:
    torch.save(quantizer(0).state_dict(), tmp_path / "q.pth")
    with zipfile.ZipFile(tmp_path / "q.pth", "a") as archive:
        archive.writestr("q/.info", SMALL[1].to_json())

    with pytest.raises(Unavailable, match=r"missing: intermediate\.bias"):
        load(tmp_path / "q.pth", CPU)


def test_tokens_are_the_likeliest_of_each_frame() -> None:
    network, features = quantizer(), torch.randn(40, 6)
    tokens = network.tokens(features)

    logits = network(features)
    assert tokens.dtype == torch.int64
    assert torch.equal(tokens, logits.argmax(dim=1))
    assert torch.equal(network(features[None])[0], logits)
    assert len(set(tokens.tolist())) > 1


def test_tokens_of_a_lower_precision_are_accepted() -> None:
    assert quantizer().tokens(torch.randn(4, 6, dtype=torch.float64)).shape == (4,)


@pytest.mark.parametrize("shape", [(40, 5), (1, 40, 6)])
def test_features_of_another_hubert_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(Unavailable, match="the HuBERT that the quantizer was trained on"):
        quantizer().tokens(torch.randn(*shape))


@pytest.mark.parametrize(("frames", "tokens"), [(0, 0), (1, 1), (199, 199), (499, 499), (749, 748), (1499, 1497)])
def test_a_clip_has_as_many_tokens_as_its_seconds(frames: int, tokens: int) -> None:
    assert token_count(frames) == tokens


@given(st.integers(0, 5000), st.floats(10, 50))
def test_tokens_follow_the_rate_and_never_exceed_the_frames(frames: int, rate: float) -> None:
    count = token_count(frames, rate)

    assert 0 <= count <= frames
    assert abs(count - frames / 50 * rate) < 2


sizes = st.integers(1, 1 << 17)


@given(st.builds(QuantizerInfo, sizes, sizes, sizes, st.sampled_from([0, 1])))
def test_info_survives_json(info: QuantizerInfo) -> None:
    assert QuantizerInfo.from_json(info.to_json()) == info


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
almost_info = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("input_size", "hidden_size", "output_size", "version"), json_values | sizes)
)


@given(st.text() | st.binary() | (json_values | almost_info).map(json.dumps))
def test_any_info_is_read_or_refused_in_a_sentence(text: str | bytes) -> None:
    try:
        info = QuantizerInfo.from_json(text)
    except Unavailable as refusal:
        assert refusal.message.endswith(".")
    else:
        assert info.version in (0, 1)
        assert all(1 <= size <= 1 << 17 for size in (info.input_size, info.hidden_size, info.output_size))


def test_a_huge_info_is_not_read(tmp_path: Path) -> None:
    torch.save(quantizer().state_dict(), tmp_path / "q.pth")
    with zipfile.ZipFile(tmp_path / "q.pth", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("q/.info", " " * 10_000_000)

    with pytest.raises(Unavailable, match="too long"):
        read_info(tmp_path / "q.pth")


@pytest.mark.parametrize("name", ["q.pth", "q.safetensors"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    quantizer().save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:100] + b"?" * 50 + data[300:])

    with pytest.raises(Unavailable, match=name):
        load(tmp_path / name, CPU)
