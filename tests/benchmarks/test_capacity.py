"""The simulation of waits agrees with the formulas that are known for its simple cases."""

from math import factorial, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.capacity import Simulation, Worker, at, main


def mean(waits: list[float]) -> float:
    return sum(waits) / len(waits)


def erlang_c(servers: int, load: float) -> float:
    """The share of requests that wait where arrivals are random and lengths exponential; load: in servers."""
    last = load**servers / factorial(servers) * servers / (servers - load)
    return last / (sum(load**number / factorial(number) for number in range(servers)) + last)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (4, 3.0), (16, 14.0)])
def test_workers_of_one_request_each_wait_as_erlang_says(servers: int, load: float) -> None:
    waits = Simulation(Worker(1.0, 1.0, 1), servers).run(100_000, load / 5, 5.0)
    expected = erlang_c(servers, load) * 5 / (servers - load)
    assert mean(waits.to_begin) == pytest.approx(expected, rel=0.15)
    assert mean(waits.to_answer) == pytest.approx(expected + 5, rel=0.05)


def test_a_batch_without_gain_shares_its_worker() -> None:
    """Processor sharing: the mean time is that of one server, length / (1 - load)."""
    waits = Simulation(Worker(1.0, 1.0, 64), 1).run(100_000, 0.6 / 5, 5.0)
    assert mean(waits.to_answer) == pytest.approx(5 / 0.4, rel=0.1)
    assert at(waits.to_begin, 0.95) == 0


def test_alone_a_request_takes_its_length() -> None:
    waits = Simulation(Worker(2.0, 4.0, 8), 1).run(20_000, 1e-6, 5.0)
    assert at(waits.to_answer, 0.5) == pytest.approx(5 / 2 * log(2), rel=0.05)


def test_a_full_batch_has_the_gain() -> None:
    worker = Worker(1.5, 4.0, 8)
    assert worker.speed(1) == 1.5
    assert worker.most == pytest.approx(6.0)


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 8), st.floats(0.05, 3.0), st.integers(0, 1000))
def test_every_request_is_answered_once_and_not_before_it_began(
    workers: int, batch: int, a_second: float, seed: int
) -> None:
    waits = Simulation(Worker(1.0, min(batch, 2.0), batch), workers).run(200, a_second, 2.0, seed)
    assert len(waits.to_begin) == len(waits.to_answer) == 180
    assert waits.to_begin[0] >= 0
    assert all(begin < answer for begin, answer in zip(waits.to_begin, waits.to_answer, strict=True))


def test_too_many_members_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--members", "1000", "10000000", "--gpus", "1", "--requests", "200"])
    small, large = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 1")][:2]
    assert "never" in large
    assert "never" not in small
