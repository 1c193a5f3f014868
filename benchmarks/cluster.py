"""Measure the cost of Ray: `python -m benchmarks.cluster [--minutes 5] [--lines 8]`. Needs `make setup EXTRAS=ray`.

The same lines are spoken by two speech workers with one thread each, and by two such workers in a Ray cluster whose
head and node are this machine: the two sides differ by Ray only. Short runs alternate (workers, Ray, Ray, workers,
...), so that a change of the machine's speed affects both, and each pair of neighbours gives a ratio. During the
workers' runs every process of Ray is stopped (SIGSTOP), so that Ray's idle work counts in Ray's runs only.

Measures the throughput, the time from a request to its first event, and the processor time of everything but the speech
workers (bot, relay process, actors, Ray). Loading is not counted. Prints tables in Markdown.
"""

import argparse
import asyncio
import os
import signal
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import exp, log
from pathlib import Path
from random import Random
from statistics import fmean, median
from time import perf_counter

import environment
from assembly import create_executor, worker_configuration
from cloning.cluster.start import PLAIN, SPEECH, SYSTEM
from cloning.worker.executor import ROOT, SubprocessExecutor, worker_command
from cloning.worker.protocol import Cloned, Executor, Failed, Lost, Progress, SpeakRequest, Spoken
from settings import Settings

TOKEN = "benchmark-of-one-machine"  # noqa: S105 (it guards nothing: the cluster lives for some minutes)
LINE = "The evening was long, and the keeper of the bar told many stories."
FIRST_EVENTS = 2
"""The number of lines whose first event is timed before each run."""
STORE = 100_000_000
RESAMPLES = 10_000
_TICKS = os.sysconf("SC_CLK_TCK")
_NAMES = (
    *("ray::SpeechNode", "cloning.cluster.main", "gcs_server", "raylet/raylet"),
    *("log_monitor", "runtime_env", "dashboard"),
)
"""Parts of command lines that identify Ray's programs."""


class Listener:
    """Follows the events of one executor. By job id: `first`, the time of its first event; `seconds` of its speech."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.first: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._begun: dict[str, asyncio.Event] = {}
        self._task = asyncio.create_task(self._listen())

    async def say(self, job_id: str, folder: Path, seed: int) -> float:
        """Send a line. Return the time at which it was sent."""
        (folder / job_id).mkdir()
        self._ended[job_id], self._begun[job_id] = asyncio.Event(), asyncio.Event()
        sent = perf_counter()
        await self.executor.submit(SpeakRequest(job_id, LINE, folder / job_id, seed=seed))
        return sent

    async def begun(self, job_id: str) -> float:
        """Wait for the first event of a line. Return its time."""
        await self._begun[job_id].wait()
        return self.first[job_id]

    async def ended(self, job_id: str) -> float:
        """Wait for the end of a line. Return its seconds of speech; 0 if it failed."""
        await self._ended[job_id].wait()
        return self.seconds[job_id]

    async def _listen(self) -> None:
        async for event in self.executor.events():
            if isinstance(event, Progress) and event.job_id not in self.first:
                self.first[event.job_id] = perf_counter()
                self._begun[event.job_id].set()
            if isinstance(event, Spoken | Cloned | Failed | Lost) and event.job_id:
                self.seconds[event.job_id] = event.seconds if isinstance(event, Spoken) else 0.0
                self._ended[event.job_id].set()


@dataclass(slots=True)
class Side:
    """One of the two sides, and its measurements.

    is_ready: returns whether the models are loaded. first: milliseconds to each first event. speech: the throughput of
    each run, in seconds of speech a second. beside: processor seconds of the other programs, by program. workers:
    processor seconds of the speech workers.
    """

    name: str
    executors: Sequence[Executor]
    is_ready: Callable[[], bool]
    first: list[float] = field(default_factory=list)
    speech: list[float] = field(default_factory=list)
    beside: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    workers: float = 0.0
    listeners: list[Listener] = field(default_factory=list)

    async def open(self) -> None:
        """Start the executors and load the models."""
        self.listeners = [Listener(executor) for executor in self.executors]
        for executor in self.executors:
            await executor.start()
        await self.ready()

    async def ready(self) -> None:
        """Wait until the side takes jobs."""
        while not self.is_ready():  # noqa: ASYNC110  # several processes load
            await asyncio.sleep(0.05)

    async def run(self, lines: int, *, counts: bool) -> None:
        """Speak the lines once. counts: whether the run is measured. Raises RuntimeError if a line failed."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            first = [await self._first(folder, number) for number in range(FIRST_EVENTS)]
            before, started = processor_seconds(), perf_counter()
            for number in range(lines):
                await self._listener(number).say(f"line-{folder.name}-{number}", folder, seed=number)
            spoken = [await self._listener(number).ended(f"line-{folder.name}-{number}") for number in range(lines)]
            took, after = perf_counter() - started, processor_seconds()
        if not all(spoken):
            raise RuntimeError(f"A line failed ({self.name}). Run this on a quieter machine, or with fewer --lines.")
        if counts:
            self.first += first
            self.speech.append(sum(spoken) / took)
            for program, used in after[0].items():
                self.beside[program] += used - before[0].get(program, 0.0)
            self.workers += after[1] - before[1]

    async def _first(self, folder: Path, number: int) -> float:
        """Return the milliseconds from a request to its first event, on an idle worker. Then cancel the line."""
        listener, job_id = self._listener(number), f"first-{folder.name}-{number}"
        sent = await listener.say(job_id, folder, seed=1)
        milliseconds = 1000 * (await listener.begun(job_id) - sent)
        await listener.executor.cancel(job_id)
        await listener.ended(job_id)
        return milliseconds

    def _listener(self, number: int) -> Listener:
        return self.listeners[number % len(self.listeners)]


def processes() -> tuple[dict[int, int], dict[int, float]]:
    """Return the parent and the processor seconds of each process on this machine, by process id."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            process = int(path.parent.name)
            parents[process], used[process] = int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS
    return parents, used


def below(process: int, parents: dict[int, int]) -> set[int]:
    """Return a process and its descendants."""
    found = {process}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def command(process: int) -> str:
    """Return a process's command line; "" if it has ended."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_text()
    return ""


def processor_seconds() -> tuple[dict[str, float], float]:
    """Return the processor seconds of this process and its descendants by program, and those of the speech workers."""
    parents, used = processes()
    beside: defaultdict[str, float] = defaultdict(float)
    speaking = 0.0
    for process in below(os.getpid(), parents):
        line = command(process)
        if "cloning.worker.server" in line:
            speaking += used.get(process, 0.0)
        else:
            own = "bot" if process == os.getpid() else "others"
            beside[next((name for name in _NAMES if name in line), own)] += used.get(process, 0.0)
    return beside, speaking


@contextmanager
def ray_stopped() -> Iterator[None]:
    """Stop Ray and the relay inside `with`: all descendants of this process except its own speech workers."""
    parents, _ = processes()
    own = (child for child, parent in parents.items() if parent == os.getpid())
    speaking = [child for child in own if "cloning.worker.server" in command(child)]
    kept = {os.getpid()}.union(*(below(child, parents) for child in speaking))
    stopped = below(os.getpid(), parents) - kept
    try:
        _send(signal.SIGSTOP, stopped)
        yield
    finally:
        _send(signal.SIGCONT, stopped)


def _send(number: signal.Signals, to: set[int]) -> None:
    for process in to:
        with suppress(ProcessLookupError):
            os.kill(process, number)


async def alternate(workers: Side, ray: Side, lines: int, seconds: float) -> None:
    """Measure pairs of runs for `seconds`, after one warm-up run of each side."""

    async def by_workers(*, counts: bool = True) -> None:
        with ray_stopped():
            await workers.run(lines, counts=counts)

    async def by_ray(*, counts: bool = True) -> None:
        await ray.ready()
        await ray.run(lines, counts=counts)

    await by_workers(counts=False)
    await by_ray(counts=False)
    until, turn = perf_counter() + seconds, (by_workers, by_ray)
    while perf_counter() < until or len(ray.speech) < 2:
        for run in turn:
            await run()
        turn = turn[::-1]


def ratio(workers: Side, ray: Side) -> str:
    """Return a sentence with the mean ratio of the pairs' throughputs and its bootstrap confidence interval."""
    logs = [log(b / a) for a, b in zip(workers.speech, ray.speech, strict=True)]
    random = Random(0)
    means = sorted(fmean(random.choices(logs, k=len(logs))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
    return (
        f"Throughput of Ray to that of the workers, {len(logs)} pairs: {exp(fmean(logs)):.3f} "
        f"(95 % confidence {exp(low):.3f} to {exp(high):.3f}; median {exp(median(logs)):.3f})."
    )


def row(side: Side) -> str:
    """Return the side's row of the table."""
    ordered, beside = sorted(side.first), sum(side.beside.values())
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    share = 100 * beside / (beside + side.workers)
    return (
        f"| {side.name} | {median(ordered):.1f} | {p95:.1f} | {median(side.speech):.3f} | {side.workers:.1f} | "
        f"{beside:.2f} | {share:.1f} % |"
    )


def local(settings: Settings) -> SubprocessExecutor:
    """Return an executor with a speech worker of one thread."""
    return SubprocessExecutor(
        worker_command(worker_configuration(settings)),
        job_timeout=settings.job_timeout,
        capacity=settings.batch,
        variables=environment.to_run_models() | {"OMP_NUM_THREADS": "1"},
    )


async def measure(settings: Settings, lines: int, seconds: float) -> tuple[Side, Side]:
    """Start two workers, and a Ray cluster of one machine with two workers and a relay process, and measure both."""
    environment.join_a_cluster(TOKEN, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    from ray.cluster_utils import Cluster

    processes_ = [local(settings) for _ in range(2)]
    workers = Side("two workers", processes_, lambda: all(each.health().ready for each in processes_))
    await workers.open()
    machine = {"resources": {SPEECH: 2}, "node_name": "both", "object_store_memory": STORE, **PLAIN}
    head = {**machine, "include_dashboard": False, "no_monitor": True, "_system_config": SYSTEM}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        relay = create_executor(settings.model_copy(update={"ray_address": cluster.address}))
        places = 2 * settings.batch
        ray = Side("two Ray workers", [relay], lambda: sum(n.capacity for n in relay.health().nodes) == places)
        await ray.open()
        await alternate(workers, ray, lines, seconds)
        for executor in (*processes_, relay):
            await executor.close()
    finally:
        cluster.shutdown()
    return workers, ray


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="minutes of measuring; starting takes one more")
    parser.add_argument(
        "--lines", type=int, default=8, help="lines of each run, an even number; a run has to take under 10 s"
    )
    parser.add_argument("--model", default="bundled")
    options = parser.parse_args()
    half = options.lines // 2
    settings = Settings(_env_file=None, executor="ray", model=options.model, batch=half, ray_auth_token=TOKEN)
    workers, ray = await measure(settings, options.lines, 60 * options.minutes)
    print("| | first event, ms | p95 | speech, s/s | processor of the workers, s | of the rest, s | its share |")
    print("|---|---|---|---|---|---|---|")
    print(row(workers))
    print(row(ray))
    print(f"\n{ratio(workers, ray)}\n")
    most = sorted(ray.beside.items(), key=lambda item: -item[1])
    by_program = ", ".join(f"{name.rpartition('/')[2]} {used:.2f}" for name, used in most)
    print(f"Processor seconds beside the workers with Ray: {by_program}.")


if __name__ == "__main__":
    asyncio.run(main())
