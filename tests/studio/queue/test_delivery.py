"""Answers and news: patience, silence after the end, and what is left to fetch."""

import asyncio
from pathlib import Path

import pytest

from errors import Unavailable
from storage.records import JobRecord, JobState
from studio.queue.delivery import PAUSES
from studio.queue.progress_updates import News
from studio.values import Update
from tests.fakes import FakeCourier
from tests.studio.conftest import ANN, House, until


async def test_a_passing_fault_is_outwaited(house: House) -> None:
    house.courier.faults.extend([Unavailable("500"), Unavailable("429")])
    job = await house.ended((await house.say()).job.id)
    assert job.state is JobState.DELIVERED
    assert house.slept == list(PAUSES[:2])
    assert len(house.courier.of(job.id)) == 1


@pytest.mark.parametrize("fault", [Unavailable("500"), ZeroDivisionError()], ids=["unavailable", "unexpected"])
async def test_what_cannot_be_delivered_stays_to_be_fetched(house: House, fault: Exception) -> None:
    house.courier.faults.extend([fault] * (len(PAUSES) + 1))
    receipt = await house.say()
    await house.left(receipt.job.id)
    assert house.slept == (list(PAUSES) if isinstance(fault, Unavailable) else [])
    assert [job.id for job, _ in await house.studio.jobs.mine(ANN)] == [receipt.job.id]
    outcome = await house.studio.jobs.fetch(ANN, receipt.job.id)
    assert outcome.audio is not None


async def test_the_next_start_tries_again(house: House) -> None:
    house.courier.reachable = False
    receipt = await house.say()
    await house.left(receipt.job.id)
    house.courier.reachable = True
    await house.restart()
    job = await house.ended(receipt.job.id)
    [answer] = house.courier.of(job.id)
    assert answer.audio is not None


async def test_an_answer_that_storage_cannot_note_is_noted_later_and_not_sent_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, attempts = house.storage.jobs.answered, []

    async def locked(job_id: str, message_id: int | None) -> JobRecord | None:
        attempts.append(job_id)
        if len(attempts) == 1:
            raise Unavailable("The database is locked.")
        return await answered(job_id, message_id)

    monkeypatch.setattr(house.storage.jobs, "answered", locked)
    job = await house.ended((await house.say()).job.id)
    assert len(attempts) == 2
    assert len(house.courier.of(job.id)) == 1


async def test_an_answer_that_storage_cannot_read_yet_is_brought_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, attempts = house.storage.files.result, []

    async def refusing(job_id: str) -> Path | None:
        attempts.append(job_id)
        if len(attempts) == 1:
            raise Unavailable("The disk does not answer.")
        return await result(job_id)

    monkeypatch.setattr(house.storage.files, "result", refusing)
    job = await house.ended((await house.say()).job.id)
    assert (job.state, house.slept) == (JobState.DELIVERED, [PAUSES[0]])


async def test_closing_does_not_wait_for_a_slow_delivery(house: House) -> None:
    held = asyncio.Event()

    async def never(_: object) -> None:
        held.set()
        await asyncio.Event().wait()

    house.courier.deliver = never  # type: ignore[method-assign,assignment]  # Discord that does not answer
    await house.say()
    await held.wait()
    await asyncio.wait_for(house.studio.close(), 2)
    assert house.tasks() == []


async def test_news_is_replaced_by_newer_news_and_ends_with_the_job(house: House) -> None:
    receipt = await house.say()
    job = await house.ended(receipt.job.id)
    gate, courier = asyncio.Event(), FakeCourier()
    show = courier.update

    async def slow(job: JobRecord, update: Update) -> None:
        await show(job, update)
        await gate.wait()

    courier.update = slow  # type: ignore[method-assign]  # Discord's limits
    news = News(lambda: courier)
    news.tell(job, Update(position=3))
    await until(lambda: bool(courier.updates), "the first news")
    for position in (2, 1):
        news.tell(job, Update(position=position))
    stopping = asyncio.create_task(news.stop(job.id))
    await asyncio.sleep(0)
    assert not stopping.done()
    gate.set()
    await stopping
    assert [shown.position for _, shown in courier.updates] == [3]
    news.tell(job, Update(position=2))
    news.tell(job, Update(position=1))
    await until(lambda: not house.tasks(), "idle")
    assert [shown.position for _, shown in courier.updates] == [3, 1]
    await news.close()
