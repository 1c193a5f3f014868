"""The figures of a quantizer are what they are called."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training.feature_cache import Example
from training.networks import NetworkChoice, initial_network
from training.quantizer_report import BANDS, Predictions, bands, confusion, measure, predict, write_report


def predictions() -> Predictions:
    true = [np.array([1, 1, 2, 3]), np.array([4, 4])]
    guessed = [np.array([1, 2, 2, 3]), np.array([4, 1])]
    among = [np.array([True, True, True, True]), np.array([True, False])]
    return Predictions(true, guessed, among)


def test_accuracy_top_five_and_distances() -> None:
    measured = measure(predictions(), np.array([0, 10, 5, 1, 1]))

    assert measured.frames == 6
    assert measured.accuracy == pytest.approx(4 / 6)
    assert measured.top5 == pytest.approx(5 / 6)
    assert measured.edit_distance == pytest.approx(2 / 6)
    assert measured.runs_distance == pytest.approx(1 / 4)  # 1 2 3 | 4 against 1 2 3 | 4 1


@pytest.mark.parametrize("network", ["v0", "recurrent"])
def test_clips_read_together_are_read_as_each_alone(network: str) -> None:
    random = np.random.default_rng(0)
    examples = [
        Example(random.standard_normal((length, 8)).astype(np.float16), random.integers(0, 20, length))
        for length in (5, 0, 40, 17)
    ]
    quantizer = initial_network(NetworkChoice(network, 16), 8, 20, None, 0).eval()

    together = predict(quantizer, examples, torch.device("cpu"))

    assert [len(one) for one in together.true] == [5, 17, 40]
    for place, number in enumerate((0, 3, 2)):
        logits = quantizer(torch.from_numpy(examples[number].features.astype(np.float32)))
        top = logits.topk(5).indices.numpy()
        assert together.predicted[place].tolist() == top[:, 0].tolist()
        assert together.true[place].tolist() == examples[number].tokens.tolist()
        assert together.among[place].tolist() == (top == examples[number].tokens[:, None]).any(axis=1).tolist()


def test_bands_hold_a_quarter_of_the_frames_each() -> None:
    assert bands(np.array([100, 100, 100, 60, 40, 0])).tolist() == [0, 1, 2, 3, 3, 4]
    assert bands(np.zeros(3, np.int64)).tolist() == [4, 4, 4]


def test_bands_that_do_not_occur_are_left_out() -> None:
    assert set(measure(predictions(), np.array([0, 10, 5, 1, 1])).bands) <= set(BANDS[:-1])


def test_the_commonest_tokens_and_what_they_are_taken_for() -> None:
    shown, shares = confusion(predictions())

    assert shown.tolist() == [1, 4, 2, 3]
    assert shares[0].tolist() == pytest.approx([0.5, 0, 0.5, 0, 0])
    assert np.allclose(shares.sum(axis=1), 1)


def test_a_report_is_a_table_a_picture_and_figures(tmp_path: Path) -> None:
    counts = np.array([0, 10, 5, 1, 1])

    table = write_report(tmp_path, "v0", 26_000_000, {"clean": predictions(), "noisy": predictions()}, counts)

    assert "26,000,000 weights" in table
    assert table.count("66.7%") >= 2
    assert json.loads((tmp_path / "report.json").read_text())["noisy"]["frames"] == 6
    assert (tmp_path / "confusion.png").read_bytes()[:4] == b"\x89PNG"
