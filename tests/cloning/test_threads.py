"""Work in a thread of its own: its result and its errors, and no helpers of OpenMP afterwards."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from unittest import mock

import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.checkpoints.model_choice import ModelChoice
from cloning.codec import Codec
from cloning.model_set import LoadedModels
from cloning.threads import in_own_thread
from errors import ModelUnavailable

_TASKS = Path("/proc/self/task")


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_result_comes_from_another_thread() -> None:
    assert in_own_thread(threading.current_thread) is not threading.current_thread()


def test_an_error_is_raised_here() -> None:
    def fail() -> None:
        raise ModelUnavailable("The file is missing.")

    with pytest.raises(ModelUnavailable, match="The file is missing"):
        in_own_thread(fail)


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads of the process in /proc")
@pytest.mark.usefixtures("two_threads")
def test_the_helpers_of_a_computation_end_with_it() -> None:
    def compute() -> set[str]:
        torch.ones(2**20).exp()
        return _tasks()

    before = _tasks()
    started = in_own_thread(compute) - before
    assert len(started) == 2  # the thread and one helper
    end = monotonic() + 10
    while started & _tasks() and monotonic() < end:
        sleep(0.01)
    assert not started & _tasks()


def test_bark_is_loaded_in_a_thread_of_its_own() -> None:
    threads = []
    engine = mock.NonCallableMock(spec=BarkEngine)
    engine.spec.width = 1024

    def load(*_: object, **__: object) -> mock.NonCallableMock:
        threads.append(threading.current_thread())
        return engine

    models = LoadedModels(ModelChoice(model="anything", device="cpu"))
    with (
        mock.patch.object(BarkEngine, "load", side_effect=load, autospec=True),
        mock.patch.object(LoadedModels, "_bark", Path()),
        mock.patch.object(LoadedModels, "codec", mock.NonCallableMock(spec=Codec)),
    ):
        assert models.engine is engine
    assert threads[0] is not threading.current_thread()
    assert not threads[0].is_alive()


def _tasks() -> set[str]:
    return {task.name for task in _TASKS.iterdir()}
