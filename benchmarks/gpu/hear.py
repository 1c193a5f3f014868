"""Measure the word errors of the speech that `benchmarks.gpu` generated, in each precision.

    python -m benchmarks.gpu.hear FOLDER/speech.zip

Needs `make research`.
"""

import io
import json
import sys
import wave
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.gpu.speech import TEXTS
from cloning.bark.engine import Samples

Heard = Callable[[Samples, int], str]
"""A function that returns the words in samples, float32 (N,), at a sample rate."""


def main(archive: Path) -> None:
    """Print a table in Markdown."""
    from research.metrics.recogniser import recognise

    print("\n".join(table(archive, recognise)))


def table(archive: Path, heard: Heard) -> Iterator[str]:
    """Yield the lines of the table, a row for each precision in the archive."""
    from research.metrics.recogniser import WordErrors, word_errors

    found: dict[str, WordErrors] = {}
    with zipfile.ZipFile(archive) as files:
        texts = json.loads(files.read(TEXTS))
        for name in sorted(files.namelist()):
            if not name.endswith(".wav"):
                continue
            precision, number = name.partition("/")[0], int(Path(name).stem.rpartition("-")[2])
            errors = word_errors(texts[number], heard(*_sound(files.read(name))))
            found[precision] = found.get(precision, WordErrors(0, 0)) + errors
    yield "| precision | words | wrong |"
    yield "|---|---|---|"
    for precision, errors in found.items():
        yield f"| {precision} | {errors.words} | {errors.rate:.1%} |"


def _sound(content: bytes) -> tuple[Samples, int]:
    with wave.open(io.BytesIO(content)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32_768)
        return samples, file.getframerate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
