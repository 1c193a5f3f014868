"""The speaker encoder on synthetic voices."""

import numpy as np
import pytest

from cloning.media.audio import Recording, resample
from errors import InvalidInput
from research.metrics.speakers import embed, picked, similarity
from tests.stand_in.synthetic_voice import synthetic_voice

LOW, HIGH = 100.0, 220.0


def test_a_voice_is_nearer_to_itself_than_to_another() -> None:
    low, low_again, high = (
        embed(synthetic_voice(seed, 3.0, pitch, 16_000)) for seed, pitch in [(1, LOW), (2, LOW), (3, HIGH)]
    )
    assert similarity(low, low_again) > similarity(low, high)
    assert picked(low_again, [high, low]) == 1


def test_an_embedding_has_length_one_and_ignores_level_and_silence() -> None:
    voice = synthetic_voice(1, 2.0, LOW, 16_000)
    plain = embed(voice)
    assert plain.shape == (256,)
    assert float(np.linalg.norm(plain)) == pytest.approx(1.0, abs=1e-5)
    padded = np.concatenate([voice, np.zeros(32_000, np.float32)])
    assert similarity(plain, embed(padded)) > 0.98
    assert similarity(plain, embed((0.001 * voice).astype(np.float32))) > 0.98


def test_another_sample_rate_is_the_same_voice() -> None:
    voice = Recording(synthetic_voice(1, 2.0, LOW, 24_000), 24_000)
    assert similarity(embed(voice.samples, 24_000), embed(resample(voice, 16_000).samples)) > 0.99


def test_a_clip_shorter_than_one_piece_is_repeated() -> None:
    assert embed(synthetic_voice(1, 0.3, LOW, 16_000)).shape == (256,)


def test_silence_has_no_voice() -> None:
    with pytest.raises(InvalidInput, match="silent"):
        embed(np.zeros(16_000, np.float32))


def test_nobody_is_picked_from_nobody() -> None:
    with pytest.raises(InvalidInput, match="pick"):
        picked(np.ones(256, np.float32), [])
