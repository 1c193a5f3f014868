"""Measure procrastinate's jobs a second, for benchmarks/dispatch.py: `python procrastinate_jobs.py URL JOBS AT_ONCE`.

Needs a Python with procrastinate. Stores JOBS empty jobs, then runs AT_ONCE at a time, and measures the time from the
worker's start to the end of the last job. Prints a line of JSON.
"""

import asyncio
import json
import sys
from time import perf_counter

import procrastinate  # type: ignore[import-not-found]  # only the peer's Python has it
import psycopg  # type: ignore[import-not-found]

_FRESH = ("DROP SCHEMA IF EXISTS procrastinate CASCADE", "CREATE SCHEMA procrastinate")


async def main(url: str, jobs: int, at_once: int) -> float:
    """Return the number of jobs a second. Raises RuntimeError if not all jobs ran."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for statement in _FRESH:
            await connection.execute(statement)
    connector = procrastinate.PsycopgConnector(
        conninfo=url, kwargs={"options": "-c search_path=procrastinate"}, min_size=1, max_size=16
    )
    app = procrastinate.App(connector=connector)
    done = 0

    @app.task(name="nothing")  # type: ignore[untyped-decorator]
    async def nothing(number: int) -> None:
        nonlocal done
        done += 1

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await nothing.batch_defer_async(*({"number": number} for number in range(jobs)))
        began = perf_counter()
        await app.run_worker_async(concurrency=at_once, wait=False, install_signal_handlers=False)
        took = perf_counter() - began
    if done != jobs:
        raise RuntimeError(f"{done} of {jobs} jobs were done")
    return jobs / took


if __name__ == "__main__":
    print(json.dumps({"per_second": asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))}))
