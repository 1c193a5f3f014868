"""Measure the memory of the speech worker over many short requests: `python -m benchmarks.worker_memory [REQUESTS]`.

The real worker speaks with the bundled model: repeatedly six lines one by one, then four at once. Prints its resident
memory after some of the lines. Linux only.
"""

import asyncio
import itertools
import sys
import tempfile
from pathlib import Path

from assembly import worker_configuration
from cloning.worker.executor import SubprocessExecutor, worker_command
from cloning.worker.protocol import Failed, Lost, Ready, SpeakRequest, Spoken
from settings import Settings

REQUESTS = 200
LINES = ("Good evening.", "What would you like to drink tonight?", "Yes, of course.", "That will be three pounds.")
GROUPS = (1, 1, 1, 1, 1, 1, 4)
"""The numbers of lines that are spoken at once, group by group."""
SPEAKER = "Heart"
PATIENCE = 600.0
"""Timeouts in seconds: on a busy machine, the worker may make no progress for a while."""
SHOWN = (1, 20, 50, 100, 150)
"""Memory is shown after these numbers of lines, and after the last one."""


async def measure(requests: int, folder: Path) -> None:
    """Speak `requests` lines and print the worker's megabytes. Raises RuntimeError if a line fails."""
    settings = Settings(data_dir=folder)
    command = worker_command(worker_configuration(settings))
    executor = SubprocessExecutor(command, job_timeout=PATIENCE, heartbeat_timeout=PATIENCE, capacity=settings.batch)
    await executor.start()
    groups, lines = itertools.cycle(GROUPS), itertools.cycle(LINES)
    shown = [*(count for count in SHOWN if count < requests), requests]
    done = at_work = 0
    try:
        async for event in executor.events():
            match event:
                case Failed() | Lost():
                    raise RuntimeError(f"a line failed: {event}")
                case Spoken():
                    done, at_work = done + 1, at_work - 1
                case Ready():
                    pass
                case _:
                    continue
            if done >= shown[0]:
                shown = shown[1:]
                print(f"{done:6} lines {_resident(_child()):8.1f} MB", flush=True)
            if done >= requests:
                return
            if at_work == 0:
                at_work = next(groups)
                for number in range(at_work):
                    output = Path(tempfile.mkdtemp(dir=folder))
                    await executor.submit(SpeakRequest(output.name, next(lines), output, speaker=SPEAKER, seed=number))
    finally:
        await executor.close()


def _child() -> int:
    """Return the worker's process id: this process has no other children."""
    tasks = Path("/proc/self/task").glob("*/children")
    return int(" ".join(task.read_text("ascii") for task in tasks).split()[0])


def _resident(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS, Path(name)))
