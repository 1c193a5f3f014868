"""Operations are counted as torch counts them, and for LSTMs, which it does not count."""

import pytest

from benchmarks import operations


def test_the_codec_of_every_shape_is_the_real_one() -> None:
    assert operations.of_decoding("tiny") == pytest.approx(4e7, rel=0.1)


def test_a_clone_of_the_quantizer_is_its_weights_for_every_frame() -> None:
    lstm = 4 * 64 * (48 + 64) + 4 * 64 * (64 + 64)
    assert operations.of_cloning("tiny")["quantizer"] == 2 * 500 * (lstm + 64 * 10_000)
