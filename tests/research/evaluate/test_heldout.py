"""Held-out speakers and sentences, really made."""

import math
from pathlib import Path

import pytest

from cloning.media.audio import read_clip
from research.evaluate.heldout import (
    REFERENCE_SECONDS,
    built_in_clip,
    held_out_sentences,
    held_out_speakers,
    labelled_clips,
    labelled_command,
    labelled_pairs,
    write_references,
)
from research.evaluate.references import read_references
from research.metrics.pitch import log_f0
from training.shards import read_shards, recording_of, split_of


def test_nothing_of_it_is_trained_on() -> None:
    assert {split_of(name) for name in held_out_speakers(12)} == {"test"}
    sentences = held_out_sentences()
    assert len(set(sentences)) == 30
    assert {split_of(sentence) for sentence in sentences} == {"test"}


def test_references_are_two_recordings_of_a_speaker(tmp_path: Path) -> None:
    write_references(tmp_path, voices=1)
    (reference,) = read_references(tmp_path)
    clips = [read_clip(take.path) for take in (reference.take, *reference.others)]
    assert len(clips) == 2
    assert all(clip.seconds >= REFERENCE_SECONDS for clip in clips)
    one, other = (log_f0(clip.samples, clip.sample_rate) for clip in clips)
    assert one is not None
    assert other is not None
    assert math.exp(abs(one - other)) < 1.15
    assert not set(held_out_sentences()) & {take.transcript for take in (reference.take, *reference.others)}
    before = reference.take.path.stat().st_mtime_ns
    write_references(tmp_path, voices=1)
    assert reference.take.path.stat().st_mtime_ns == before


def test_labels_are_as_long_as_the_sound() -> None:
    clip = next(labelled_clips(1))
    assert recording_of(clip).seconds == pytest.approx(clip.semantic.size / 50, abs=0.03)


def test_the_built_in_voice_says_what_it_can() -> None:
    clip = built_in_clip("He walked with unsteady steps.")
    assert clip is not None
    assert clip.speaker == "built-in"
    assert built_in_clip("He xqzwrt bfgtk.") is None


def test_pairs_are_two_sentences_of_one_speaker() -> None:
    for first, second in labelled_pairs(3):
        assert first.speaker == second.speaker
        assert first.text != second.text


def test_labelled_clips_are_written_once(tmp_path: Path) -> None:
    labelled_command(tmp_path, 1)
    first = [clip.key for clip in read_shards(tmp_path)]

    labelled_command(tmp_path, 1)

    assert first == [clip.key for clip in labelled_clips(1)]
    assert [clip.key for clip in read_shards(tmp_path)] == first
