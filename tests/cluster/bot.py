"""A bot without Discord: a studio whose speech is made by the cluster, and whose answers are written down.

As a program (`python -m tests.cluster.bot FOLDER ADDRESS TEXT ...`) it says the texts, or with none what an earlier
process left, and ends when every job is answered.
"""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from assembly import create_executor
from settings import Settings
from storage.database import Storage
from studio.studio import Studio
from studio.values import Delivery, Outcome, SayOrder
from tests.fakes import FakeCourier
from tests.studio.conftest import MAX_BYTES, person

TOKEN = "a-long-random-word-of-these-tests"  # noqa: S105 (it guards nothing)
PLACES = 4
ANSWERS = "answers"
_UPKEEP_SECONDS = 2.0


class WritingCourier(FakeCourier):
    """Writes a line for every answer, before it says that it arrived."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    async def deliver(self, outcome: Outcome, *, last: bool = False) -> Delivery | None:
        size = 0 if outcome.audio is None else (await asyncio.to_thread(outcome.audio.stat)).st_size
        await asyncio.to_thread(self._write, f"{outcome.job.id} {outcome.job.state.value} {size}\n")
        return await super().deliver(outcome, last=last)

    def _write(self, line: str) -> None:
        with self._file.open("a") as file:
            file.write(line)


class Bot:
    """A running studio. `folder`: its data, and the answers."""

    def __init__(self, folder: Path, studio: Studio, courier: WritingCourier) -> None:
        self.folder = folder
        self.studio = studio
        self.courier = courier

    async def say(self, text: str, member: int = 1) -> str:
        """Have a line accepted. Its job's id."""
        order = SayOrder(text)
        queued = await self.studio.speech.submit(person(member), order, {}, None, max_bytes=MAX_BYTES)
        return queued.id

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = 600) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110  # some of it happens in other processes
                    await asyncio.sleep(0.05)
        except TimeoutError:
            nodes = self.studio.executor.health()
            raise AssertionError(f"waited in vain for {what}; {counts(self.folder)}; {nodes}") from None

    async def until_places(self, places: int) -> None:
        """Wait until the nodes take this many jobs at once."""
        await self.until(
            lambda: sum(node.capacity for node in self.studio.executor.health().nodes) == places, f"{places} places"
        )

    async def until_answered(self) -> None:
        await self.until(lambda: all_answered(self.folder), "the answers")

    def begun(self, job_id: str) -> bool:
        """Whether a worker has told of a job."""
        return any(update.stage for id_, update in self.courier.updates if id_ == job_id)

    def running(self) -> dict[str, int]:
        """Node -> jobs there."""
        return {node.name: node.running for node in self.studio.executor.health().nodes}


def cluster_settings(folder: Path, address: str, **others: Any) -> Settings:
    """The settings of a bot of the cluster at `address`. others: more of them."""
    return Settings(
        _env_file=None,
        executor="ray",
        ray_address=address,
        ray_auth_token=SecretStr(TOKEN),
        batch=PLACES,
        data_dir=folder,
        **others,
    )


@asynccontextmanager
async def open_bot(folder: Path, address: str, **others: Any) -> AsyncIterator[Bot]:
    """Start a bot, with the bundled model on the nodes of the cluster at `address`, unless other settings say else."""
    settings = cluster_settings(folder, address, **others)
    storage = await Storage.open(settings.database, folder)
    courier = WritingCourier(folder / ANSWERS)
    studio = Studio(storage, create_executor(settings), courier)
    await studio.start()
    upkeep = asyncio.create_task(_keep_up(studio))
    try:
        yield Bot(folder, studio, courier)
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
        await studio.close()


async def _keep_up(studio: Studio) -> None:
    while True:
        await asyncio.sleep(_UPKEEP_SECONDS)
        await studio.upkeep()


def counts(folder: Path) -> dict[str, int]:
    """State -> jobs, in SQL."""
    with closing(sqlite3.connect(folder / "barkeep.sqlite3")) as database:
        return dict(database.execute("SELECT state, count(*) FROM jobs GROUP BY state"))


def all_answered(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / "barkeep.sqlite3")) as database:
        (left,) = database.execute("SELECT count(*) FROM jobs WHERE answered_at IS NULL").fetchone()
    return bool(left == 0)


def begun(folder: Path) -> int:
    """How many running jobs a worker has begun; 0 while there is no table."""
    query = "SELECT count(*) FROM jobs WHERE state = 'running' AND started_at IS NOT NULL"
    with closing(sqlite3.connect(folder / "barkeep.sqlite3")) as database, suppress(sqlite3.OperationalError):
        return int(database.execute(query).fetchone()[0])
    return 0


def answers(folder: Path) -> list[tuple[str, str]]:
    """(job, state) of every answer that was brought, in order; each has sound."""
    lines = [line.split() for line in (folder / ANSWERS).read_text().splitlines()]
    assert all(int(size) > 1000 for _, _, size in lines), lines
    return [(job, state) for job, state, _ in lines]


async def _main(folder: Path, address: str, texts: list[str]) -> None:
    async with open_bot(folder, address) as bot:
        for text in texts:
            await bot.say(text)
        await bot.until_answered()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
