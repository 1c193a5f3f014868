"""List the files whose functions run during one `/say` or `/clone`: `python -m benchmarks.say_path [clone]`.

The real bot runs in simcord's Discord with the real worker, the model of the settings and a built-in speaker. Python
calls are traced in both processes from the command to the answer, without the bot's periodic work. Prints each file
with its functions, and the number of files in each process and in total. Files of the simulator and of benchmarks are
left out.
"""

import asyncio
import inspect
import json
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

import logs
from assembly import create_bot
from cloning.worker import protocol, server
from settings import Settings
from simulator.live import LiveEnv
from simulator.simulated_server import build
from storage.records import JobState

ROOT = Path(__file__).parent.parent
DELIVERED = (JobState.DELIVERED,)
TEXT = "Hello there, my friend."
RECORDING = ROOT / "simulator" / "media" / "sample.flac"
_NOT_COUNTED = ("simulator", "benchmarks", "tests", ".venv")
_WORKER = "import sys; sys.path.insert(0, sys.argv.pop(1)); from benchmarks.say_path import work; work(*sys.argv[1:])"


class FunctionCalls:
    """Traces the project's functions: writes a line `file:function` to `path` when a function runs for the first time.

    `start`: tracing begins with the function of this code; None: it begins at once.
    """

    def __init__(self, path: Path, start: CodeType | None = None) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._waits_for = start
        self._seen: set[CodeType] = set()
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or code in self._seen:
            return
        if self._waits_for is not None:
            if code is not self._waits_for:
                return
            self._waits_for = None
        self._seen.add(code)
        path = Path(code.co_filename)
        if code.co_flags & inspect.CO_OPTIMIZED and path.is_relative_to(ROOT):  # not set for modules and classes
            name = path.relative_to(ROOT)
            if name.parts[0] not in _NOT_COUNTED:
                self._file.write(f"{name}:{code.co_qualname}\n")


def work(path: str, configuration: str) -> None:
    """Run a speech worker, and trace its functions to `path` from its first request on."""
    FunctionCalls(Path(path), protocol.decode.__code__)
    server.main([configuration])


async def trace(folder: Path, command: str) -> tuple[list[str], list[str]]:
    """Return the functions that ran during `command`, in the bot's process and in the worker's."""
    ours, theirs = folder / "bot", folder / "worker"

    def worker_command(configuration: Any) -> list[str]:
        return [sys.executable, "-c", _WORKER, str(ROOT), str(theirs), json.dumps(configuration)]

    apart = {"discord_token": None, "database_url": None, "data_dir": folder / "data"}
    with patch("assembly.worker_command", worker_command):
        bot = create_bot(Settings().model_copy(update=apart))
        world = build(LiveEnv(bot))
        await world.env.start()
    try:
        while (ready := bot.studio.executor.health().ready) is None:  # noqa: ASYNC110  # health has no event
            await asyncio.sleep(0.5)
        bot._upkeep.cancel()
        jobs = bot.studio.storage.jobs
        FunctionCalls(ours)
        if command == "say":
            await world.member.slash(world.channel, "say", text=TEXT, voice=f"s:{ready.speakers[0]}")
        else:
            form = await world.member.slash(
                world.channel, "clone", name="Ada", audio=(RECORDING.name, RECORDING.read_bytes())
            )
            await world.member.submit_modal(form, {"consent": True})
        while not await jobs.of_member(world.guild.id, world.member.id, states=DELIVERED):  # noqa: ASYNC110  # storage has none
            await asyncio.sleep(0.5)
        sys.setprofile(None)
        return ours.read_text().splitlines(), theirs.read_text().splitlines()
    finally:
        await world.env.shutdown()


def table(calls: Iterable[str]) -> dict[str, list[str]]:
    """Return file -> its functions."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in calls:
        file, _, function = line.partition(":")
        found[file].append(function)
    return dict(sorted(found.items()))


def main() -> None:
    """Trace one command and print the files and functions that ran."""
    command = "clone" if sys.argv[1:] == ["clone"] else "say"
    logs.configure("ERROR", "text")
    with tempfile.TemporaryDirectory(prefix="barkeep-path-") as folder:
        ours, theirs = map(table, asyncio.run(trace(Path(folder), command)))
    for name, files in (("bot", ours), ("worker", theirs)):
        print(f"{name}: {len(files)} files")
        for file, functions in files.items():
            print(f"  {file}: {', '.join(functions)}")
    print(f"both: {len(ours.keys() | theirs.keys())} files")


if __name__ == "__main__":
    main()
