"""The mark in samples: what changes, and what does not."""

from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from cloning.media import audio
from cloning.media.audio import Recording, Samples
from cloning.watermark.checking import check
from cloning.watermark.marking import mark
from tests.media.build import PEOPLE, person, speech


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_speech_of_any_rate_is_found_marked_and_was_not_before(rate: int) -> None:
    plain = speech(rate=rate)[: 4 * rate]
    marked = mark(plain, rate)
    assert check([Recording(plain, rate)]).verdict == "unmarked"
    found = check([Recording(marked, rate)])
    assert found.verdict == "marked"
    assert found.confidence > 0.95
    assert marked.dtype == np.float32


@pytest.mark.parametrize("path", PEOPLE, ids=lambda path: path.stem)
def test_the_recording_of_a_person_is_found_once_it_is_marked_only(path: Path) -> None:
    plain = person(path)
    assert check([Recording(plain, 8_000)]).confidence < 0.5
    assert check([Recording(mark(plain, 8_000), 8_000)]).verdict == "marked"


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40_000), st.sampled_from([16_000, 22_050, 24_000]))
def test_every_length_stays_as_it_is(length: int, rate: int) -> None:
    plain = speech(rate=rate)[8_000 : 8_000 + length]
    marked = mark(plain, rate)
    assert marked.shape == plain.shape
    assert np.isfinite(marked).all()


def test_silence_stays_silence_and_a_pause_stays_nearly_silent() -> None:
    assert not mark(np.zeros(5_000, np.float32), 24_000).any()
    assert mark(np.zeros(0, np.float32), 24_000).size == 0
    words = speech(rate=24_000)[12_000:36_000]
    marked = mark(np.concatenate([words, np.zeros(48_000, np.float32), words]), 24_000)
    assert np.abs(marked[30_000:66_000]).max() < 1e-6


def test_edges_and_all_above_two_kilohertz_stay_as_they_were() -> None:
    plain = speech(rate=24_000)[24_000:96_000]
    change = mark(plain, 24_000) - plain
    assert change[0] == change[-1] == 0
    power = np.abs(np.fft.rfft(change)) ** 2
    hertz = np.fft.rfftfreq(change.size, 1 / 24_000)
    assert power[hertz > 2_100].sum() < 1e-5 * power.sum()
    assert 10 < 10 * np.log10((plain**2).sum() / (change**2).sum()) < 25


def test_the_same_speech_gets_the_same_mark_and_a_weaker_one_changes_less() -> None:
    plain = speech(rate=24_000)[24_000:72_000]
    assert np.array_equal(mark(plain, 24_000), mark(plain, 24_000))
    weaker = mark(plain, 24_000, 0.5) - plain
    assert np.abs(weaker * 2 - (mark(plain, 24_000) - plain)).max() < 1e-6


def test_level_does_not_matter() -> None:
    plain = speech(rate=24_000)[24_000:96_000]
    quiet: Samples = mark(plain * np.float32(0.01), 24_000) * 100
    assert check([Recording(np.clip(quiet, -1, 1), 24_000)]).verdict == "marked"


def test_polished_marked_speech_keeps_loudness_and_peaks() -> None:
    loud = np.clip(speech(rate=24_000)[24_000:96_000] * 8, -1, 1)
    plain, marked = audio.polish(loud, 24_000), audio.polish(loud, 24_000, mark)
    assert marked.size == plain.size
    assert np.abs(soxr.resample(marked, 24_000, 96_000)).max() <= 10 ** (-1 / 20) + 1e-3
    assert audio.loudness(marked, 24_000) == pytest.approx(audio.SPEECH_LUFS, abs=0.3)
    assert check([Recording(marked, 24_000)]).verdict == "marked"
