"""What is heard of a GPU's speech is compared with what was said."""

import json
import zipfile
from pathlib import Path

import numpy as np

from benchmarks.gpu.hear import table
from benchmarks.gpu.speech import TEXTS, _wav
from cloning.bark.engine import Samples


def test_words_wrong_in_each_precision(tmp_path: Path) -> None:
    loud, quiet = np.full(160, 0.5, np.float32), np.zeros(160, np.float32)
    with zipfile.ZipFile(tmp_path / "speech.zip", "w") as archive:
        archive.writestr(TEXTS, json.dumps(["good evening", "good morning to you"]))
        for name, samples in (("float32/a-00", loud), ("float32/a-01", loud), ("int8/a-01", quiet)):
            archive.writestr(f"{name}.wav", _wav(samples, 16_000))

    def heard(samples: Samples, rate: int) -> str:
        assert rate == 16_000
        return "good morning to you" if samples.max() > 0.4 else "nothing"

    lines = list(table(tmp_path / "speech.zip", heard))
    assert lines[2:] == ["| float32 | 6 | 50.0% |", "| int8 | 4 | 100.0% |"]
