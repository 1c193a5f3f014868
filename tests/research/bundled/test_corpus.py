"""A corpus is the same however it is made, keeps held-out speakers and sentences apart, and goes on after a stop."""

import multiprocessing
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest

from errors import Unavailable
from research.bundled import corpus
from research.bundled.corpus import ClipMaker, ClipRequest, Plan, clip_requests
from research.bundled.kokoro import BUILT_IN, SAMPLES_PER_DURATION
from research.bundled.phones import Pronouncer, frame_tokens
from training.shards import ClipShards, split_of

PLAN = Plan(speakers=120, clips_per_speaker=3, built_in_clips=100, texts=900)
TEXTS = [f"Sentence number {number}." for number in range(1000)]


@pytest.fixture(scope="module")
def studio(archive: Path) -> ClipMaker:
    return ClipMaker(archive)


@pytest.fixture
def few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes that make clips get few texts and are threads, so that no library is loaded anew."""
    monkeypatch.setattr(corpus, "sentences", lambda: ["I am here.", "You are there."])
    monkeypatch.setattr(corpus, "number_sentences", lambda: ["We like two dogs."])


def test_orders_keep_speakers_and_sentences_apart() -> None:
    made = list(clip_requests("speech", PLAN, TEXTS))
    drawn = [order for order in made if order.speaker not in BUILT_IN]

    assert len({order.key for order in made}) == len(made) == 460
    assert all(split_of(order.speaker) == split_of(order.text) for order in drawn)
    assert {split_of(order.speaker) for order in drawn} == {"train", "valid", "test"}
    assert len({order.speaker for order in drawn}) == 120


def test_the_built_in_voices_read_all_kinds_all_along() -> None:
    made = list(clip_requests("speech", PLAN, TEXTS))
    places = [place for place, order in enumerate(made) if order.speaker in BUILT_IN]

    assert len(places) == 100
    assert max(np.diff(places)) <= 4
    assert {split_of(made[place].text) for place in places} == {"train", "valid", "test"}
    assert Counter(made[place].speaker for place in places) == dict.fromkeys(BUILT_IN, 25)


def test_orders_of_text_say_every_sentence_once() -> None:
    made = list(clip_requests("text", PLAN, TEXTS))

    assert len({order.text for order in made}) == len(made) == 900


def test_a_recording_is_aligned_and_the_same_every_time(studio: ClipMaker) -> None:
    order = ClipRequest("speaker-1-0", "speaker-1", "We like the red dog.")
    clip, again = studio.record(order), studio.record(order)

    assert clip is not None and again is not None and clip.audio is not None
    assert np.array_equal(clip.audio, again.audio)  # type: ignore[arg-type]  # it has sound, like the other
    assert len(clip.audio) == SAMPLES_PER_DURATION * sum(clip.facts["durations"])
    assert sum(clip.facts["voices"].values()) == pytest.approx(1, abs=1e-3)
    phonemes = clip.facts["phonemes"]
    assert phonemes == Pronouncer()(order.text)
    assert np.array_equal(frame_tokens(phonemes, np.array(clip.facts["durations"])).tokens, clip.semantic)


def test_timing_alone_needs_no_sound(studio: ClipMaker) -> None:
    clip = studio.time(ClipRequest("text-1", "text-1", "We like the red dog."))

    assert clip is not None
    assert clip.audio is None
    assert len(clip.semantic) == sum(clip.facts["durations"]) * 50 // 40


def test_what_cannot_be_pronounced_is_left_out(studio: ClipMaker) -> None:
    order = ClipRequest("text-1", "text-1", "The blorptwix is here.")

    assert studio.record(order) is None
    assert studio.time(order) is None


def work(folder: Path, plan: Plan, voices: Path, number: int, processes: int) -> int:
    """One process's share, in this process; how many clips it has gone through."""
    done = multiprocessing.get_context("spawn").Value("q", 0)
    corpus._work("speech", folder, plan, voices, number, processes, done)
    return int(done.value)


@pytest.mark.usefixtures("few_texts")
def test_another_number_of_processes_makes_the_same_and_goes_on(tmp_path: Path, archive: Path) -> None:
    plan = Plan(speakers=2, clips_per_speaker=1, built_in_clips=1, texts=3)
    one, two = tmp_path / "one", tmp_path / "two"

    assert work(one, plan, archive, 0, 1) == 3
    assert work(two, plan, archive, 0, 2) == 2
    assert work(two, plan, archive, 0, 1) == 3

    alone, shared = ClipShards(one), ClipShards(two)
    assert sorted(alone.keys) == sorted(shared.keys)
    assert len(shared) == 3
    for place, key in enumerate(alone.keys):
        other = shared[shared.keys.index(key)]
        assert np.array_equal(alone[place].audio, other.audio)  # type: ignore[arg-type]  # both have sound


@pytest.mark.usefixtures("few_texts")
def test_a_process_ends_when_the_recipe_was_killed(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(speakers=2, clips_per_speaker=1, built_in_clips=1, texts=3)
    recipe = create_autospec(BaseProcess, instance=True)
    recipe.is_alive.side_effect = [True, False]
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: recipe)

    assert work(tmp_path / "speech", plan, archive, 0, 1) == 1
    assert len(ClipShards(tmp_path / "speech")) == 1


def test_a_process_that_ends_early_is_told_of(tmp_path: Path, archive: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(Unavailable, match="stopped early"):
        corpus.make("text", tmp_path / "file", PLAN, archive)
    assert "0 of about 900 clips" in capfd.readouterr().out
