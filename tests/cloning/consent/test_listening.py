"""Real recordings: the sentence in the voice of the clip is a yes; other words, voices and files are not."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from cloning.consent.answer import LEAST_LIKENESS, SpokenAnswer
from cloning.consent.listening import ANSWER_SECONDS, listen
from cloning.media import audio, recordings
from cloning.progress import ProgressReporter
from cloning.watermark.marking import mark
from errors import InvalidInput

PEOPLE = Path(__file__).parents[2] / "media" / "people"
CLIP, OTHER_CLIP = PEOPLE / "allison-clip.ogg", PEOPLE / "june-clip.ogg"
PASSWORD, PIN = PEOPLE / "allison-password.ogg", PEOPLE / "allison-pin.ogg"
SENTENCE = "Please enter your: password, followed, by, pound, key."
"""In the form of a consent sentence, what is said in PASSWORD."""


def heard(answer: Path, scratch: Path, *, clip: Path = CLIP, sentence: str = SENTENCE) -> SpokenAnswer:
    return listen(clip, answer, sentence, ProgressReporter(), memory_mb=1024, scratch=scratch)


def test_the_sentence_in_the_voice_of_the_clip_counts_and_leaves_no_file(tmp_path: Path) -> None:
    found = heard(PASSWORD, tmp_path)
    assert (found.words, found.of, found.statement) == (5, 5, 1.0)
    assert "password" in found.text
    assert found.has_voice
    assert not found.is_generated
    assert found.counts
    assert list(tmp_path.iterdir()) == []


def test_other_words_of_the_same_person_do_not_count(tmp_path: Path) -> None:
    found = heard(PIN, tmp_path)
    assert found.has_voice
    assert not found.has_words
    assert not found.counts


def test_an_earlier_sentence_does_not_fit_a_later_one(tmp_path: Path) -> None:
    found = heard(PASSWORD, tmp_path, sentence="Please enter your: river, basket, tiger, window, lemon.")
    assert found.statement == 1.0
    assert found.words == 0
    assert not found.counts


def test_the_words_in_another_voice_do_not_count(tmp_path: Path) -> None:
    found = heard(PASSWORD, tmp_path, clip=OTHER_CLIP)
    assert found.has_words
    assert not found.has_voice
    assert not found.counts


def test_a_clip_in_which_somebody_else_is_heard_last_does_not_count(tmp_path: Path) -> None:
    """Bark continues the end of a clip."""
    own, other = recordings.read(CLIP), recordings.read(OTHER_CLIP)
    mixed = tmp_path / "mixed.wav"
    length = round(4.5 * other.sample_rate)
    sound = np.concatenate([own.samples, other.samples[:length], np.zeros(length // 4, np.float32)])
    soundfile.write(mixed, sound, own.sample_rate)
    found = heard(PASSWORD, tmp_path, clip=mixed)
    assert found.has_words
    assert found.likeness >= LEAST_LIKENESS
    assert not found.has_voice


def test_generated_speech_is_no_persons_word(tmp_path: Path) -> None:
    spoken = recordings.read(PASSWORD)
    marked = tmp_path / "marked.wav"
    soundfile.write(marked, audio.polish(spoken.samples, spoken.sample_rate, mark), spoken.sample_rate)
    found = heard(marked, tmp_path)
    assert found.has_words
    assert found.is_generated
    assert not found.counts


def test_silence_noise_texts_and_long_recordings_are_refused_in_words(tmp_path: Path) -> None:
    silent, noise, text, long = (tmp_path / name for name in ("silent.flac", "noise.wav", "text.ogg", "long.wav"))
    soundfile.write(silent, np.zeros(64_000, np.float32), 16_000)
    soundfile.write(noise, 0.1 * np.random.default_rng(0).standard_normal(64_000).astype(np.float32), 16_000)
    text.write_text("I agree to a copy of my voice.")
    soundfile.write(long, np.zeros(int((ANSWER_SECONDS + 5) * 8_000), np.float32), 8_000)
    for answer, sentence in (
        (silent, "silence"),
        (noise, "speech"),
        (text, "read|audio|recording"),
        (long, "30 seconds"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            heard(answer, tmp_path)


def test_a_clip_without_speech_is_told_apart_from_the_answer(tmp_path: Path) -> None:
    silent = tmp_path / "silent.flac"
    soundfile.write(silent, np.zeros(64_000, np.float32), 16_000)
    with pytest.raises(InvalidInput, match="is to be cloned"):
        heard(PASSWORD, tmp_path, clip=silent)
