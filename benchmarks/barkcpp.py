"""Run bark.cpp through the C interface of its library. Does not import torch, whose memory would be measured too.

bark.cpp has neither voices nor batches, and no setting for the length of speech. To get lines of equal length, the
threshold of the end token is set above 1. About one line in forty still draws the end token and is spoken again.
"""

import ctypes
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.rows import STAGES, BenchmarkLine, LineResults

_Q8_0 = 7
"""ggml's number of the file type in which most matrices are blocks of 32 eight-bit numbers with a 16-bit scale."""

_STEPS = STAGES[:3]
"""Stages in the order of bark.cpp's `bark_encoding_step`."""

_Progress = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p)


class _Parameters(ctypes.Structure):
    """`bark_context_params` of bark.h."""

    _fields_ = (
        ("verbosity", ctypes.c_int),
        ("temp", ctypes.c_float),
        ("fine_temp", ctypes.c_float),
        ("min_eos_p", ctypes.c_float),
        ("sliding_window_size", ctypes.c_int32),
        ("max_coarse_history", ctypes.c_int32),
        ("sample_rate", ctypes.c_int32),
        ("target_bandwidth", ctypes.c_int32),
        ("cls_token_id", ctypes.c_int32),
        ("sep_token_id", ctypes.c_int32),
        ("n_steps_text_encoder", ctypes.c_int32),
        ("text_pad_token", ctypes.c_int32),
        ("text_encoding_offset", ctypes.c_int32),
        ("semantic_rate_hz", ctypes.c_float),
        ("semantic_pad_token", ctypes.c_int32),
        ("semantic_vocab_size", ctypes.c_int32),
        ("semantic_infer_token", ctypes.c_int32),
        ("coarse_rate_hz", ctypes.c_float),
        ("coarse_infer_token", ctypes.c_int32),
        ("coarse_semantic_pad_token", ctypes.c_int32),
        ("n_coarse_codebooks", ctypes.c_int32),
        ("n_fine_codebooks", ctypes.c_int32),
        ("codebook_size", ctypes.c_int32),
        ("progress_callback", _Progress),
        ("progress_callback_user_data", ctypes.c_void_p),
    )


class BarkCpp:
    """Speaks with one file of weights. `semantic_tokens`: the length of every line."""

    def __init__(self, library: Path, weights: Path, *, threads: int, text: str, semantic_tokens: int) -> None:
        os.putenv("OPENBLAS_NUM_THREADS", str(threads))  # before the library is loaded
        self._library = _load(library)
        self._threads = threads
        self._text = text.encode()
        self._length = semantic_tokens
        self._steps = Counter[str]()
        self._progress = _Progress(self._count)
        parameters: _Parameters = self._library.bark_context_default_params()
        parameters.min_eos_p = 2.0
        parameters.n_steps_text_encoder = semantic_tokens
        parameters.progress_callback = self._progress
        with _captured_output():
            self._context = self._library.bark_load_model(os.fsencode(weights), parameters, 0)
        if not self._context:
            raise RuntimeError(f"bark.cpp cannot read {weights}.")

    def speak(self, lines: Sequence[BenchmarkLine]) -> LineResults:
        """Speak the lines one after the other. A line that ended early is spoken again and not counted."""
        results = LineResults()
        for _ in lines:
            while not self._say(results):
                continue
        return results

    def _say(self, results: LineResults) -> bool:
        self._steps.clear()
        began = perf_counter()
        with _captured_output() as output:
            if not self._library.bark_generate_audio(self._context, self._text, self._threads):
                raise RuntimeError("bark.cpp could not speak.")
        spent = perf_counter() - began
        if self._steps["semantic"] != self._length or self._ended(
            self._library.bark_get_audio_data_size(self._context)
        ):
            return False
        stages = [float(found) / 1000 for found in re.findall(r"total time = +([0-9.]+) ms", output[0])]
        results.add(dict(zip(STAGES, [*stages, spent - sum(stages)], strict=True)), spent, self._samples())
        return True

    def _ended(self, samples: int) -> bool:
        """Return whether the last semantic token was the end token, which shows only in the shorter sound."""
        frames = samples * 75 // 24_000
        return frames < int(self._length * 75 / 49.9)

    def _samples(self) -> np.ndarray:
        size = self._library.bark_get_audio_data_size(self._context)
        return np.ctypeslib.as_array(self._library.bark_get_audio_data(self._context), (size,)).copy()

    def _count(self, context: int, step: int, percent: int, data: int) -> None:
        self._steps[_STEPS[step]] += 1


def quantize(library: Path, weights: Path, quantized: Path) -> None:
    """Write `weights` to the file `quantized` with eight bits per number."""
    with _captured_output():
        done = _load(library).bark_model_quantize(os.fsencode(weights), os.fsencode(quantized), _Q8_0)
    if not done:
        raise RuntimeError(f"bark.cpp cannot quantize {weights}.")


def _load(path: Path) -> Any:
    library = ctypes.CDLL(str(path))
    library.bark_context_default_params.restype = _Parameters
    library.bark_load_model.argtypes = [ctypes.c_char_p, _Parameters, ctypes.c_uint32]
    library.bark_load_model.restype = ctypes.c_void_p
    library.bark_generate_audio.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    library.bark_generate_audio.restype = ctypes.c_bool
    library.bark_get_audio_data.argtypes = [ctypes.c_void_p]
    library.bark_get_audio_data.restype = ctypes.POINTER(ctypes.c_float)
    library.bark_get_audio_data_size.argtypes = [ctypes.c_void_p]
    library.bark_get_audio_data_size.restype = ctypes.c_int
    library.bark_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
    library.bark_model_quantize.restype = ctypes.c_bool
    return library


@contextmanager
def _captured_output() -> Iterator[list[str]]:
    """Capture the standard output of C code: yield a list that gets the output as its only item on exit."""
    output: list[str] = []
    sys.stdout.flush()
    before = os.dup(1)
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        os.dup2(file.fileno(), 1)
        try:
            yield output
        finally:
            ctypes.CDLL(None).fflush(None)
            os.dup2(before, 1)
            os.close(before)
            file.seek(0)
            output.append(file.read())
