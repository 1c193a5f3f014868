"""Our own quantizers look both ways, do not care about padding, and go through a file."""

from pathlib import Path

import pytest
import torch

from cloning.methods.bidirectional import BODIES
from cloning.methods.quantizer_network import OwnInfo, OwnQuantizer, load
from errors import InvalidInput, Unavailable

CPU = torch.device("cpu")


def quantizer(body: str) -> OwnQuantizer:
    torch.manual_seed(0)
    return OwnQuantizer(OwnInfo(6, 8, 20, 2, body)).eval()


@pytest.mark.parametrize("body", BODIES)
def test_what_a_clip_is_padded_with_changes_nothing(body: str) -> None:
    features = torch.randn(2, 30, 6)
    lengths = torch.tensor([30, 17])

    together = quantizer(body).hidden(features, lengths)[1, :17]
    alone = quantizer(body).hidden(features[1:, :17], lengths[1:])[0]

    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("body", BODIES)
def test_the_past_hears_of_the_future(body: str) -> None:
    features = torch.randn(12, 6)
    changed = features.clone()
    changed[8] *= -1

    logits = quantizer(body)(features), quantizer(body)(changed)

    assert not torch.allclose(logits[0][7], logits[1][7])


@pytest.mark.parametrize("body", BODIES)
def test_a_file_holds_all_of_it(body: str, tmp_path: Path) -> None:
    saved, features = quantizer(body), torch.randn(25, 6)
    saved.save(tmp_path / "ours.safetensors")

    loaded = load(tmp_path / "ours.safetensors", CPU)

    assert loaded.info == saved.info
    assert torch.equal(loaded.tokens(features), saved.tokens(features))


def test_the_published_format_has_no_place_for_ours(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="safetensors"):
        quantizer("recurrent").save(tmp_path / "ours.pth")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"body": "recurrent"}', "all of its sizes"),
        ('{"body": "x", "input_size": 6, "hidden_size": 8, "output_size": 20, "layers": 2}', "kind"),
        ('{"body": "recurrent", "input_size": 6, "hidden_size": 6, "output_size": 20, "layers": 2}', "multiple"),
        ('{"body": "recurrent", "input_size": 6, "hidden_size": 8, "output_size": 20, "layers": 0}', "sizes"),
    ],
)
def test_metadata_that_is_wrong_is_refused(text: str, says: str) -> None:
    with pytest.raises(Unavailable, match=says):
        OwnInfo.from_json(text)
