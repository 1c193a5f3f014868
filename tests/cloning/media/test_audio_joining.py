import numpy as np
import pytest

from cloning.media import audio
from cloning.media.audio import Samples

RATE = 24_000


def tone(seconds: float, level: float = 0.3) -> Samples:
    wave: Samples = (level * np.sin(np.arange(round(seconds * RATE)) * 0.1)).astype(np.float32)
    return wave


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


@pytest.mark.parametrize(
    ("take", "usable"),
    [
        (tone(0.5), True),
        (tone(0.5, 0.01), True),
        (tone(0.5, 0.0005), False),
        (silence(1.0), False),
        (np.zeros(0, np.float32), False),
        (np.array([0.3, np.nan, 0.3], np.float32), False),
        (np.array([0.3, np.inf, 0.3], np.float32), False),
    ],
)
def test_what_counts_as_sound(take: Samples, usable: bool) -> None:
    assert audio.is_usable(take) is usable


def test_silence_around_speech_is_cut_and_inside_is_kept() -> None:
    take = np.concatenate([silence(1.0), tone(0.5), silence(0.4), tone(0.5), silence(2.0)])
    trimmed = audio.trim(take, RATE)
    assert 1.4 <= trimmed.size / RATE <= 1.4 + 2 * 0.06 + 0.04
    assert trimmed[0] == trimmed[-1] == 0


def test_a_take_without_silence_keeps_its_length() -> None:
    take = tone(0.333)
    assert audio.trim(take, RATE).size == take.size


def test_takes_are_joined_at_one_loudness_with_the_pauses_asked_for() -> None:
    loud, quiet = tone(1.0, 0.5), tone(1.0, 0.02)
    joined = audio.join([audio.polish(take, RATE) for take in (loud, quiet)], [audio.gap(0.5)], RATE)
    assert joined.dtype == np.float32
    assert joined.size / RATE == pytest.approx(2.0 + 0.5 - 0.12, abs=0.01)
    first, second = joined[2400:21_600], joined[-21_600:-2400]
    assert np.sqrt((first**2).mean()) == pytest.approx(np.sqrt((second**2).mean()), rel=0.05)
    assert np.abs(joined).max() < 1


def test_one_take_has_no_pause() -> None:
    assert audio.join([tone(1.0)], [], RATE).size == RATE
