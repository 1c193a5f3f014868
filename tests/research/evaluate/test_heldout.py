"""Held-out speakers and sentences, really made, with drawn styles in place of Kokoro's."""

from pathlib import Path

import pytest

from cloning.media.audio import read_clip
from errors import Unavailable
from research.bundled.kokoro import BUILT_IN, RESERVED, SAMPLE_RATE
from research.evaluate import heldout
from research.evaluate.heldout import HeldOutVoices, held_out_sentences, held_out_speakers, labelled_command
from research.evaluate.references import read_references
from training.shards import read_shards, recording_of, split_of

SECONDS = 2.0
"""The minimum length of a reference here: speech takes time to make."""


@pytest.fixture(scope="module")
def voices(archive: Path) -> HeldOutVoices:
    return HeldOutVoices(archive)


@pytest.fixture(autouse=True)
def short_references(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heldout, "REFERENCE_SECONDS", SECONDS)


def test_nothing_of_it_is_trained_on() -> None:
    assert {split_of(name) for name in held_out_speakers(12)} == {"test"}
    sentences = held_out_sentences()
    assert len(set(sentences)) == 60
    assert {split_of(sentence) for sentence in sentences} == {"test"}


def test_references_are_two_recordings_of_a_speaker(voices: HeldOutVoices, tmp_path: Path) -> None:
    voices.write_references(tmp_path, speakers=1)
    (reference,) = read_references(tmp_path)
    takes = (reference.take, *reference.others)
    clips = [read_clip(take.path) for take in takes]

    assert reference.speaker == held_out_speakers(1)[0]
    assert len(clips) == 2
    assert all(clip.seconds >= SECONDS and clip.sample_rate == SAMPLE_RATE for clip in clips)
    assert takes[0].transcript != takes[1].transcript
    assert not set(held_out_sentences()) & {take.transcript for take in takes}

    before = reference.take.path.stat().st_mtime_ns
    voices.write_references(tmp_path, speakers=1)
    assert reference.take.path.stat().st_mtime_ns == before


def test_labels_are_as_long_as_the_sound_and_pairs_are_two_sentences(
    voices: HeldOutVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heldout, "REFERENCE_SECONDS", 5.0)
    ((first, second),) = voices.labelled_pairs(1)

    for clip in (first, second):
        assert clip.speaker == held_out_speakers(1)[0]
        assert recording_of(clip).seconds == pytest.approx(clip.semantic.size / 50, abs=0.03)
        largest = max(clip.facts["voices"], key=clip.facts["voices"].get)
        assert largest in RESERVED
    assert first.text != second.text


def test_a_voice_says_what_it_can(voices: HeldOutVoices) -> None:
    clip = voices.clip(BUILT_IN[0], "He walked with unsteady steps.")

    assert clip is not None
    assert (clip.speaker, clip.text, clip.sample_rate) == (BUILT_IN[0], "He walked with unsteady steps.", SAMPLE_RATE)
    assert clip.facts["voices"] == {"af_heart": 1.0}
    assert voices.clip(BUILT_IN[0], "He xqzwrt bfgtk.") is None


def test_labelled_clips_are_written_once(archive: Path, tmp_path: Path) -> None:
    labelled_command(tmp_path, 1, archive)
    first = list(read_shards(tmp_path))

    labelled_command(tmp_path, 1, archive)

    assert {clip.speaker for clip in first} == {held_out_speakers(1)[0]}
    assert [clip.key for clip in read_shards(tmp_path)] == [clip.key for clip in first]


def test_without_the_archive_it_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="npm pack kokoro-js"):
        HeldOutVoices(tmp_path / "nothing.tgz")
