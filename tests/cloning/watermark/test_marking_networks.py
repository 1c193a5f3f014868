"""The networks and their weights."""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import torch

from cloning.watermark import marking
from cloning.watermark.marking import BINS, Detector, Marker, confidence, perth, sounding
from errors import Unavailable


def test_the_packages_weights_fit_and_nothing_of_the_package_runs() -> None:
    loaded = perth()
    assert loaded is perth()
    assert not any(weight.requires_grad for weight in loaded.marker.parameters())
    assert "perth" not in sys.modules


def test_silent_frames_are_neither_changed_nor_heard() -> None:
    levels = torch.full((1, 513, 40), 0.6)
    levels[:, :, 10:20] = 0.0
    assert sounding(levels)[0].tolist() == [1.0] * 10 + [0.0] * 10 + [1.0] * 20
    change = perth().marker(levels)
    assert change.shape == (1, BINS, 40)
    assert not change[:, :, 10:20].any()
    assert change[:, :, :10].any()


def test_nothing_but_silence_is_no_mark_and_no_nan() -> None:
    levels = torch.zeros(1, 513, 40)
    assert not perth().marker(levels).any()
    assert torch.isfinite(perth().detector(levels)).all()


@pytest.mark.parametrize("frames", [1, 2, 3, 50, 151])
def test_any_number_of_frames_has_an_answer_for_each(frames: int) -> None:
    told = perth().detector(torch.rand(2, 257, frames))
    assert told.shape == (2, 3, 2, frames)
    assert torch.isfinite(confidence(told.mean(-1))).all()


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Unavailable, match="resemble-perth is missing"):
        perth.__wrapped__()


@pytest.mark.parametrize("content", ["none", "other", "damaged"])
def test_a_file_that_is_not_the_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    path = tmp_path / marking._FILE
    path.parent.mkdir(parents=True)
    if content == "damaged":
        path.write_bytes(b"PK\x03\x04 and no more")
    elif content == "other":
        torch.save({"model": {"encoder.layers.0.conv.weight": torch.zeros(1)}}, path)
    spec = ModuleSpec("perth", None)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(Unavailable):
        perth.__wrapped__()


def test_a_stretch_is_judged_by_means_over_its_frames() -> None:
    told = torch.tensor([[9.0, 1.0], [0.0, 0.0], [0.0, 0.0]])  # the first branch says that it applies
    assert confidence(told) == pytest.approx(1.0, abs=1e-3)
    assert confidence(told.flip(0)) == pytest.approx(1.0, abs=1e-3)
    assert isinstance(perth().marker, Marker)
    assert isinstance(perth().detector, Detector)
