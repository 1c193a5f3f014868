"""Clips come to the codec's rate as they are and stretched, with their times, and nothing is made twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from errors import InvalidInput
from research.bundled.kokoro import BUILT_IN
from research.bundled.kokoro import SAMPLE_RATE as SAID_RATE
from research.bundled.phones import frame_tokens, phones
from research.bundled.spectra import HOP, SAMPLE_RATE
from research.bundled.stretched import as_said_by, speakers_of, write_corpus
from training.shards import Clip, ClipShards, ShardWriter, split_of

PHONEMES = "həlˈO ðˈɛɹ, jˈu."
DURATIONS = np.full(len(PHONEMES) + 2, 5)
TONE = 1000.0
TRAINED = ("stretched", "stretched-3", "warped-2")
"""The copies of the speaker that `drawn` returns which are trained on."""


def said(key: str, speaker: str) -> Clip:
    """A tone that lasts as long as the durations."""
    time = np.arange(int(DURATIONS.sum()) * SAID_RATE // 40) / SAID_RATE
    audio = np.round(8000 * np.sin(2 * np.pi * TONE * time)).astype(np.int16)
    facts = {"phonemes": PHONEMES, "durations": DURATIONS.tolist()}
    return Clip(key, "Hello there, you.", speaker, 0, SAID_RATE, audio, frame_tokens(PHONEMES, DURATIONS).tokens, facts)


def frequency(clip: Clip) -> float:
    """Of the loudest bin, in Hz."""
    assert clip.audio is not None
    spectrum = np.abs(np.fft.rfft(clip.audio * np.hanning(len(clip.audio))))
    return float(spectrum.argmax() * SAMPLE_RATE / len(clip.audio))


def drawn(split: str) -> str:
    """A speaker of this split of whose copies the second and the fourth would not be trained on."""
    names = (f"speaker-{number}" for number in range(10_000))
    copies = ("stretched", "stretched-2", "stretched-3", "warped", "warped-2")
    wanted = [True, False, True, False, True]
    return next(
        name
        for name in names
        if split_of(name) == split and [split_of(f"{name}-{copy}") == "train" for copy in copies] == wanted
    )


def test_a_clip_keeps_what_it_is_at_another_rate() -> None:
    clip = said("one", "heart")
    taken = as_said_by(clip, "heart")

    assert (taken.key, taken.speaker, taken.sample_rate) == ("one", "heart", SAMPLE_RATE)
    assert taken.audio is not None
    assert len(taken.audio) == HOP * len(taken.semantic)
    assert np.array_equal(taken.semantic, clip.semantic)
    assert frequency(taken) == pytest.approx(TONE, rel=1e-3)


def test_a_stretched_clip_is_higher_or_lower_and_as_much_shorter_or_longer() -> None:
    clip = said("one", "a")
    ways = [as_said_by(clip, f"a{number}-stretched") for number in range(12)]

    for taken in ways:
        higher = taken.facts["higher"]
        assert 1.05 < max(higher, 1 / higher) < 1.21
        assert taken.audio is not None
        assert len(taken.audio) == HOP * len(taken.semantic)
        assert len(taken.semantic) == pytest.approx(len(clip.semantic) / higher, abs=1)
        assert sum(taken.facts["durations"]) == pytest.approx(DURATIONS.sum() / higher, rel=1e-3)
        assert frequency(taken) == pytest.approx(TONE * higher, rel=2e-3)
        assert phones(taken.semantic) == phones(clip.semantic)
    assert len({taken.facts["higher"] > 1 for taken in ways}) == 2


def test_a_speaker_has_a_level_of_its_own() -> None:
    clips = [as_said_by(said("one", name), name) for name in ("a", "b", "a")]
    levels = [20 * np.log10(np.sqrt(np.mean((clip.audio / 32_768.0) ** 2))) for clip in clips if clip.audio is not None]

    assert all(-26.1 < level < -19.9 for level in levels)
    assert levels[0] == levels[2] != levels[1]


def test_a_copy_has_an_equaliser_of_its_speakers_own() -> None:
    def balance(key: str, name: str) -> float:
        clip = said(key, "a")
        time = np.arange(int(DURATIONS.sum()) * SAID_RATE // 40) / SAID_RATE
        tones = sum(4000 * np.sin(2 * np.pi * TONE * times * time) for times in (1, 2))
        taken = as_said_by(replace(clip, audio=np.round(tones).astype(np.int16)), name)
        assert taken.audio is not None
        spectrum = np.abs(np.fft.rfft(taken.audio * np.hanning(len(taken.audio))))
        places = [round(TONE * times * taken.facts["higher"] * len(taken.audio) / SAMPLE_RATE) for times in (1, 2)]
        low, high = (spectrum[place - 3 : place + 4].max() for place in places)
        return float(20 * np.log10(high / low))

    copies = [balance("one", f"a{number}-stretched") for number in range(12)]

    assert balance("one", "a") == pytest.approx(0, abs=0.1)
    assert balance("two", "a0-stretched") == pytest.approx(copies[0], abs=0.1)
    assert 0.5 < np.std(copies) < 8


def test_a_warped_copy_has_formants_of_its_speakers_own() -> None:
    def moved(key: str, speaker: str, copy: str) -> float:
        """By which factor the formant is moved, beside the stretching; as its logarithm."""
        clip = said(key, speaker)
        time = np.arange(int(DURATIONS.sum()) * SAID_RATE // 40) / SAID_RATE
        harmonics = 50.0 * np.arange(1, 80)
        sound = sum(np.cos(2 * np.pi * one * time) / (1 + ((one - TONE) / 100) ** 2) for one in harmonics)
        taken = as_said_by(
            replace(clip, audio=np.round(2000 * np.asarray(sound)).astype(np.int16)), f"{speaker}-{copy}"
        )
        return float(np.log(frequency(taken) / (TONE * taken.facts["higher"])))

    warped = [moved("one", f"a{number}", "warped") for number in range(12)]
    stretched = [moved("one", f"a{number}", "stretched") for number in range(12)]

    assert np.std(warped) > 0.1
    assert np.std(stretched) < 0.05
    assert max(abs(one) for one in warped) < np.log(1.25) + np.log(1.2) + 0.05
    assert moved("two", "a0", "warped") == pytest.approx(warped[0], abs=0.01)


def test_only_drawn_speakers_that_train_are_stretched() -> None:
    name = drawn("train")
    assert list(speakers_of(name)) == [name, *(f"{name}-{copy}" for copy in TRAINED)]
    assert list(speakers_of(drawn("test"))) == [drawn("test")]
    assert list(speakers_of(BUILT_IN[0])) == [BUILT_IN[0]]


def test_nothing_is_made_twice_and_what_comes_later_is_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speaker = drawn("train")
    for key in ("one", "two"):
        with ShardWriter(tmp_path / "speech", 5) as writer:
            writer.add(said(key, speaker))
        write_corpus(tmp_path / "speech", tmp_path / "corpus")

    made = [name for key in ("one", "two") for name in (key, *(f"{key}-{copy}" for copy in TRAINED))]
    assert ClipShards(tmp_path / "corpus").keys == made
    assert capsys.readouterr().out == "made 4 clips from 1\nmade 4 clips from 2\n"


def test_a_clip_without_sound_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no sound"):
        as_said_by(replace(said("one", "a"), audio=None), "a")
