"""Measure how many jobs a second the dispatcher handles: `python -m benchmarks.dispatch --database URL`.

    python -m benchmarks.dispatch --database postgresql+asyncpg://postgres@127.0.0.1/empty [--jobs 1000] [--peer PYTHON]

Jobs are stored first. Then the real dispatcher gives them to a stand-in for the worker that ends each job at once,
stores each step, and gives each answer to a courier that only counts. Measures the time from the first claim to the
last stored answer. Prints jobs a second, by the clock and by the processor time of this process, and transactions a
job.

--peer: a Python with the packages of benchmarks/requirements-dispatch.txt. procrastinate then runs the same number of
empty jobs on the same server, in turns with Barkeep. Its jobs are as durable; each changes its row twice, Barkeep's
four times. Prints the ratio of the medians.
"""

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import asyncpg  # type: ignore[import-untyped]  # asyncpg ships no types

import logs
from benchmarks.queue import GUILDS, Counter, InstantWorker, fill
from storage.database import Storage
from storage.migrations.upgrade import upgrade
from storage.sessions import Sessions
from studio.studio import Studio

CAPACITY = 64
"""The number of jobs at once, in the worker and in procrastinate."""
RUNS = 3
PEER = Path(__file__).parent / "procrastinate_jobs.py"


async def ours(url: str, jobs: int) -> dict[str, float]:
    """Return Barkeep's jobs a second and transactions a job. The database at `url` is emptied first."""
    await _clear(url)
    with tempfile.TemporaryDirectory(prefix="barkeep-dispatch-") as folder:
        storage = await Storage.open(url, Path(folder))
        await fill(storage, jobs)
        worker, courier = InstantWorker(), Counter()
        worker.capacity = CAPACITY
        worker.open.set()
        studio = Studio(storage, worker, courier)
        before = await _commits(url)
        began, worked = perf_counter(), process_time()
        await studio.start()
        for _ in range(jobs):
            await courier.answers.get()
        while await storage.jobs.unanswered():  # noqa: ASYNC110 (the last answers are being stored)
            await asyncio.sleep(0.002)
        took, worked = perf_counter() - began, process_time() - worked
        await studio.close()
    after = await _commits(url)
    return {
        "per_second": jobs / took,
        "per_processor_second": jobs / worked,
        "transactions_each": (after - before) / jobs,
    }


def peer(python: str, url: str, jobs: int) -> float:
    """Return procrastinate's jobs a second, on the same database."""
    address = url.replace("postgresql+asyncpg", "postgresql")
    command = [python, "-P", str(PEER), address, str(jobs), str(CAPACITY)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(done.stdout)["per_second"])


async def _clear(url: str) -> None:
    sessions = Sessions(url, busy_timeout=10)
    await upgrade(sessions)
    await sessions.close()
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute("TRUNCATE guilds, installation RESTART IDENTITY CASCADE")
    await connection.close()


async def _commits(url: str) -> int:
    """Return how many transactions the database has committed."""
    await asyncio.sleep(1.5)  # connections report once a second
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    found: int = await connection.fetchval(
        "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    )
    await connection.close()
    return found


def main() -> None:
    """Measure in turns, and print a line for each run and the ratio."""
    parser = argparse.ArgumentParser("python -m benchmarks.dispatch", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--database", required=True, help="an empty PostgreSQL database; Barkeep's rows in it are deleted"
    )
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--peer", help="a Python with benchmarks/requirements-dispatch.txt")
    options = parser.parse_args()
    logs.configure("ERROR", "text", secrets=[])
    print(f"{options.jobs} jobs of {GUILDS} servers, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before")
    rates: list[float] = []
    peers: list[float] = []
    for _ in range(options.runs):
        run = asyncio.run(ours(options.database, options.jobs))
        rates.append(run["per_second"])
        print("barkeep: " + ", ".join(f"{name} {value:.1f}" for name, value in run.items()), flush=True)
        if options.peer:
            peers.append(peer(options.peer, options.database, options.jobs))
            print(f"procrastinate: per_second {peers[-1]:.1f}", flush=True)
    print(f"barkeep {median(rates):.0f} jobs/s")
    if peers:
        print(f"procrastinate {median(peers):.0f} jobs/s, ratio {median(rates) / median(peers):.2f}")


if __name__ == "__main__":
    main()
