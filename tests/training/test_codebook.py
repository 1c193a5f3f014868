"""Clusters get the tokens they meet most often, and are measured like quantizers."""

import numpy as np
import pytest

from errors import InvalidInput
from training.codebook import fit, predict
from training.feature_cache import CLEAN, Example
from training.quantizer import Corpus
from training.quantizer_report import measure

PLACES = np.array([[0, 0], [8, 0], [0, 8], [8, 8]])


def examples(count: int, seed: int = 0) -> list[Example]:
    """Each place has a token, which is another in one frame of ten."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        place = random.integers(0, 4, 40)
        tokens = np.where(random.random(40) < 0.1, 9, place + 2)
        made.append(Example((PLACES[place] + random.normal(0, 0.3, (40, 2))).astype(np.float16), tokens))
    return made


def corpus() -> Corpus:
    return Corpus([examples(10)], {CLEAN: examples(4, 1)}, 2, 12)


def test_clusters_have_the_commonest_token_of_their_frames() -> None:
    fitted = fit(corpus(), 4, seed=0)

    assert sorted(fitted.codebook.codes.tolist()) == [2, 3, 4, 5]
    assert (fitted.commonest[:, 1] == 9).all()


def test_the_same_seed_makes_the_same_codebook() -> None:
    first, second = fit(corpus(), 4, seed=3), fit(corpus(), 4, seed=3)

    assert first.codebook.centroids.equal(second.codebook.centroids)


def test_it_is_measured_as_quantizers_are() -> None:
    fitted = fit(corpus(), 4, seed=0)

    measured = measure(predict(fitted, corpus().valid[CLEAN]), corpus().counts())

    assert measured.accuracy == pytest.approx(0.9, abs=0.07)
    assert measured.top5 == 1.0


def test_more_clusters_than_frames_are_refused() -> None:
    with pytest.raises(InvalidInput, match="400 frames cannot make 500"):
        fit(corpus(), 500, seed=0)
