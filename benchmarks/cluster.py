"""What Ray costs: `python -m benchmarks.cluster [--lines 8] [--model bundled]`. Needs `make setup EXTRAS=ray`.

The same lines are spoken three times on this machine: by one speech worker with two threads, by two workers with one
thread each, and by two such workers that are nodes of a Ray cluster. The last two differ by Ray only. Measured are the
time from a request to its first event, speech a second by the clock, and the processor time of everything but the
speech workers (bot, relay process, actors, Ray), which other programs do not change. Loading is not counted. Prints a
table in Markdown.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import environment
from assembly import create_executor, worker_configuration
from cloning.cluster.start import HEALTH, SPEECH
from cloning.worker.executor import ROOT, SubprocessExecutor, worker_command
from cloning.worker.protocol import Cloned, Executor, Failed, Lost, Progress, SpeakRequest, Spoken
from settings import Settings

TOKEN = "benchmark-of-one-machine"  # noqa: S105 (it guards nothing: the cluster lives for some minutes)
LINE = "The evening was long, and the keeper of the bar told many stories."
FIRST_EVENTS = 20
STORE = 100_000_000
_TICKS = os.sysconf("SC_CLK_TCK")


class Listener:
    """Follows the events of one executor."""

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
        """Wait for the end of a line. Return the seconds that were spoken."""
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


@dataclass(frozen=True, slots=True)
class Result:
    """first: milliseconds to the first events. speech: seconds of it a second. beside: processor seconds of everything
    but the speech workers, and `workers` those of the speech workers, for all lines."""

    first: Sequence[float]
    speech: float
    beside: float
    workers: float


async def measure(executors: Sequence[Executor], lines: int, is_ready: Callable[[], bool]) -> Result:
    """Start the executors, load the models, and measure."""
    listeners = [Listener(executor) for executor in executors]
    for executor in executors:
        await executor.start()
    while not is_ready():  # noqa: ASYNC110  # several processes load
        await asyncio.sleep(0.1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = [await _first(listeners[number % len(listeners)], folder, number) for number in range(FIRST_EVENTS)]
        before, started = processor_seconds(), perf_counter()
        for number in range(lines):
            await listeners[number % len(listeners)].say(f"line-{number}", folder, seed=number)
        spoken = sum([await listeners[number % len(listeners)].ended(f"line-{number}") for number in range(lines)])
        took, after = perf_counter() - started, processor_seconds()
    for executor in executors:
        await executor.close()
    return Result(first, spoken / took, after[0] - before[0], after[1] - before[1])


async def _first(listener: Listener, folder: Path, number: int) -> float:
    """Return the milliseconds from a request to its first event, on an idle worker. The line is cancelled."""
    job_id = f"first-{number}"
    sent = await listener.say(job_id, folder, seed=1)
    milliseconds = 1000 * (await listener.begun(job_id) - sent)
    await listener.executor.cancel(job_id)
    await listener.ended(job_id)
    return milliseconds


def processor_seconds() -> tuple[float, float]:
    """Return the processor time of everything below this process and itself: without the speech workers, and theirs."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        process = int(path.parent.name)
        parents[process], used[process] = int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS
    mine = {os.getpid()}
    while grown := {process for process, parent in parents.items() if parent in mine} - mine:
        mine |= grown
    speaking = {process for process in mine if _is_worker(process)}
    return sum(used.get(each, 0.0) for each in mine - speaking), sum(used.get(each, 0.0) for each in speaking)


def _is_worker(process: int) -> bool:
    try:
        return "cloning.worker.server" in Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False


def local(settings: Settings, threads: int) -> SubprocessExecutor:
    """Return an executor with a speech worker of this machine."""
    return SubprocessExecutor(
        worker_command(worker_configuration(settings)),
        job_timeout=settings.job_timeout,
        capacity=settings.batch,
        variables=environment.to_run_models() | {"OMP_NUM_THREADS": str(threads)},
    )


async def in_processes(settings: Settings, lines: int, workers: int) -> Result:
    """Measure speech workers without Ray."""
    executors = [local(settings, 2 // workers) for _ in range(workers)]
    return await measure(executors, lines, lambda: all(each.health().ready for each in executors))


async def on_ray(settings: Settings, lines: int) -> Result:
    """Measure two nodes of a Ray cluster."""
    environment.join_a_cluster(TOKEN, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False, "_system_config": HEALTH}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for number in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=STORE, resources={SPEECH: 1}, node_name=f"node-{number}")
    executor = create_executor(settings.model_copy(update={"ray_address": cluster.address}))
    ready = 2 * settings.batch
    try:
        return await measure([executor], lines, lambda: sum(n.capacity for n in executor.health().nodes) == ready)
    finally:
        cluster.shutdown()


def row(name: str, result: Result) -> str:
    """Return a line of the table."""
    ordered = sorted(result.first)
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    share = 100 * result.beside / (result.beside + result.workers)
    return (
        f"| {name} | {median(ordered):.1f} | {p95:.1f} | {result.speech:.3f} | {result.workers:.1f} | "
        f"{result.beside:.2f} | {share:.1f} % |"
    )


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--lines", type=int, default=8, help="an even number")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--only", choices=("one", "two", "ray"), help="measure one of them, for a short quiet time")
    options = parser.parse_args()
    settings = Settings(_env_file=None, executor="ray", model=options.model, batch=options.lines, ray_auth_token=TOKEN)
    half = settings.model_copy(update={"batch": options.lines // 2})
    print("| | first event, ms | p95 | speech, s/s | processor of the workers, s | of the rest, s | its share |")
    print("|---|---|---|---|---|---|---|")
    if options.only in (None, "one"):
        print(row("one worker, two threads", await in_processes(settings, options.lines, 1)), flush=True)
    if options.only in (None, "two"):
        print(row("two workers, a thread each", await in_processes(half, options.lines, 2)), flush=True)
    if options.only in (None, "ray"):
        print(row("two Ray nodes, a thread each", await on_ray(half, options.lines)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
