"""The tables about spoken consent: who is compared with whom, what counts, and where the rates are equal."""

from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest

from cloning.consent.speaker import Embedding, SpeakerEncoder
from cloning.media import audio
from cloning.media.audio import Recording
from errors import InvalidInput
from research.evaluate import consent
from research.evaluate.consent import (
    MeasuredVoice,
    different,
    equal_error,
    has_words,
    known,
    same,
    synthetic,
    voice_of,
    voice_table,
)
from research.evaluate.heldout import HeldOutVoices, held_out_speakers
from tests.stand_in.synthetic_voice import synthetic_voice
from training.shards import Clip

RATE = 16_000


def voice(person: str, direction: int, pitch: float = 5.0) -> MeasuredVoice:
    embedding = np.eye(4, dtype=np.float32)[direction]
    answers: dict[str, tuple[Embedding, ...]] = dict.fromkeys(("", *consent._TREATED), (embedding,))
    return MeasuredVoice(person, True, (embedding,), answers, pitch)


def test_answers_are_compared_with_clips_of_the_same_person_and_of_every_other() -> None:
    voices = [voice("a", 0), voice("b", 1), voice("c", 1, pitch=4.0)]
    assert [(trial.owner, trial.likeness) for trial in same(voices)] == [("a", 1.0), ("b", 1.0), ("c", 1.0)]
    assert len(different(voices)) == 6
    assert [(trial.owner, trial.speaker) for trial in different(voices, alike=True)] == [("a", "b"), ("b", "a")]


def test_the_rates_are_equal_where_both_sides_err_alike() -> None:
    rate, at = equal_error([0.9, 0.8, 0.7, 0.3], [0.1, 0.2, 0.4, 0.75])
    assert rate == pytest.approx(0.25)
    assert 0.4 < at <= 0.7
    assert equal_error([0.9], [0.1])[0] == 0.0


def test_the_table_counts_held_out_persons_only() -> None:
    voices = [voice("a", 0), voice("b", 1), voice("c", 2), voice("d", 3), voice("e", 0)]
    rows = {row.split("|")[1].strip(): row for row in voice_table(voices, 0.5).splitlines() if row.startswith("|")}
    assert "| 3 | 100.0% |" in rows["same person, sentences"]
    assert "| 6 | 33.3% |" in rows["another person"]  # a and e are one voice
    assert "same person, single letters" not in rows


def test_a_person_is_measured_by_recordings_that_are_not_in_both(tmp_path: Path) -> None:
    for number in range(24):
        tone = synthetic_voice(number, 1.6, 120.0, RATE)
        audio.write(tmp_path / f"{number:02d}.wav", tone, RATE, tags={})
    (tmp_path / "broken.wav").write_bytes(b"nothing")
    measured = voice_of("p", sorted(tmp_path.iterdir()), SpeakerEncoder())
    assert (len(measured.clips), len(measured.answers[""])) == (4, 4)
    assert set(measured.answers) == {"", *consent._TREATED}
    assert not measured.speaks
    with pytest.raises(InvalidInput, match="s of speech"):
        voice_of("p", sorted(tmp_path.iterdir())[:3], SpeakerEncoder())


def test_texts_become_sentences(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    audio.write(tmp_path / "ann" / "one.wav", synthetic_voice(1, 1.0, 120.0, RATE), RATE, tags={})
    audio.write(tmp_path / "ann" / "two.wav", synthetic_voice(2, 1.0, 120.0, RATE), RATE, tags={})
    text = "one: Please enter your password followed by the pound key.\ntwo: Too short.\n; a comment\n"
    (tmp_path / "ann" / "texts.txt").write_text(text)
    [(sentence, recording)] = known(tmp_path)["ann"]
    assert sentence == "please enter your password: followed, by, the, pound, key."
    assert isinstance(recording, Recording)


def test_a_sentence_that_no_voice_can_say_is_replaced_by_another() -> None:
    said: list[tuple[str, str]] = []

    def clip(speaker: str, text: str) -> Clip | None:
        said.append((speaker, text))
        sound, tokens = np.full(2_400, 999, np.int16), np.zeros(5, np.uint16)
        return None if len(said) == 1 else Clip("key", text, speaker, 0, 24_000, sound, tokens)

    held_out = create_autospec(HeldOutVoices, instance=True)
    held_out.clip.side_effect = clip
    found = list(synthetic(held_out, 2))

    first, second = held_out_speakers(2)
    assert [speaker for speaker, _ in said] == [first, first, second]
    assert [sentence.replace(":", ",") for sentence, _ in found] == [text for _, text in said[1:]]
    assert all(recording.seconds == pytest.approx(0.1) for _, recording in found)


def test_words_count_as_they_do_in_the_bot() -> None:
    sentence = "I agree to a copy of my voice: apple, river, tiger, lemon, window."
    said = ["i", "agree", "to", "a", "copy", "of", "my", "voice", "apple", "river", "tiger", "lemon", "window"]
    assert has_words(sentence, said)
    assert has_words(sentence, [word for word in said if word != "tiger"])
    assert not has_words(sentence, said[8:])
    assert not has_words(sentence, [*said, *said, *said])
    assert not has_words(sentence, said[:8])
