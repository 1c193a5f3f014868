"""Measure the time to the first answer when many members act at once: `python -m benchmarks.first_answers`.

    python -m benchmarks.first_answers [--clones 200] [--others 400] [--database URL]

The real bot runs in simcord's Discord, in real time, without a speech model. Members of 20 servers act at the same
moment: `--clones` of them use `/clone`, `/voices import` and "Clone this voice", a third each; the others use `/say`.
Measures the time from an interaction to the bot's first request for it, and the processor time of the process in
between, which does not depend on other programs. The simulated Discord is in the same process. Prints a table in
Markdown.
"""

import argparse
import asyncio
import os
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from math import ceil
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import logs
from benchmarks.queue import InstantWorker
from cogs.client import Barkeep
from simulator.live import LiveEnv, default_adapter
from storage.database import Storage
from studio.studio import Studio
from studio.values import Courier

SERVERS = 20
RECORDING = ("me.wav", b"RIFF" + bytes(1000))
PROMPT = ("voice.npz", b"PK" + bytes(1000))
VOICE = "s:v2/en_speaker_0"
_PATIENCE = 60.0

Act = Callable[[], Awaitable[Any]]
Moment = tuple[float, float]
"""A point in time: seconds by the clock, and seconds of processor time of this process."""


def _now() -> Moment:
    return perf_counter(), process_time()


class TimedEnv(LiveEnv):
    """A simcord environment that records when each interaction was sent and first answered. Actions do not block."""

    def __init__(self, bot: Barkeep) -> None:
        super().__init__(bot)
        self.kind = ""
        """The kind of the interactions that are sent now."""
        self._sent: dict[int, tuple[str, Moment]] = {}
        self._answered: dict[int, Moment] = {}
        self.all_answered = asyncio.Event()

    async def start(self) -> None:
        """Attach the bot, and record its requests."""
        await super().start()
        request = self._webhook_adapter.request

        async def noted(route: Any, *arguments: Any, **options: Any) -> Any:
            path = str(route.url)
            if "/interactions/" in path:
                self._answered.setdefault(int(path.split("/interactions/")[1].split("/")[0]), _now())
                if len(self._answered) == len(self._sent):
                    self.all_answered.set()
            return await request(route, *arguments, **options)

        self._webhook_adapter.request = default_adapter().request = noted

    def waited(self) -> dict[str, list[Moment]]:
        """Return the times from each interaction to its first answer, by kind."""
        waited: dict[str, list[Moment]] = defaultdict(list)
        for number, (kind, sent) in self._sent.items():
            answered = self._answered[number]
            waited[kind].append((answered[0] - sent[0], answered[1] - sent[1]))
        return waited

    def _notify_dispatch_observers(self, interaction: Any) -> None:
        self._sent[int(interaction.id)] = self.kind, _now()

    async def _settle_internal(self, **_: Any) -> None:
        """Return at once, where simcord would wait until the bot is idle."""


async def measure(url: str, folder: Path, clones: int, others: int) -> dict[str, list[Moment]]:
    """Return the times from each interaction to its first answer, by kind, with a database at `url`."""
    worker = InstantWorker()

    async def open_studio(courier: Courier) -> Studio:
        return Studio(await Storage.open(url, folder), worker, courier)

    env = TimedEnv(Barkeep(open_studio, shard_count=1))
    await env.start()
    try:
        acts = await _acts(env, clones, others)
        await asyncio.gather(*(_act(env, kind, act) for kind, act in acts))
        async with asyncio.timeout(_PATIENCE):
            await env.all_answered.wait()
        return env.waited()
    finally:
        worker.open.set()
        await env.shutdown()


async def _act(env: TimedEnv, kind: str, act: Act) -> None:
    env.kind = kind  # no other task runs until the interaction is sent
    await act()


async def _acts(env: TimedEnv, clones: int, others: int) -> list[tuple[str, Act]]:
    """Return the members' actions with their kinds: the kinds alternate, and servers get equal numbers."""
    servers = [env.create_guild(f"Server {number}") for number in range(SERVERS)]
    channels = [server.create_text_channel("voices") for server in servers]
    acts: list[tuple[str, Act]] = []
    for number in range(clones + others):
        channel = channels[number % SERVERS]
        member = servers[number % SERVERS].add_member(env.create_user(f"member-{number}"))
        if number * clones // (clones + others) == (number + 1) * clones // (clones + others):
            acts.append(("/say", partial(member.slash, channel, "say", text="Good evening.", voice=VOICE)))
        else:
            acts.append(await _clone(member, channel, number * clones // (clones + others)))
    return acts


async def _clone(member: Any, channel: Any, number: int) -> tuple[str, Act]:
    """Return action `number` of those that make a voice, with its kind; the three kinds alternate."""
    name = f"Voice {number}"
    if number % 3 == 0:
        return "/clone", partial(member.slash, channel, "clone", name=name, audio=RECORDING)
    if number % 3 == 1:
        return "/voices import", partial(member.slash, channel, "voices import", name=name, file=PROMPT)
    message = await member.send(channel, attachments=[RECORDING])
    return "Clone this voice", partial(member.context_menu, channel, "Clone this voice", message)


def main() -> None:
    """Measure and print a row for each kind."""
    parser = argparse.ArgumentParser("python -m benchmarks.first_answers", description=__doc__)
    parser.add_argument("--clones", type=int, default=200, help="members who make a voice")
    parser.add_argument("--others", type=int, default=400, help="members who use /say")
    parser.add_argument("--database", help="an empty database; SQLite in a temporary folder if left out")
    options = parser.parse_args()
    logs.configure("CRITICAL", "text", secrets=[])  # the bot closes during commands, and would log errors
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="barkeep-answers-") as folder:
        url = options.database or f"sqlite+aiosqlite:///{folder}/answers.sqlite3"
        waited = asyncio.run(measure(url, Path(folder), options.clones, options.others))
    print(f"{os.cpu_count()} processors, load {load:.1f} before\n")
    print("| | at once | median, ms | p99, ms | longest, ms | p99, ms of the processor |\n|---|---|---|---|---|---|")
    for kind, each in (*sorted(waited.items()), ("all", [one for some in waited.values() for one in some])):
        by_clock, by_processor = (sorted(seconds) for seconds in zip(*each, strict=True))
        late = ceil(0.99 * len(each)) - 1
        times = by_clock[len(each) // 2], by_clock[late], by_clock[-1], by_processor[late]
        print(f"| {kind} | {len(each)} | " + " | ".join(f"{1000 * seconds:.0f}" for seconds in times) + " |")


if __name__ == "__main__":
    main()
