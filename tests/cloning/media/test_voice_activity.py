"""Finding speech: in the clip that ships, and not in noise, tones or silence; levels and clipping per frame."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.media import voice_activity
from cloning.media.audio import Recording, Samples, read_clip, resample
from cloning.media.voice_activity import FRAME_SECONDS, analyse, without_offset
from tests.media.build import tone

CLIP = read_clip(Path(__file__).parents[3] / "simulator" / "media" / "reference.flac")


def noise(seconds: float, level: float = 0.1, rate: int = 24_000) -> Samples:
    return np.random.default_rng(0).normal(0, level, int(seconds * rate)).astype(np.float32)


def spoken(recording: Recording) -> list[tuple[float, float]]:
    return [(start * FRAME_SECONDS, end * FRAME_SECONDS) for start, end in analyse(recording).segments]


def test_the_three_sentences_of_the_clip_are_found() -> None:
    found = spoken(CLIP)
    assert found[0][0] == pytest.approx(0.7, abs=0.1)
    assert found[-1][1] == pytest.approx(10.9, abs=0.2)
    pauses = [later[0] - earlier[1] for earlier, later in pairwise(found)]
    assert sum(pause > 0.5 for pause in pauses) == 2
    assert analyse(CLIP).speech_seconds == pytest.approx(7.4, abs=0.3)


def test_speech_is_found_at_any_level_and_rate() -> None:
    expected = analyse(CLIP).speech_seconds
    assert analyse(Recording(CLIP.samples * 0.02, 24_000)).speech_seconds == pytest.approx(expected, abs=0.5)
    assert analyse(resample(CLIP, 8_000)).speech_seconds == pytest.approx(expected, abs=0.8)
    assert analyse(resample(CLIP, 44_100)).speech_seconds == pytest.approx(expected, abs=0.3)


@pytest.mark.parametrize("samples", [noise(4.0), noise(4.0, 0.001), tone(4.0, 24_000), np.zeros(24_000, np.float32)])
def test_nothing_is_found_where_nobody_speaks(samples: Samples) -> None:
    assert analyse(Recording(samples, 24_000)).segments == ()


def test_short_pauses_are_bridged_and_short_sounds_dropped() -> None:
    speech, pause = [0.9], [0.1]
    assert voice_activity._segments(speech * 10 + pause * 2 + speech * 10) == ((0, 22),)
    assert voice_activity._segments(speech * 10 + pause * 3 + speech * 10) == ((0, 10), (13, 23))
    assert voice_activity._segments(pause * 5 + speech * 7 + pause * 5) == ()
    assert voice_activity._segments([0.45] * 10 + speech * 10 + [0.45] * 10 + pause * 5) == ((10, 30),)


@given(st.lists(st.floats(0, 1), max_size=300))
def test_segments_are_in_order_apart_and_long_enough(probabilities: list[float]) -> None:
    segments = voice_activity._segments(probabilities)
    assert all(start >= 0 and end - start >= 8 and end <= len(probabilities) for start, end in segments)
    assert all(later[0] - earlier[1] >= 3 for earlier, later in pairwise(segments))


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100])
def test_levels_are_decibels_below_full_scale(rate: int) -> None:
    levels = analyse(Recording(tone(2.0, rate, level=0.1), rate)).levels
    assert levels[5:-5] == pytest.approx(20 * np.log10(0.1) - 3.01, abs=0.5)
    assert levels.size == np.ceil(2.0 / FRAME_SECONDS)


def test_a_frame_more_or_less_than_whole_is_measured() -> None:
    for size in (1, 511, 513, 767, 768, 769, 24_001):
        found = analyse(Recording(np.full(size, 0.5, np.float32), 24_000))
        assert np.isfinite(found.levels).all()
        assert found.levels.shape == found.clipped.shape


def test_noise_is_measured_against_speech() -> None:
    found = analyse(Recording(CLIP.samples + noise(20.0, 0.003)[: CLIP.samples.size], 24_000))
    voice = 10 * np.log10(np.mean(CLIP.samples[15_000:57_000] ** 2))
    assert found.noise_db(0, found.levels.size) == pytest.approx(20 * np.log10(0.003) - voice, abs=4)
    clean = analyse(CLIP)
    assert clean.noise_db(0, clean.levels.size) < -60


def test_cut_off_peaks_are_counted_where_they_are() -> None:
    samples = tone(2.0, 24_000, level=0.5)
    samples[24_000:] = np.clip(samples[24_000:] * 4, -1, 1)
    clipped = analyse(Recording(samples, 24_000)).clipped
    assert clipped[:30].max() == 0.0
    assert clipped[-30:].mean() == pytest.approx(2 / 3, abs=0.05)


def test_single_loud_samples_are_not_clipping() -> None:
    samples = noise(1.0, 0.1)
    samples[::100] = 1.0
    assert not analyse(Recording(samples, 24_000)).clipped.any()


def test_an_offset_and_values_that_are_no_numbers_are_removed() -> None:
    samples = np.array([np.nan, np.inf, -np.inf, 0.5] * 100, np.float32)
    clean = without_offset(samples)
    assert np.isfinite(clean).all()
    assert clean.mean() == pytest.approx(0, abs=1e-6)
    assert clean.dtype == np.float32
