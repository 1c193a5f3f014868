"""Weights are told from others under the same name, and large files are hashed once."""

import hashlib
import shutil
from pathlib import Path
from unittest import mock

import pytest

from cloning.checkpoints import identity
from cloning.checkpoints.identity import digest_of
from errors import Unavailable
from tests.cloning import tiny


@pytest.fixture
def model(tmp_path: Path) -> Path:
    bark = tiny.bark()
    return tiny.write(bark, tmp_path / "model", tiny.hub_weights(bark))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_it_is_that_of_the_content_and_not_of_the_name(model: Path, cache: Path) -> None:
    digest = digest_of(model, cache)
    assert len(digest) == 64
    assert digest_of(Path(shutil.copytree(model, model.with_name("copy"))), cache) == digest


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "generation_config.json"])
def test_other_weights_or_another_configuration_have_another(model: Path, cache: Path, name: str) -> None:
    before = digest_of(model, cache)
    other = tiny.bark(1)
    if name == "model.safetensors":
        tiny.write(other, model, tiny.hub_weights(other))
    else:
        (model / name).write_text('{"codebook_size": 63}')
    assert digest_of(model, cache) != before


def test_shards_count(cache: Path, tmp_path: Path) -> None:
    tiny.bark().save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    before = digest_of(tmp_path / "shards", cache)
    last = sorted((tmp_path / "shards").glob("*-of-*.safetensors"))[-1]
    last.write_bytes(last.read_bytes() + b" ")
    assert digest_of(tmp_path / "shards", cache) != before


def test_what_the_hub_has_hashed_is_not_hashed_again(model: Path, cache: Path) -> None:
    weights = model / "model.safetensors"
    name = hashlib.sha256(weights.read_bytes()).hexdigest()
    plain = digest_of(model, cache)
    blob = weights.rename(model.parent / name)
    weights.symlink_to(blob)
    with mock.patch.object(identity, "_hashed", autospec=True, side_effect=identity._hashed) as hashed:
        assert digest_of(model, cache / "other") == plain
    assert blob not in [call.args[0] for call in hashed.call_args_list]


def test_files_are_hashed_once_unless_they_are_written_again(model: Path, cache: Path) -> None:
    with mock.patch.object(identity, "_hashed", autospec=True, side_effect=identity._hashed) as hashed:
        assert digest_of(model, cache) == digest_of(model, cache)
        assert hashed.call_count == 2
        (model / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes())
        digest_of(model, cache)
    assert hashed.call_count == 3


def test_a_cache_that_cannot_be_written_costs_only_time(model: Path, cache: Path) -> None:
    cache.write_text("in the way of the folder")
    assert digest_of(model, cache) == digest_of(model, cache)


def test_a_missing_file_is_named(model: Path, cache: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(Unavailable, match="no model weights"):
        digest_of(model, cache)
