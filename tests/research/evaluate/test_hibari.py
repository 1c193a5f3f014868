"""Drawn speakers say the same phonemes at the times that are told, each in a voice that never changes."""

import numpy as np
import pytest
from hibari.tts import Hibari
from hypothesis import given
from hypothesis import strategies as st

from cloning.media.audio import Recording
from research.evaluate import hibari
from research.evaluate.hibari import BUILT_IN, SAMPLE_RATE, HibariSpeaker, HibariSynthesiser
from training.shards import split_of

PHONEMES = "ðə pˈipᵊl ɹəklˈAmd ðə mˈɑɹʃᵻz."
TEXT = "The people reclaimed the marshes."


@pytest.fixture(scope="module")
def synthesiser() -> HibariSynthesiser:
    return HibariSynthesiser()


def speak(
    synthesiser: HibariSynthesiser, speaker: HibariSpeaker, seed: int = 0, speed: float = 1.0
) -> hibari.HibariUtterance:
    return synthesiser.speak(PHONEMES, speaker, np.random.default_rng(seed), speed=speed)


def median_pitch(samples: np.ndarray) -> float:
    """By autocorrelation, in the loudest frames."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::160]
    loud = frames[np.argsort((frames**2).sum(axis=1))[-30:]]
    lags = np.arange(32, 240)
    strengths = np.array([[(f[:-lag] * f[lag:]).sum() / (640 - lag) for lag in lags] for f in loud])
    return float(SAMPLE_RATE / np.median(lags[strengths.argmax(axis=1)]))


@given(st.text())
def test_a_name_always_means_the_same_speaker_within_bounds(name: str) -> None:
    speaker = HibariSpeaker.drawn(name)

    assert speaker == HibariSpeaker.drawn(name)
    assert 0.8 <= speaker.tract <= 1.18
    assert 78 <= speaker.pitch <= 300
    assert 0.87 <= speaker.speed <= 1.18
    assert -26 <= speaker.level <= -20


def test_speakers_differ_and_the_built_in_voice_is_hibaris() -> None:
    assert len({HibariSpeaker.drawn(f"speaker-{number}") for number in range(50)}) == 50
    assert HibariSpeaker.drawn(BUILT_IN) == HibariSpeaker(BUILT_IN)
    assert split_of(BUILT_IN) == "train"


def test_sound_lasts_as_long_as_its_durations(synthesiser: HibariSynthesiser) -> None:
    said = speak(synthesiser, HibariSpeaker.drawn("somebody"))

    assert len(said.durations) == len(PHONEMES) + 2
    assert len(said.samples) == said.durations.sum() * SAMPLE_RATE // 40
    assert said.samples.dtype == np.float32
    assert np.abs(said.samples).max() <= 0.95


def test_the_same_seed_sounds_the_same(synthesiser: HibariSynthesiser) -> None:
    speaker = HibariSpeaker.drawn("somebody")

    assert np.array_equal(speak(synthesiser, speaker).samples, speak(synthesiser, speaker).samples)
    assert not np.array_equal(speak(synthesiser, speaker).samples, speak(synthesiser, speaker, seed=1).samples)


def test_the_built_in_voice_has_hibaris_spectrum(synthesiser: HibariSynthesiser) -> None:
    ours = speak(synthesiser, HibariSpeaker.drawn(BUILT_IN)).samples
    theirs = Hibari().from_phonemes(PHONEMES, seed=0)

    def spectrum(samples: np.ndarray, rate: int) -> np.ndarray:
        power = np.abs(np.fft.rfft(samples)) ** 2
        edges = (np.arange(1, 16) * 500 * len(samples) / rate).astype(int)  # up to 7.5 kHz
        bands = np.log10([band.mean() for band in np.split(power, edges)[:-1]])
        return np.asarray(bands - bands.mean())

    assert np.abs(spectrum(ours, SAMPLE_RATE) - spectrum(theirs, 24_000)).max() < 0.2


@pytest.mark.parametrize("pitch", [90.0, 150.0, 260.0])
def test_the_pitch_is_the_speakers(synthesiser: HibariSynthesiser, pitch: float) -> None:
    samples = speak(synthesiser, HibariSpeaker("x", pitch=pitch, pitch_range=0.3)).samples

    assert median_pitch(samples) == pytest.approx(pitch, rel=0.12)


@pytest.mark.parametrize("tract", [0.82, 1.0, 1.15])
def test_the_tract_moves_the_formants(tract: float) -> None:
    formant = np.zeros((601, 1), np.float32)
    formant[100] = 1  # at 2000 Hz

    moved = hibari._Warp(HibariSpeaker("x", tract=tract))(formant)

    assert moved.argmax() * 20 == pytest.approx(2000 * tract, abs=30)


def test_the_level_is_the_speakers(synthesiser: HibariSynthesiser) -> None:
    loud, soft = (speak(synthesiser, HibariSpeaker("x", level=level)).samples for level in (-22.0, -28.0))

    assert 20 * np.log10(np.sqrt(np.mean(soft**2))) == pytest.approx(-28, abs=0.1)
    assert 20 * np.log10(np.sqrt(np.mean(loud**2))) == pytest.approx(-22, abs=0.1)


def test_too_long_or_foreign_phonemes_do_not_fit(synthesiser: HibariSynthesiser) -> None:
    assert synthesiser.fits(PHONEMES)
    assert not synthesiser.fits(PHONEMES * 20)
    assert not synthesiser.fits("□")


def test_a_drawn_speaker_is_understood(synthesiser: HibariSynthesiser) -> None:
    from research.metrics.recogniser import Whisper, word_errors

    whisper = Whisper()
    for name in (BUILT_IN, "speaker-00077"):
        heard = whisper(Recording(speak(synthesiser, HibariSpeaker.drawn(name)).samples, SAMPLE_RATE))
        assert word_errors(TEXT, heard).wrong <= 1
