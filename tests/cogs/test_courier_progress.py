"""News is thinned out, the last of it is shown, and none follows the answer."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from cogs.courier import ProgressMessages
from storage.records import JobRecord
from studio.values import Update
from tests.cogs.ui.test_render import job

EVERY = 0.05


class Screen:
    """Takes notes of what is shown; `gate` holds an edit under way, `wanted` is what `Show` returns."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, float, float]] = []
        self.gate: asyncio.Event | None = None
        self.wanted = True

    async def show(self, job: JobRecord, update: Update) -> bool:
        if self.gate is not None:
            await self.gate.wait()
        self.shown.append((job.id, update.fraction, asyncio.get_running_loop().time()))
        return self.wanted

    def fractions(self, job_id: str = "job-1") -> list[float]:
        return [fraction for shown, fraction, _ in self.shown if shown == job_id]


@pytest.fixture
def screen() -> Screen:
    return Screen()


async def test_the_first_news_is_shown_at_once(screen: Screen) -> None:
    progress = ProgressMessages(screen.show, every=60.0)
    progress.put(job(), Update(stage="x", fraction=0.1))
    await asyncio.sleep(0.01)
    assert screen.fractions() == [0.1]
    await progress.close()


async def test_news_is_coalesced_and_the_last_is_shown(screen: Screen) -> None:
    progress = ProgressMessages(screen.show, every=EVERY)
    for step in range(100):
        progress.put(job(), Update(stage="x", fraction=step / 100))
        await asyncio.sleep(0.002)
    await asyncio.sleep(3 * EVERY)
    assert screen.fractions()[-1] == 0.99
    times = [at for _, _, at in screen.shown]
    assert len(times) >= 3
    assert all(later - earlier >= EVERY * 0.9 for earlier, later in pairwise(times))
    await progress.close()


async def test_two_jobs_do_not_wait_for_each_other(screen: Screen) -> None:
    progress = ProgressMessages(screen.show, every=60.0)
    progress.put(job(id="a"), Update(stage="x", fraction=0.1))
    progress.put(job(id="b"), Update(stage="x", fraction=0.2))
    await asyncio.sleep(0.01)
    assert (screen.fractions("a"), screen.fractions("b")) == ([0.1], [0.2])
    await progress.close()


async def test_nothing_is_shown_after_the_answer(screen: Screen) -> None:
    progress = ProgressMessages(screen.show, every=EVERY)
    progress.put(job(), Update(stage="x", fraction=0.1))
    await asyncio.sleep(0.01)
    progress.put(job(), Update(stage="x", fraction=0.2))
    await progress.finish("job-1")
    progress.put(job(), Update(stage="x", fraction=0.3))
    await asyncio.sleep(3 * EVERY)
    assert screen.fractions() == [0.1]


async def test_the_answer_waits_for_an_edit_under_way(screen: Screen) -> None:
    progress = ProgressMessages(screen.show, every=EVERY)
    screen.gate = asyncio.Event()
    progress.put(job(), Update(stage="x", fraction=0.1))
    await asyncio.sleep(0.01)
    finishing = asyncio.create_task(progress.finish("job-1"))
    await asyncio.sleep(0.02)
    assert not finishing.done()
    screen.gate.set()
    await finishing
    assert screen.fractions() == [0.1]


async def test_a_line_that_cannot_be_shown_is_given_up(screen: Screen) -> None:
    screen.wanted = False
    progress = ProgressMessages(screen.show, every=EVERY)
    for step in range(5):
        progress.put(job(), Update(stage="x", fraction=step / 10))
        await asyncio.sleep(2 * EVERY)
    assert screen.fractions() == [0.0]


async def test_finishing_twice_or_without_news_is_harmless(screen: Screen) -> None:
    progress = ProgressMessages(screen.show, every=EVERY)
    await progress.finish("unknown")
    await progress.finish("unknown")
    progress.put(replace(job(), id="unknown"), Update(position=1))
    await asyncio.sleep(0.01)
    assert screen.shown == []
