"""The whole evaluation with an engine that hums, and the command's refusals."""

import os
from dataclasses import replace
from pathlib import Path
from unittest.mock import call, create_autospec

import numpy as np
import pytest
from typer.testing import CliRunner

from cloning.checkpoints.model_choice import ModelChoice
from cloning.media.audio import read_clip, write
from cloning.methods import registry
from errors import BarkeepError
from research.bundled.kokoro import BUILT_IN
from research.commands import app
from research.evaluate import experiment
from research.evaluate.experiment import ExperimentSettings, evaluate
from research.evaluate.heldout import HeldOutVoices
from research.evaluate.references import SpeakerRecordings, TranscribedRecording
from tests.cloning.tones import ToneEngine, pipeline
from tests.research.evaluate.cells import FakeMeter
from tests.research.evaluate.test_trial import CountingMethod
from tests.test_architecture import ROOT
from training.shards import Clip

TEXTS = ("hello there", "Something else.")


@pytest.fixture
def settings(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentSettings:
    monkeypatch.setitem(registry.METHODS, "quantizer", CountingMethod())
    monkeypatch.setitem(registry.METHODS, "transcript", CountingMethod("The words are not known."))
    models = pipeline(ToneEngine(), stand_in).models
    monkeypatch.setattr(experiment, "LoadedModels", lambda choice: models)
    choice = ModelChoice(model=str(stand_in), device="cpu")
    return ExperimentSettings(choice, ("quantizer", "transcript"), TEXTS, sentences=1, seeds=2)


@pytest.fixture
def held_out() -> HeldOutVoices:
    """Recordings of the first text; the second has a word that is not known."""

    def clip(speaker: str, text: str) -> Clip | None:
        sound, tokens = np.full(12_000, 999, np.int16), np.zeros(25, np.uint16)
        return Clip("key", text, speaker, 0, 24_000, sound, tokens) if text == TEXTS[0] else None

    voices: HeldOutVoices = create_autospec(HeldOutVoices, instance=True)
    voices.clip.side_effect = clip  # type: ignore[attr-defined]  # of the mock
    return voices


@pytest.fixture
def references(tmp_path: Path) -> list[SpeakerRecordings]:
    whole = read_clip(ROOT / "simulator" / "media" / "reference.flac")
    rate = whole.sample_rate
    for number in range(2):
        write(tmp_path / f"{number}.flac", whole.samples[3 * number * rate : 3 * (number + 1) * rate], rate, tags={})
    return [
        SpeakerRecordings(str(number), TranscribedRecording(tmp_path / f"{number}.flac", "words"))
        for number in range(2)
    ]


def test_every_method_speaker_and_seed_is_measured_once(
    settings: ExperimentSettings, references: list[SpeakerRecordings], held_out: HeldOutVoices, tmp_path: Path
) -> None:
    meter = FakeMeter()
    results = evaluate(settings, references, references, held_out, meter, tmp_path / "out")
    assert {name: len(cells) for name, cells in results.methods.items()} == {
        "quantizer": 4,
        "transcript": 4,
        "built-in": 2,
        "codec": 1,
    }
    assert {cell.failed for cell in results.methods["transcript"]} == {"The words are not known."}
    assert results.facts["voices"] == "2, 1 of 2 sentences each, 2 seeds"
    rows = {goal.name: goal for goal in results.goals}
    built_in = rows["word error of the built-in voices, 2 held-out sentences"]
    assert built_in.measured is not None
    assert "the codec alone 0.0 %" in built_in.beside
    assert rows["DNSMOS of the codec alone"].measured is not None
    assert held_out.clip.mock_calls == [call("heart", TEXTS[0]), call("emma", TEXTS[1])]  # type: ignore[attr-defined]
    assert rows["quantizer frame accuracy on held-out voices"].met == "not measured"
    assert rows["real recordings: the right one of 2 is picked"].measured is not None
    heard = meter.heard
    again = evaluate(settings, references, references, held_out, meter, tmp_path / "out")
    assert (again.methods, meter.heard) == (results.methods, heard)


def test_built_in_voices_take_turns_and_a_model_without_them_speaks_in_its_first_one() -> None:
    pairs = experiment._built_in_voices(("Emma", "Heart", "Michael", "Puck"))
    assert pairs == [("Heart", "heart"), ("Emma", "emma"), ("Michael", "michael"), ("Puck", "puck")]
    other = experiment._built_in_voices(("announcer", "v2/de_speaker_0"))
    assert other == [("announcer", voice) for voice in BUILT_IN]


def test_without_english_recordings_the_codec_is_not_measured(
    settings: ExperimentSettings, references: list[SpeakerRecordings], tmp_path: Path
) -> None:
    results = evaluate(settings, references, None, None, FakeMeter(), tmp_path / "out")
    assert results.methods.keys() == {"quantizer", "transcript", "built-in"}
    assert {goal.name: goal.met for goal in results.goals}["DNSMOS of the codec alone"] == "not measured"


def test_only_another_content_of_a_model_is_measured_anew(
    settings: ExperimentSettings, references: list[SpeakerRecordings], tmp_path: Path
) -> None:
    meter, quantizer = FakeMeter(), tmp_path / "quantizer.pth"
    settings = replace(settings, choice=replace(settings.choice, quantizer=str(quantizer)))
    heard: list[int] = []
    for content in (b"one", b"one", b"other"):
        quantizer.write_bytes(content)
        os.utime(quantizer, (len(heard), len(heard)))
        evaluate(settings, references, None, None, meter, tmp_path / "out")
        heard.append(meter.heard)
    assert heard[0] == heard[1]
    assert heard[2] == 2 * heard[0]


def test_another_precision_or_preset_is_measured_by_itself(
    settings: ExperimentSettings, references: list[SpeakerRecordings], tmp_path: Path
) -> None:
    meter = FakeMeter()
    heard: list[int] = []
    given = settings.choice
    for choice in (given, replace(given, dtype="int8"), replace(given, preset="fast"), given):
        changed = replace(settings, choice=choice)
        evaluate(changed, references, None, None, meter, tmp_path / "out")
        heard.append(meter.heard)
    assert heard[1:] == [2 * heard[0], 3 * heard[0], 3 * heard[0]]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--methods", "quantizer,magic"), "no method magic"),
        (("--methods", " , "), "no method given"),
        (("--converter", "magic"), "'magic'"),
        (("--language", "xx"), "'xx'"),
        (("--language", "de"), "--references"),
        (("--texts", "/nowhere.txt"), "nowhere"),
        (("--dtype", "float8"), "'float8'"),
        (("--preset", "slow"), "'slow'"),
        (("--kokoro-voices", "/nowhere.tgz"), "npm pack kokoro-js"),
    ],
)
def test_what_cannot_be_evaluated_is_told(arguments: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "--out", str(tmp_path), *arguments])
    assert isinstance(result.exception, BarkeepError)
    assert problem in result.exception.message
