"""Simulate how long members wait, by their number and the number of GPUs: `python -m benchmarks.capacity`.

    python -m benchmarks.capacity [--members 500000 ...] [--gpus 16 ...] [--speech 1.0] [--gain 4] [--batch 8] ...

Requests arrive at random (Poisson) with exponential lengths, and begin in the order of their arrival. A worker
generates up to `batch` requests at once: `speech` seconds of speech a second for one alone, and `gain` times as much
for a full batch together. The default speed of a GPU is an assumption, since none was measured. The milliseconds of the
bot and of the database come from `python -m benchmarks.growth`. Prints tables in Markdown.
"""

import argparse
import heapq
import random
from collections import deque
from dataclasses import dataclass
from math import ceil

SERVERS_A_SHARD = 2500
"""Discord's limit of servers per shard."""
FULL = 0.5
"""The largest load of a bot process, as a share of one core, at which it still answers in time."""
SEED = 7


@dataclass(frozen=True)
class Worker:
    """A GPU, or another device that generates speech.

    `speech`: seconds of speech a second for one request alone. `gain`: the speech of a full batch together, relative to
    one request. `batch`: the maximum number of requests at once.
    """

    speech: float
    gain: float
    batch: int

    def speed(self, requests: int) -> float:
        """Return the seconds of speech a second that each of `requests` simultaneous requests gets.

        The time of a step grows linearly with the number of requests.
        """
        slower = (self.batch / self.gain - 1) / (self.batch - 1) if self.batch > 1 else 0.0
        return self.speech / (1 + slower * (requests - 1))

    @property
    def most(self) -> float:
        """Seconds of speech a second of a full batch: the worker's maximum."""
        return self.batch * self.speed(self.batch)


@dataclass(frozen=True)
class Waits:
    """Sorted waiting times: seconds from the arrival of each request until it began, and until it ended."""

    to_begin: list[float]
    to_answer: list[float]


class _Batch:
    """The requests that one worker generates at the moment, all at the same speed."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._now = 0.0
        self._spoken = 0.0
        """Seconds of speech that an endless request would have got since the start."""
        self._ends: list[tuple[float, float]] = []
        """A heap with an entry for each request: `_spoken` at its end, and its arrival."""
        self.version = 0

    def __len__(self) -> int:
        return len(self._ends)

    def advance(self, now: float) -> None:
        """Advance the time to `now`. No request begins or ends in between."""
        if self._ends:
            self._spoken += (now - self._now) * self._worker.speed(len(self._ends))
        self._now = now

    def begin(self, arrival: float, length: float) -> None:
        """Begin a request of `length` seconds of speech now."""
        heapq.heappush(self._ends, (self._spoken + length, arrival))
        self.version += 1

    def end(self) -> float:
        """End, at the current time, the request that is due first. Return its arrival."""
        self.version += 1
        return heapq.heappop(self._ends)[1]

    def next_end(self) -> float:
        """Return when the next request will end if nothing begins before."""
        return self._now + max(0.0, self._ends[0][0] - self._spoken) / self._worker.speed(len(self._ends))


class Simulation:
    """A simulation of requests that wait for equal workers."""

    def __init__(self, worker: Worker, workers: int) -> None:
        self._batch = worker.batch
        self._batches = [_Batch(worker) for _ in range(workers)]
        self._ends: list[tuple[float, int, int]] = []
        """A heap of (time, worker, its version): the next end of each worker, and outdated entries."""
        self._waiting: deque[tuple[float, float]] = deque()
        self._began: list[tuple[float, float]] = []
        self._ended: list[tuple[float, float]] = []

    def run(self, requests: int, a_second: float, mean_length: float, seed: int = SEED) -> Waits:
        """Simulate `requests` requests. The first tenth is left out of the result, since it finds all workers free.

        a_second: requests a second. mean_length: seconds of speech of a request.
        """
        chance = random.Random(seed)
        now, counts_from = 0.0, 0.0
        for number in range(requests):
            now += chance.expovariate(a_second)
            counts_from = now if number == requests // 10 else counts_from
            self._end_until(now)
            self._arrive(now, chance.expovariate(1 / mean_length))
        self._end_until(float("inf"))
        return Waits(
            *(sorted(wait for came, wait in waits if came >= counts_from) for waits in (self._began, self._ended))
        )

    def _arrive(self, now: float, length: float) -> None:
        number = min(range(len(self._batches)), key=lambda index: len(self._batches[index]))
        if len(self._batches[number]) < self._batch:
            self._begin(number, now, now, length)
        else:
            self._waiting.append((now, length))

    def _begin(self, number: int, now: float, arrival: float, length: float) -> None:
        self._batches[number].advance(now)
        self._batches[number].begin(arrival, length)
        self._began.append((arrival, now - arrival))
        self._expect(number)

    def _end_until(self, until: float) -> None:
        while self._ends and self._ends[0][0] <= until:
            now, number, version = heapq.heappop(self._ends)
            batch = self._batches[number]
            if version != batch.version:
                continue
            batch.advance(now)
            arrival = batch.end()
            self._ended.append((arrival, now - arrival))
            if self._waiting:
                self._begin(number, now, *self._waiting.popleft())
            else:
                self._expect(number)

    def _expect(self, number: int) -> None:
        batch = self._batches[number]
        if len(batch):
            heapq.heappush(self._ends, (batch.next_end(), number, batch.version))


def at(waits: list[float], share: float) -> float:
    """Return the quantile `share` (0..1) of sorted waits."""
    return waits[min(len(waits) - 1, int(share * len(waits)))]


def _cell(worker: Worker, workers: int, a_second: float, options: argparse.Namespace) -> str:
    if a_second * options.length >= workers * worker.most:
        return "never"
    waits = Simulation(worker, workers).run(options.requests, a_second, options.length)
    begin, answer = ([f"{at(wait, share):.1f}" for share in (0.5, 0.95)] for wait in (waits.to_begin, waits.to_answer))
    return f"{'/'.join(begin)}; {'/'.join(answer)}"


def _waits(worker: Worker, options: argparse.Namespace) -> None:
    print(f"| members | requests/s | {' | '.join(f'{number} GPU' for number in options.gpus)} |")
    print(f"| ---: | ---: |{' --- |' * len(options.gpus)}")
    for members in options.members:
        a_second = _rate(members, options)
        cells = [_cell(worker, number, a_second, options) for number in options.gpus]
        print(f"| {members:,} | {a_second:.2g} | {' | '.join(cells)} |", flush=True)


def _parts(worker: Worker, options: argparse.Namespace) -> None:
    print("| members | servers | requests/s | bot processes | Discord's shards | cores of the database | GPUs |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for members in options.members:
        a_second = _rate(members, options)
        servers = ceil(members / options.server)
        cells = (
            f"{members:,}",
            f"{servers:,}",
            f"{a_second:.2g}",
            f"{ceil(a_second * options.bot_ms / 1000 / FULL)}",
            f"{ceil(servers / SERVERS_A_SHARD)}",
            f"{a_second * options.database_ms / 1000:.2f}",
            f"{ceil(a_second * options.length / worker.most)}",
        )
        print(f"| {' | '.join(cells)} |")


def _rate(members: int, options: argparse.Namespace) -> float:
    """Return the requests a second of the busiest hour."""
    return float(members * options.a_day * options.peak / 86_400)


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.capacity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, nargs="*", default=[1000, 10_000, 100_000, 500_000])
    parser.add_argument("--gpus", type=int, nargs="*", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--speech", type=float, default=1.0, help="seconds of speech a second, one request alone")
    parser.add_argument("--gain", type=float, default=4.0, help="speech of a full batch, relative to one request")
    parser.add_argument("--batch", type=int, default=8, help="requests at once")
    parser.add_argument("--length", type=float, default=5.0, help="mean seconds of speech of a request")
    parser.add_argument("--a-day", type=float, default=0.2, help="requests of a member a day")
    parser.add_argument("--peak", type=float, default=3.0, help="requests of the busiest hour, relative to the mean")
    parser.add_argument("--server", type=int, default=50, help="members of a server")
    parser.add_argument("--bot-ms", type=float, default=60.0, help="processor time of the bot for a job")
    parser.add_argument("--database-ms", type=float, default=10.0, help="processor time of PostgreSQL for a job")
    parser.add_argument("--requests", type=int, default=20_000, help="simulated for each cell")
    options = parser.parse_args(arguments)
    worker = Worker(options.speech, options.gain, options.batch)
    print("Seconds until generation begins (p50/p95); until the answer is ready (p50/p95).\n")
    _waits(worker, options)
    print("\nOther resources:\n")
    _parts(worker, options)


if __name__ == "__main__":
    main()
