"""Cells, made with an engine that hums and measured by a made-up meter."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cloning.media.audio import read_clip, write
from cloning.methods import registry
from cloning.methods.subject import ClonedPrompt, Subject
from cloning.model_set import LoadedModels
from cloning.progress import ProgressReporter
from errors import InvalidInput, Unavailable
from research.evaluate.references import SpeakerRecordings, TranscribedRecording
from research.evaluate.store import Store
from research.evaluate.trial import Cell, Trial
from tests.cloning.tones import ToneEngine, a_voice, pipeline
from tests.research.evaluate.cells import FakeMeter
from tests.test_architecture import ROOT
from training.shards import Clip

CLIP = ROOT / "simulator" / "media" / "reference.flac"
TEXT = "Hello there, my friend."


class CountingMethod:
    """A method that makes the same voice always, or fails with a sentence."""

    def __init__(self, error: str = "") -> None:
        self.subjects: list[Subject] = []
        self._error = error

    def __call__(self, models: LoadedModels, subject: Subject, reporter: ProgressReporter) -> ClonedPrompt:
        self.subjects.append(subject)
        if self._error:
            raise Unavailable(self._error)
        return ClonedPrompt(a_voice(), "counting")


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> CountingMethod:
    counting = CountingMethod()
    monkeypatch.setitem(registry.METHODS, "counting", counting)
    monkeypatch.setitem(registry.METHODS, "failing", CountingMethod("There is no model."))
    return counting


@pytest.fixture
def references(tmp_path: Path) -> list[SpeakerRecordings]:
    whole = read_clip(CLIP)
    second = whole.sample_rate
    first, other = tmp_path / "first.flac", tmp_path / "other.flac"
    write(first, whole.samples[: 3 * second], second, tags={})
    write(other, whole.samples[3 * second : 6 * second], second, tags={})
    return [
        SpeakerRecordings("ada", TranscribedRecording(first, "welcome to the bar"), (TranscribedRecording(other, ""),)),
        SpeakerRecordings("bea", TranscribedRecording(other, "")),
    ]


def trial(
    folder: Path,
    references: list[SpeakerRecordings],
    meter: FakeMeter,
    engine: ToneEngine | None = None,
    model: Path | None = None,
) -> Trial:
    models = pipeline(engine or ToneEngine(), model).models
    return Trial(models, references, meter, Store(folder / "cells.jsonl", "run"), folder)


def test_a_cell_is_made_measured_and_kept(
    tmp_path: Path, references: list[SpeakerRecordings], method: CountingMethod
) -> None:
    cell = trial(tmp_path, references, FakeMeter()).cloned("counting", "ada", TEXT, 3)
    assert (cell.method, cell.speaker, cell.text, cell.seed, cell.failed) == ("counting", "ada", TEXT, 3, "")
    assert (cell.wrong, cell.words) == (2, 4)
    assert cell.similarities is not None
    assert set(cell.similarities) == {"ada", "bea"}
    assert cell.clone_seconds > 0
    assert cell.say_seconds > 0
    sample = read_clip(tmp_path / cell.sample)
    assert sample.seconds == pytest.approx(cell.seconds)
    (subject,) = method.subjects
    assert (subject.seed, subject.transcript) == (3, "welcome to the bar")


def test_nothing_is_made_twice_even_by_another_process(
    tmp_path: Path, references: list[SpeakerRecordings], method: CountingMethod
) -> None:
    meter, engine = FakeMeter(), ToneEngine()
    first = trial(tmp_path, references, meter, engine)
    cell = first.cloned("counting", "ada", TEXT, 0)
    first.cloned("counting", "ada", "Another line.", 0)
    asked, heard = len(engine.asked), meter.heard
    assert trial(tmp_path, references, meter, engine).cloned("counting", "ada", TEXT, 0) == cell
    assert (len(engine.asked), meter.heard) == (asked, heard)
    assert len(method.subjects) == 1
    first.cloned("counting", "ada", TEXT, 1)
    assert len(method.subjects) == 2


def test_a_failure_is_a_cell_with_a_reason(
    tmp_path: Path, references: list[SpeakerRecordings], method: CountingMethod
) -> None:
    cell = trial(tmp_path, references, FakeMeter()).cloned("failing", "bea", TEXT, 0)
    assert (cell.failed, cell.wrong, cell.words, cell.sample) == ("There is no model.", 4, 4, "")
    silent = trial(tmp_path, references, FakeMeter(), ToneEngine(silent_takes=99))
    assert "no sound" in silent.cloned("counting", "ada", TEXT, 0).failed


def test_the_codec_alone_and_the_built_in_voice(
    stand_in: Path, tmp_path: Path, references: list[SpeakerRecordings]
) -> None:
    made = trial(tmp_path, references, FakeMeter(), model=stand_in)
    spoken = np.random.default_rng(0).normal(0, 3000, 12_000).astype(np.int16)
    coded = made.through_codec(Clip("key", "hello there", "heart", 0, 24_000, spoken, np.zeros(25, np.uint16)))
    assert (coded.method, coded.speaker, coded.text, coded.wrong) == ("codec", "", "hello there", 0)
    assert coded.seconds == pytest.approx(0.5, abs=0.03)
    own = made.built_in(made.models.speakers.names[0], "hello there", 0)
    assert (own.method, own.speaker, own.failed) == ("built-in", "", "")


def test_other_recordings_are_listened_to(tmp_path: Path, references: list[SpeakerRecordings]) -> None:
    ada, bea = trial(tmp_path, references, FakeMeter()).speakers.values()
    assert ada.other is not None
    assert bea.other is None
    assert np.array_equal(ada.other, bea.voice)
    assert ada.log_f0 == 5.0


def test_a_reference_without_speech_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hum.flac"
    write(path, np.zeros(32_000, np.float32), 16_000, tags={})
    with pytest.raises(InvalidInput, match=r"hum\.flac: "):
        assert trial(tmp_path, [SpeakerRecordings("x", TranscribedRecording(path, ""))], FakeMeter()).speakers


def test_stored_cells_read_as_they_were() -> None:
    cell = Cell("quantizer", "ada", TEXT, 1, similarities={"ada": 0.5}, log_f0=5.0)
    assert Cell.of(dataclasses.asdict(cell)) == cell
