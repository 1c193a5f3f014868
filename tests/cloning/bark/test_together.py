"""Several utterances beyond decoding: passes of the fine stage that they share, and telling of each in time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.config import Windows
from cloning.bark.engine import GenerationOptions, Samples, Utterance
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens
from errors import Cancelled
from tests.cloning.bark.test_batching import utterances
from tests.cloning.tiny_engine import tiny_bark, tiny_engine

STEADY = GenerationOptions(0.0, min_eos_p=0, max_semantic_tokens=40)


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_bark()


@pytest.fixture(scope="module")
def engine(model: Any) -> BarkEngine:
    return tiny_engine(model, batch=3)


@pytest.mark.parametrize("kind", Windows)
@pytest.mark.parametrize("shared", [1, 2, 8])
def test_windows_that_share_a_pass_know_nothing_of_each_other(model: Any, shared: int, kind: Windows) -> None:
    """Of several lengths, some longer than a window, and each at the book that it has come to."""
    engine = tiny_engine(model, batch=7, windows=kind, refined_together=shared)
    wanted = [
        replace(one, options=replace(one.options, max_semantic_tokens=length))
        for one, length in zip(utterances(engine), (30, 140, 31, 30, 120, 31, 30), strict=True)
    ]
    alone = [engine.generate(one.text, one.history, one.options, ProgressReporter()) for one in wanted]
    run, windows = engine._stages.fine.transformer.run_windows, list[int]()

    def counted(x: torch.Tensor, *others: Any) -> list[torch.Tensor]:
        windows.append(x.shape[0])
        return run(x, *others)

    engine._stages.fine.transformer.run_windows = counted  # type: ignore[method-assign, assignment]  # counts
    together = engine.generate_many(wanted)
    assert [one.prompt for one in alone] == [one.prompt for one in together]
    assert max(windows) <= shared
    assert (max(windows) > 1) == (shared > 1)


def test_one_of_a_shared_pass_is_cancelled(model: Any) -> None:
    engine, cancelled = tiny_engine(model, batch=3, refined_together=3), threading.Event()
    stop = ProgressReporter(lambda stage, _: cancelled.set() if stage == "fine tokens" else None, cancelled)
    with ThreadPoolExecutor(3) as pool:
        gone = pool.submit(engine.generate, "hello", None, STEADY, stop)
        kept = [pool.submit(engine.generate, text, None, STEADY, ProgressReporter()) for text in ("world", "hold")]
    assert isinstance(gone.exception(), Cancelled)
    alone = [engine.generate(text, None, STEADY, ProgressReporter()).prompt for text in ("world", "hold")]
    assert [one.result().prompt for one in kept] == alone


def test_a_codec_that_fails_ends_what_it_was_given_and_nothing_else(model: Any) -> None:
    errors = [RuntimeError("no memory")]

    def decode(codes: list[Tokens]) -> list[Samples]:
        if errors:
            raise errors.pop()
        return [np.ones(one.shape[1], np.float32) for one in codes]

    engine = tiny_engine(model)
    engine._stages.decode = decode  # type: ignore[assignment]  # takes a list, which it is given
    with pytest.raises(RuntimeError, match="no memory"):
        engine.generate("hello", None, STEADY, ProgressReporter())
    assert engine.generate("hello", None, STEADY, ProgressReporter()).samples.size


def test_what_is_done_is_told_before_the_rest(model: Any) -> None:
    engine, finished = tiny_engine(model, batch=2), set[int]()

    def note(number: int, stage: str, fraction: float) -> None:
        if (stage, fraction) == ("audio", 1.0):
            finished.add(number)

    wanted = [
        Utterance(text, None, replace(STEADY, max_semantic_tokens=length), ProgressReporter(partial(note, number)))
        for number, (text, length) in enumerate([("hello", 12), ("world", 150), ("hold", 150)])
    ]
    told = [(index, generated.prompt, len(finished)) for index, generated in engine.generate_each(wanted)]
    assert (told[0][0], told[0][2]) == (0, 1)
    assert [prompt for _, prompt, _ in sorted(told, key=lambda one: one[0])] == [
        generated.prompt for generated in engine.generate_many(wanted)
    ]


def test_whoever_stops_listening_stops_the_rest(engine: BarkEngine) -> None:
    reports = 0

    def count(*_: object) -> None:
        nonlocal reports
        reports += 1

    with closing(engine.generate_each(utterances(engine, ProgressReporter(count)))) as results:
        next(results)
    after = reports
    engine.generate_many(utterances(engine)[:1])
    assert reports == after


class Told(ProgressReporter):
    """Notes how far somebody else has come when the work is cancelled, and when it stops."""

    def __init__(self, stage: str, elsewhere: Callable[[], int]) -> None:
        self.at: list[int] = []
        self._cancel = threading.Event()
        self._stage = stage
        self._elsewhere = elsewhere
        super().__init__(self._note, self._cancel)

    def report(self, stage: str, fraction: float) -> None:
        try:
            super().report(stage, fraction)
        except Cancelled:
            self.at.append(self._elsewhere())
            raise

    def _note(self, stage: str, fraction: float) -> None:
        if stage == self._stage and fraction > 0.3 and not self._cancel.is_set():
            self.at.append(self._elsewhere())
            self._cancel.set()


@pytest.mark.parametrize("stage", ["semantic tokens", "coarse tokens"])
def test_cancelling_stops_within_one_decode_step(engine: BarkEngine, stage: str) -> None:
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    reporter = Told(stage, lambda: steps)
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(
            engine.generate, "world", None, replace(STEADY, max_semantic_tokens=200), ProgressReporter(count)
        )
        gone = pool.submit(engine.generate, "hello", None, STEADY, reporter)
    assert isinstance(gone.exception(), Cancelled)
    assert other.result().samples.size
    cancelled, stopped = reporter.at
    assert stopped - cancelled <= 1
