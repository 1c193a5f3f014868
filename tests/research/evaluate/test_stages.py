"""What each stage loses: measured with the bundled model, from the codec's tokens on to the text."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cloning.checkpoints.model_choice import ModelChoice
from cloning.media.audio import Recording
from cloning.model_set import LoadedModels
from errors import InvalidInput
from research.bundled.phones import SEMANTIC_SIZE, TOKEN_RATE
from research.evaluate import stages
from research.evaluate.references import SpeakerRecordings, TranscribedRecording, write_manifest
from research.evaluate.stages import WAYS, Stages, measured, table
from tests.research.evaluate.cells import FakeMeter, a_cell, a_voice
from tests.test_architecture import ROOT
from training.shards import Clip

CLIP = ROOT / "simulator" / "media" / "reference.flac"


@pytest.mark.timeout(400)  # the bundled model speaks, which takes long on a busy machine
def test_every_stage_of_the_bundled_model_is_measured(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("speaker-1.flac", "speaker-2.flac"):
        shutil.copyfile(CLIP, tmp_path / name)
    takes = [TranscribedRecording(path, "") for path in sorted(tmp_path.iterdir())]
    write_manifest(tmp_path, [SpeakerRecordings(take.path.stem, take) for take in takes])
    meter = FakeMeter()
    monkeypatch.setattr(stages, "ModelMeter", lambda: meter)

    stages.stages_command(voices=2, sentences=1, references=tmp_path, kokoro_voices=archive)

    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == [*WAYS]
    assert all("%" in row[1] for row in rows)


def test_what_a_stage_is_given_is_kept() -> None:
    models = LoadedModels(ModelChoice(device="cpu"))
    made = Stages(models)
    speaker = models.speakers.load("Puck")
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000)
    clip = Clip(
        key="",
        text="Hello.",
        speaker="",
        seed=0,
        sample_rate=16_000,
        audio=(samples * 32_000).astype(np.int16),
        semantic=np.arange(50, dtype=np.uint16) % SEMANTIC_SIZE,
        facts={},
    )
    coarse = models.codec.encode(samples.astype(np.float32))[:2]

    np.testing.assert_array_equal(made._fine(coarse, speaker)[:2], coarse)
    followed = made._coarse(clip, speaker)
    assert followed.shape == (2, TOKEN_RATE)
    assert followed.min() >= 0
    assert followed.max() < 512
    first, second = (dict(made.ways(clip, speaker)) for _ in range(2))
    for way in WAYS:
        np.testing.assert_array_equal(first[way], second[way])


def test_a_clip_is_compared_with_all_speakers() -> None:
    clip = Clip("", "hello there friend", "ada", 0, 16_000, None, np.zeros(1, np.int64), {})
    sound = Recording(np.ones(7, np.float32), 16_000)

    cell = measured("text", clip, sound, FakeMeter(), {"ada": a_voice(7), "bea": a_voice(9)})

    assert (cell.method, cell.speaker, cell.wrong, cell.words) == ("text", "ada", 1, 3)
    assert cell.similarities is not None
    assert cell.similarities["ada"] == pytest.approx(1, abs=1e-3)
    assert cell.similarities["bea"] < 0.9


def test_the_table_has_a_row_for_each_way() -> None:
    right, wrong = a_cell("ada", {"ada": 0.9, "bea": 0.1}), a_cell("ada", {"ada": 0.2, "bea": 0.6}, wrong=1)

    lines = table({"uncoded": [right], "text": [wrong]})

    assert lines[0].startswith("| made from | word error | similarity to the reference | similarity to others |")
    assert lines[2] == "| uncoded | 0.0 % (0.0–0.0) | 0.90 (0.90–0.90) | 0.10 (0.10–0.10) | 100.0 % (100.0–100.0) |"
    assert lines[3] == "| text | 50.0 % (50.0–50.0) | 0.20 (0.20–0.20) | 0.60 (0.60–0.60) | 0.0 % (0.0–0.0) |"


def test_other_models_have_no_true_tokens(stand_in: Path) -> None:
    with pytest.raises(InvalidInput, match="bundled"):
        stages.stages_command(model=str(stand_in))
