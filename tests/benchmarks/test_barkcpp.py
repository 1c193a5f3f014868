"""bark.cpp's library is asked in its own terms; the library itself is not needed for that."""

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import barkcpp
from benchmarks.barkcpp import BarkCpp
from benchmarks.rows import BenchmarkLine

LENGTH = 50
FRAMES = 75


class FakeLibrary:
    """Speaks lines of so many semantic tokens, one after the other."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = lengths
        self.parameters = barkcpp._Parameters()
        self.samples = 0
        self.texts: list[bytes] = []

    def bark_context_default_params(self) -> barkcpp._Parameters:
        return self.parameters

    def bark_load_model(self, path: bytes, parameters: barkcpp._Parameters, seed: int) -> int:
        return 1

    def bark_generate_audio(self, context: int, text: bytes, threads: int) -> bool:
        self.texts.append(text)
        length = self.lengths.pop(0)
        for _ in range(min(length + 1, LENGTH)):
            self.parameters.progress_callback(None, 0, 0, None)
        for _ in range(3):
            os.write(1, b"bark_print_statistics:    total time =    40.00 ms\n")
        self.samples = int(length * 75 / 49.9) * 320
        return True

    def bark_get_audio_data_size(self, context: int) -> int:
        return self.samples

    def bark_get_audio_data(self, context: int) -> object:
        self.audio = np.zeros(self.samples, np.float32)
        return self.audio.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


def speaking(monkeypatch: pytest.MonkeyPatch, lengths: list[int]) -> tuple[BarkCpp, FakeLibrary]:
    library = FakeLibrary(lengths)
    monkeypatch.setattr(barkcpp, "_load", lambda path: library)
    speaker = BarkCpp(Path("lib"), Path("weights"), threads=1, text="a a", semantic_tokens=LENGTH)
    return speaker, library


def test_stages_are_what_it_says_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    speaker, _ = speaking(monkeypatch, [LENGTH])
    told = speaker.speak([BenchmarkLine(None, LENGTH, 0)])
    assert [round(told.stages[stage], 3) for stage in ("semantic", "coarse", "fine")] == [0.04] * 3
    assert told.samples == FRAMES * 320


@pytest.mark.parametrize("short", [10, LENGTH - 1], ids=["early", "at the last token"])
def test_a_line_that_ended_early_is_spoken_again(monkeypatch: pytest.MonkeyPatch, short: int) -> None:
    speaker, library = speaking(monkeypatch, [short, LENGTH])
    told = speaker.speak([BenchmarkLine(None, LENGTH, 0)])
    assert library.texts == [b"a a"] * 2
    assert told.samples == FRAMES * 320


def test_the_end_is_out_of_reach_and_the_length_set(monkeypatch: pytest.MonkeyPatch) -> None:
    _, library = speaking(monkeypatch, [])
    assert library.parameters.min_eos_p > 1
    assert library.parameters.n_steps_text_encoder == LENGTH
