"""How many threads compute beside other programs: fewer while they wait, more again, and the same tokens."""

from collections.abc import Iterator

import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.engine import GenerationOptions
from cloning.bark.linear import int8_is_supported, quantise
from cloning.bark.thread_count import ThreadCount
from cloning.progress import ProgressReporter
from tests.cloning.tiny_engine import a_voice, silent_engine, tiny_bark, tiny_engine


class Clocks:
    """`pass_time(seconds, share)`: that much time passes, in which the thread computes for `share` of it."""

    def __init__(self) -> None:
        self.now = self.worked = 100.0

    def pass_time(self, seconds: float, share: float) -> None:
        self.now += seconds
        self.worked += share * seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def count(clocks: Clocks) -> ThreadCount:
    return ThreadCount(lambda: clocks.now, lambda: clocks.worked)


def test_all_threads_compute_while_no_other_program_does(count: ThreadCount, clocks: Clocks) -> None:
    for _ in range(50):
        clocks.pass_time(0.3, 0.9)
        count.adjust()
        assert torch.get_num_threads() == 4


def test_threads_that_wait_for_each_other_become_fewer_down_to_one(count: ThreadCount, clocks: Clocks) -> None:
    seen = []
    for _ in range(3):
        clocks.pass_time(0.3, 0.4)
        count.adjust()
        seen.append(torch.get_num_threads())
    assert seen == [2, 1, 1]


def test_a_moment_decides_nothing(count: ThreadCount, clocks: Clocks) -> None:
    clocks.pass_time(0.1, 0.0)
    count.adjust()
    assert torch.get_num_threads() == 4


def test_more_threads_are_tried_again_and_stay_if_they_do_not_wait(count: ThreadCount, clocks: Clocks) -> None:
    clocks.pass_time(0.3, 0.1)
    count.adjust()
    seen = []
    for _ in range(6):
        clocks.pass_time(0.3, 0.9)
        count.adjust()
        seen.append(torch.get_num_threads())
    assert seen == [2, 2, 2, 4, 4, 4]


def test_while_the_machine_stays_busy_trying_takes_ever_less_of_the_time(count: ThreadCount, clocks: Clocks) -> None:
    seen = []
    for _ in range(400):
        clocks.pass_time(0.3, 0.9 if torch.get_num_threads() == 1 else 0.3)
        count.adjust()
        seen.append(torch.get_num_threads())
    assert sum(number > 1 for number in seen[:10]) > 1
    assert sum(number > 1 for number in seen[-100:]) < 8


def test_all_threads_come_back_at_the_end(count: ThreadCount, clocks: Clocks) -> None:
    clocks.pass_time(0.3, 0.1)
    count.adjust()
    count.restore()
    assert torch.get_num_threads() == 4


def test_the_next_sentence_begins_with_the_threads_of_the_last_one(count: ThreadCount, clocks: Clocks) -> None:
    clocks.pass_time(0.3, 0.1)
    count.adjust()
    count.restore()
    clocks.pass_time(100.0, 0.0)
    count.start()
    assert torch.get_num_threads() == 2
    clocks.pass_time(0.3, 0.9)
    count.adjust()
    assert torch.get_num_threads() == 4


def test_one_thread_stays_one(clocks: Clocks) -> None:
    torch.set_num_threads(1)
    count = ThreadCount(lambda: clocks.now, lambda: clocks.worked)
    for share in (0.1, 0.9):
        clocks.pass_time(20, share)
        count.adjust()
        assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    "int8",
    [
        False,
        pytest.param(
            True, marks=pytest.mark.skipif(not int8_is_supported(), reason="this processor has no instructions for it")
        ),
    ],
)
def test_the_number_of_threads_changes_no_token(*, int8: bool) -> None:
    model = tiny_bark()
    engine: BarkEngine = silent_engine(model, quantise) if int8 else tiny_engine(model)
    voice, found = a_voice(engine, 20), []
    options = GenerationOptions(seed=1, max_semantic_tokens=20, min_eos_p=0)
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        found.append(engine.generate("hello", voice, options, ProgressReporter()).prompt)
    assert found[0] == found[1] == found[2]
