"""Measure how the cost of a job depends on the length of the queue: `python -m benchmarks.queue`.

Uses an SQLite file and a stand-in for the worker. Measures, in CPU time, which does not depend on other programs: the
acceptance of a line of speech, a job from its start to its answer, and the longest time for which the event loop was
blocked meanwhile.
"""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import process_time, thread_time

import logs
from cloning.consent.answer import SpokenAnswer
from cloning.consent.packages import NOT_INSTALLED
from cloning.prompt import BARK
from cloning.watermark.finding import Finding
from cloning.worker.protocol import SPEECH_FILE, Event, Health, Progress, Ready, Request, SpeakRequest, Spoken
from errors import Unavailable
from storage.database import Storage
from storage.records import GuildSettings, JobKind, JobRecord, NewJob
from studio.queue.job_payload import SpeechPayload
from studio.studio import Studio
from studio.values import Actor, Delivery, Outcome, SayOrder, Update

GUILDS = 20
MEMBERS = 50
"""Members of each server."""
JOBS = 40
"""The number of jobs that are measured: accepted, then run."""
LIMIT = 1_000_000
VOICE = "s:v2/en_speaker_0"
_READY = Ready("stand-in", "stand-in", "cpu", ("v2/en_speaker_0",), BARK)


class InstantWorker:
    """An executor (`cloning.worker.protocol.Executor`) that completes each job immediately once `open` is set."""

    capacity = 8

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def start(self) -> None:
        """Do nothing."""

    async def submit(self, request: Request) -> None:
        """Do the job at once."""
        await self.open.wait()
        if isinstance(request, SpeakRequest):
            (request.output_dir / SPEECH_FILE).write_bytes(b"OggS")  # no thread: a worker is another process
            self._events.put_nowait(Progress(request.job_id, "speaking", 0.5))
            self._events.put_nowait(Spoken(request.job_id, 1.0, 1, 1))

    async def events(self) -> AsyncIterator[Event]:
        """Yield all events."""
        while True:
            yield await self._events.get()

    async def cancel(self, job_id: str) -> None:
        """Do nothing: jobs end immediately."""

    async def check(self, source: Path) -> Finding:
        """Report the recording as unmarked."""
        return Finding("unmarked", 0.0, (), 1.0, 1.0)

    @property
    def consent_languages(self) -> tuple[str, ...]:
        """Return no languages: spoken consent is not recognised."""
        return ()

    async def listen(self, source: Path, answer: Path, sentence: str) -> SpokenAnswer:
        """Raise Unavailable, as the real executor does without a recogniser."""
        raise Unavailable(NOT_INSTALLED)

    def health(self) -> Health:
        """Report the worker as ready."""
        return Health(alive=True, ready=_READY, error=None, restarts=0)

    async def close(self) -> None:
        """Do nothing."""


class Counter:
    """A courier (`studio.values.Courier`) that puts the job id of each delivered answer into `answers`."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[str] = asyncio.Queue()

    async def actor(self, guild_id: int, channel_id: int, member_id: int) -> Actor | None:
        """Return a member without roles."""
        return Actor(guild_id, member_id, channel_id, frozenset(), is_moderator=False)

    async def has_left(self, guild_id: int, member_id: int) -> bool:
        """Return False."""
        return False

    def update(self, job: JobRecord, update: Update) -> None:
        """Ignore updates."""

    async def deliver(self, outcome: Outcome, *, last: bool = False) -> Delivery | None:
        """Record the answer as delivered."""
        self.answers.put_nowait(outcome.job.id)
        return Delivery("interaction", 1)


async def measure(waiting: int) -> tuple[float, float, float]:
    """Return CPU milliseconds with `waiting` queued jobs: to accept a line, to run a job, the longest loop block."""
    with tempfile.TemporaryDirectory() as folder:
        storage = await Storage.open(f"sqlite+aiosqlite:///{folder}/queue.sqlite3", Path(folder))
        await fill(storage, waiting)
        worker, courier = InstantWorker(), Counter()
        studio = Studio(storage, worker, courier)
        await studio.start()
        await asyncio.sleep(0.5)
        async with _longest_block() as block:
            began = process_time()
            for number in range(JOBS):
                await _say(studio, number)
            accepted = process_time()
            worker.open.set()
            for _ in range(JOBS):
                await courier.answers.get()
            answered = process_time()
        await studio.close()
    return 1000 * (accepted - began) / JOBS, 1000 * (answered - accepted) / JOBS, 1000 * block()


async def fill(storage: Storage, waiting: int) -> None:
    """Lift the limits of GUILDS servers, and store `waiting` queued jobs of them."""
    limits = {name: LIMIT for name in GuildSettings.__dataclass_fields__ if name.startswith(("jobs_", "seconds_"))}
    settings = {guild: (await storage.guilds.change(guild, **limits))[1] for guild in range(1, GUILDS + 1)}
    order = SpeechPayload("Good evening.", VOICE, "en", None, None, 1 << 23, ()).to_json()
    for number in range(waiting):
        guild = 1 + number % GUILDS
        member = 1000 * guild + number // GUILDS % MEMBERS
        job = NewJob(f"job-{number}", JobKind.SPEECH, guild, 1, member, order, expected_seconds=1.0)
        await storage.acceptance.accept_speech(job, settings[guild])


async def _say(studio: Studio, number: int) -> None:
    guild = 1 + number % GUILDS
    actor = Actor(guild, 1000 * guild + number // GUILDS, 1, frozenset(), is_moderator=False)
    await studio.speech.submit(actor, SayOrder("Good evening.", VOICE), {}, None, max_bytes=1 << 23)


@asynccontextmanager
async def _longest_block() -> AsyncIterator[Callable[[], float]]:
    """Yield a function that returns the longest CPU time between two turns of the event loop so far, in seconds."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = thread_time()
            await asyncio.sleep(0.001)
            longest = max(longest, thread_time() - before)

    task = asyncio.create_task(tick())
    try:
        yield lambda: longest
    finally:
        task.cancel()


def main() -> None:
    """Print a row for each length of the queue."""
    parser = argparse.ArgumentParser("python -m benchmarks.queue", description=__doc__)
    logs.configure("WARNING", "text", secrets=[])
    parser.add_argument("waiting", type=int, nargs="*", default=[100, 10_000], help="queued jobs")
    print("| waiting | accept a line, ms | work on a job, ms | loop blocked, ms |")
    print("| ---: | ---: | ---: | ---: |")
    for waiting in parser.parse_args().waiting:
        row = asyncio.run(measure(waiting))
        print(f"| {waiting:,} | " + " | ".join(f"{value:.1f}" for value in row) + " |", flush=True)


if __name__ == "__main__":
    main()
