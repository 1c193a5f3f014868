"""Measure speech in voice channels: `python -m benchmarks.voice_channel`.

discord.py's client sends end-to-end encrypted packets to the simulator's server, which decrypts them in the same
process. Measures the time from a finished sentence to its first packet; the intervals of packets, alone and while the
speech worker speaks with the bundled model; the processor time of ten channels at once; and the memory that an hour of
sound takes.
"""

import argparse
import asyncio
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from itertools import pairwise
from pathlib import Path

import numpy as np

import logs
from assembly import worker_configuration
from benchmarks.queue import Counter, InstantWorker
from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.media import audio
from cloning.worker.executor import SubprocessExecutor, worker_command
from cloning.worker.protocol import Failed, Lost, Progress, Ready, SpeakRequest, Spoken
from cogs.channel.connection import DiscordConnection, DiscordVoice
from cogs.channel.source import SILENCE, LineSource
from cogs.client import Barkeep
from settings import Settings
from simulator.live import LiveEnv
from simulator.voice.lounge import Lounge
from simulator.voice.packets import Hear, Packet
from storage.database import Storage
from studio.channel.lines import Line, Piece
from studio.studio import Studio
from studio.values import Courier

CHANNELS = 10
STARTS = 100
"""The number of timed sentences."""
RATE = 24_000
TEXT = "Good evening, and welcome to the lounge. What would you like to drink tonight? " * 5
TICKS = os.sysconf("SC_CLK_TCK")


class Calls:
    """The bot in `count` voice channels. `heard`: the packets received by the server, by channel id."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._bot = Barkeep(self._open_studio)
        self._env = LiveEnv(self._bot)
        self._lounge = Lounge(self._env, self._hear)
        self._places: list[tuple[int, int]] = []
        self.heard: dict[int, list[Packet]] = {}
        self.connections: list[DiscordConnection] = []
        for number in range(count):
            guild = self._env.create_guild(f"Server {number}")
            self._places.append((guild.id, guild.create_voice_channel("lounge").id))

    async def open(self) -> None:
        """Enter every channel."""
        await self._env.start()
        voice = DiscordVoice(self._bot)
        for guild_id, channel_id in self._places:
            self.connections.append(await voice.connect(guild_id, channel_id, lambda: None))
        while not all(connection.ready for connection in self.connections):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Leave every channel, and stop the bot and the server."""
        for connection in self.connections:
            await connection.close()
        await self._env.shutdown()
        await self._lounge.close()

    def _hear(self, channel_id: int) -> Hear:
        return self.heard.setdefault(channel_id, []).append

    async def _open_studio(self, courier: Courier) -> Studio:
        storage = await Storage.open(f"sqlite+aiosqlite:///{self._folder}/voice.sqlite3", self._folder)
        return Studio(storage, InstantWorker(), Counter())


@asynccontextmanager
async def _calls(count: int) -> AsyncIterator[Calls]:
    with tempfile.TemporaryDirectory() as folder:
        calls = Calls(Path(folder), count)
        try:
            await calls.open()
            yield calls
        finally:
            await calls.close()


def _sound(folder: Path, seconds: float) -> Path:
    """Return a file of noise in the format of the worker's speech. Write it if it is missing."""
    path = folder / f"{seconds}.ogg"
    if not path.exists():
        noise = np.random.default_rng(1).normal(0.0, 0.1, round(seconds * RATE)).astype(np.float32)
        audio.write(path, noise, RATE, tags={})
    return path


def _line(path: Path) -> Line:
    line = Line("benchmark", "noise", "")
    line.add(Piece(path))
    line.close()
    return line


async def starts(folder: Path) -> list[float]:
    """Return the seconds from the end of each sentence, which its line waits for, to its first packet at the server."""
    found = []
    async with _calls(1) as calls:
        (heard,) = calls.heard.values()
        for _ in range(STARTS):
            heard.clear()
            line = Line("benchmark", "noise", "")
            task = asyncio.create_task(calls.connections[0].play(line))
            await asyncio.sleep(0.05)
            ready = time.perf_counter()
            line.add(Piece(_sound(folder, 0.1)))
            line.close()
            await task
            await asyncio.sleep(0.05)
            found.append(next(packet.at for packet in heard if packet.opus != SILENCE) - ready)
    return found


async def gaps(folder: Path, seconds: float, *, busy: bool = False) -> list[float]:
    """Return the seconds between the packets of one long line. busy: while the speech worker speaks."""
    async with _speaking(folder) if busy else nullcontext(), _calls(1) as calls:
        await calls.connections[0].play(_line(_sound(folder, seconds)))
        await asyncio.sleep(0.2)
        (heard,) = calls.heard.values()
        times = [packet.at for packet in heard if packet.opus != SILENCE]
    return [after - before for before, after in pairwise(times)]


async def many(folder: Path, seconds: float) -> tuple[float, float, int]:
    """Play a line in all channels at once.

    Returns processor seconds a second, of the senders and of the whole process, and the number of lost packets.
    """
    async with _calls(CHANNELS) as calls:
        file = _sound(folder, seconds)
        lines = [asyncio.create_task(connection.play(_line(file))) for connection in calls.connections]
        await asyncio.sleep(1)
        before, senders_before, began = time.process_time(), _senders(), time.perf_counter()
        await asyncio.sleep(seconds - 3)
        spent, senders = time.process_time() - before, _senders() - senders_before
        passed = time.perf_counter() - began
        await asyncio.gather(*lines)
        await asyncio.sleep(0.2)
        sent = round(seconds / 0.02)
        lost = sum(sent - sum(packet.opus not in (None, SILENCE) for packet in heard) for heard in calls.heard.values())
    return senders / passed, spent / passed, max(0, lost)


def _senders() -> float:
    """Return the processor seconds that discord.py's player threads have used."""
    spent = 0
    for thread in threading.enumerate():
        if thread.name.startswith("audio-player"):
            stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_text("ascii")
            fields = stat.rpartition(")")[2].split()
            spent += int(fields[11]) + int(fields[12])
    return spent / TICKS


def memory(folder: Path) -> tuple[float, int]:
    """Read an hour of sound without pauses. Return the growth of the process in MiB and the number of packets."""
    piece = Piece(_sound(folder, 30.0), 0.0)
    line = Line("benchmark", "noise", "")
    for _ in range(120):
        line.add(piece)
    line.close()
    source = LineSource(line, lambda: True)
    packets = sum(1 for _ in range(1000) if source.read())
    before = _resident()
    while source.read():
        packets += 1
    return _resident() - before, packets


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


@asynccontextmanager
async def _speaking(folder: Path) -> AsyncIterator[None]:
    """Keep the real speech worker at work inside `with`, with the bundled model and as many lines as it takes."""
    settings = Settings(data_dir=folder)
    command = worker_command(worker_configuration(settings))
    executor = SubprocessExecutor(command, job_timeout=settings.job_timeout, capacity=settings.batch)
    await executor.start()
    ready = asyncio.Event()
    task = asyncio.create_task(_keep_speaking(executor, folder, ready))
    try:
        await ready.wait()
        yield
    finally:
        task.cancel()
        await executor.close()


async def _keep_speaking(executor: SubprocessExecutor, folder: Path, begun: asyncio.Event) -> None:
    """Submit as many lines as the worker takes, and a new one when one ends. Sets `begun` at the first progress."""
    async for event in executor.events():
        if isinstance(event, Progress):
            begun.set()
        if isinstance(event, Failed | Lost):
            sys.exit(f"The speech worker failed: {event}")
        for _ in range(executor.capacity if isinstance(event, Ready) else isinstance(event, Spoken)):
            output = Path(tempfile.mkdtemp(dir=folder))
            await executor.submit(SpeakRequest(output.name, TEXT, output, speaker=ANY_SPEAKER))


def _spread(name: str, values: list[float]) -> str:
    values = sorted(1000 * value for value in values)
    p95, p99 = (values[int(len(values) * part)] for part in (0.95, 0.99))
    figures = (statistics.median(values), p95, p99, values[-1], statistics.pstdev(values))
    return f"| {name} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |"


def main() -> None:
    """Measure, and print a table and two sentences."""
    parser = argparse.ArgumentParser("python -m benchmarks.voice_channel", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the lines are")
    seconds = parser.parse_args().seconds
    logs.configure("ERROR", "text", secrets=[])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| milliseconds | median | p95 | p99 | most | sd |\n| --- | ---: | ---: | ---: | ---: | ---: |")
        print(_spread("sentence ready to first packet", asyncio.run(starts(folder))), flush=True)
        print(_spread("between packets", asyncio.run(gaps(folder, seconds))), flush=True)
        busy = asyncio.run(gaps(folder, seconds, busy=True))
        print(_spread("between packets, the speech worker at work", busy), flush=True)
        senders, process, lost = asyncio.run(many(folder, seconds))
        print(
            f"\n{CHANNELS} channels: {senders:.1%} of a core to send, {process:.1%} with the server that listens; "
            f"{lost} packets lost."
        )
        grown, packets = memory(folder)
        print(f"An hour of sound ({packets:,} packets): {grown:+.1f} MiB.")


if __name__ == "__main__":
    main()
