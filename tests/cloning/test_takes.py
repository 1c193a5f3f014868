"""Which take is kept: made-up voices with one fault each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning import takes
from cloning.media.audio import Samples
from cloning.takes import Take, TakeTarget, VoiceFeatures

RATE = 24_000
TEXT = "These are thirty characters ok"
"""Two seconds of English."""


def voice(seconds: float = 2.0, pitch: float = 120.0, brightness: float = 0.8, level: float = 0.3) -> Samples:
    """Harmonics of a pitch that wavers, each `brightness` times as strong as the one below, in syllables."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.03 * np.sin(2 * np.pi * 3 * time))) / RATE
    harmonics = range(1, int(7000 // pitch))
    wave = sum(brightness**number * np.sin(number * phase) for number in harmonics)
    wave = wave * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time))
    return np.asarray(level * wave / np.abs(wave).max(), np.float32)


def take(samples: Samples, *, ended: bool = True) -> Take:
    return Take(samples, RATE, ended)


GOOD = take(voice(2.1, 124.0, 0.79))
NOISE = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
WANTED = TakeTarget(TEXT, "en", VoiceFeatures.of(voice(), RATE))


@pytest.mark.parametrize(
    "worse",
    [
        take(np.zeros(2 * RATE, np.float32)),
        take(np.zeros(0, np.float32)),
        take(np.full(RATE, np.nan, np.float32)),
        take(voice(), ended=False),
        take(voice(7.0)),
        take(voice(0.4)),
        take(np.concatenate([voice(), NOISE, NOISE])),
        take(NOISE),
        take(voice(pitch=210.0)),
        take(voice(pitch=70.0)),
        take(voice(brightness=0.4)),
        take(voice(level=0.01)),
        take(np.clip(voice(level=3.0), -1, 1)),
    ],
    ids=[
        "silent", "empty", "broken", "not ended", "too long", "too short", "noise behind", "noise", "high", "deep",
        "dull", "quiet", "clipped",
    ],
)  # fmt: skip
def test_a_take_with_a_error_loses(worse: Take) -> None:
    assert takes.best([worse, GOOD], WANTED) == 1
    assert takes.best([GOOD, worse], WANTED) == 0


@pytest.mark.parametrize("worse", [take(voice(7.0)), take(voice(), ended=False), take(voice(level=0.01))])
def test_without_a_voice_length_and_level_count(worse: Take) -> None:
    assert takes.best([worse, GOOD], TakeTarget(TEXT, "en", None)) == 1


def test_another_voice_is_another_choice() -> None:
    deep, high = take(voice(pitch=95.0)), take(voice(pitch=220.0))
    for wanted, index in ((100.0, 0), (200.0, 1)):
        assert takes.best([deep, high], TakeTarget(TEXT, "en", VoiceFeatures.of(voice(3.0, wanted), RATE))) == index


def test_none_one_and_equals(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = take(np.zeros(RATE, np.float32))
    assert takes.best([GOOD, GOOD, GOOD], WANTED) == 0
    monkeypatch.setattr(takes, "cost", None)
    assert takes.best([], WANTED) is None
    assert takes.best([silent, silent], WANTED) is None
    assert takes.best([silent, take(voice(9.0))], WANTED) == 1


def test_loudness_is_no_timbre() -> None:
    timbre, pitch = VoiceFeatures.of(voice(level=0.5), RATE).distance(VoiceFeatures.of(voice(level=0.05), RATE))
    assert timbre < 0.01
    assert pitch < 0.1


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_any_rate_will_do(rate: int) -> None:
    features = VoiceFeatures.of(voice(pitch=240.0), rate)
    assert np.isfinite(features.timbre).all()
    assert features.pitch == pytest.approx(240.0 * rate / RATE, rel=0.05)


@given(st.integers(1, 3000), st.integers(0, 9))
def test_any_usable_sound_has_a_cost(length: int, seed: int) -> None:
    sound = np.random.default_rng(seed).uniform(-1, 1, length).astype(np.float32)
    sound[0] = 1.0
    assert np.isfinite(takes.cost(take(sound), WANTED))
