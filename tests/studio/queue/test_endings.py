"""Jobs that end: with a result, with an error, or because their worker was lost."""

from functools import reduce

import pytest

from errors import Unavailable
from storage.records import JobState
from storage.sessions import BUSY
from studio.queue.endings import ATTEMPTS
from tests.studio.conftest import StudioHarness, person, until


async def test_an_unknown_error_becomes_an_apology_with_its_reference(harness: StudioHarness) -> None:
    harness.executor.fail_next("Unknown", "ref-77")
    job = await harness.ended((await harness.say()).id)
    assert job.error_kind == "Unknown"
    assert job.error_message is not None
    assert job.error_message.startswith("Something went wrong")
    assert "ref-77" in job.error_message


async def test_a_lost_worker_costs_one_retry_and_no_second_answer(harness: StudioHarness) -> None:
    harness.executor.lose_next()
    job = await harness.ended((await harness.clone()).id)
    assert (job.state, job.attempts) == (JobState.DELIVERED, 2)
    assert len(harness.courier.of(job.id)) == 1
    assert [update for job_id, update in harness.courier.updates if update.retrying and job_id == job.id]


async def test_a_job_that_loses_worker_after_worker_is_given_up(harness: StudioHarness) -> None:
    harness.executor.lose_next(times=ATTEMPTS)
    job = await harness.ended((await harness.clone()).id)
    assert (job.state, job.error_kind) == (JobState.FAILED, Unavailable.__name__)
    assert len(harness.executor.requests) == ATTEMPTS
    assert len(harness.courier.of(job.id)) == 1
    assert harness.files() == []


@pytest.mark.parametrize("act", ["say", "clone"])
@pytest.mark.parametrize("step", ["jobs.ready", "jobs.find", "voices.make_ready", "files.keep_result"])
async def test_a_busy_moment_at_completion_throws_nothing_away(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, step: str, act: str
) -> None:
    release = harness.executor.hold()
    accepted = await (harness.say() if act == "say" else harness.clone())
    await until(lambda: bool(harness.executor.requests), "the request")
    *path, name = step.split(".")
    holder = reduce(getattr, path, harness.storage)
    work, busy = getattr(holder, name), [Unavailable(BUSY)] * 3

    async def sometimes(*arguments: object, **options: object) -> object:
        if busy:
            raise busy.pop()
        return await work(*arguments, **options)

    monkeypatch.setattr(holder, name, sometimes)
    release()
    await until(lambda: not harness.tasks(), "idle")
    job = await harness.job(accepted.id)
    assert job.state is JobState.DELIVERED
    assert len(harness.courier.of(job.id)) == 1


async def test_a_worker_that_dies_in_company_costs_only_the_reason(harness: StudioHarness) -> None:
    """As many wait as the worker holds, and one of those that it holds kills it each time."""
    await harness.restart(capacity=8)
    harness.executor.deadly = "poison"
    queued = [await harness.say("poison" if n == 3 else f"line {n}", actor=person(n, guild_id=n)) for n in range(8)]
    queued += [await harness.say(f"later {n}", actor=person(n, guild_id=n)) for n in range(8)]
    jobs = [await harness.ended(accepted.id) for accepted in queued]
    assert [job.state for n, job in enumerate(jobs) if n != 3] == [JobState.DELIVERED] * 15
    assert (jobs[3].state, jobs[3].attempts) == (JobState.FAILED, ATTEMPTS)
    assert max(job.attempts for n, job in enumerate(jobs) if n != 3) <= 2


async def test_a_job_that_was_not_begun_loses_no_attempt(harness: StudioHarness) -> None:
    harness.executor.silent = True
    harness.executor.lose_next(times=2 * ATTEMPTS)
    job = await harness.ended((await harness.say()).id)
    assert (job.state, job.attempts) == (JobState.DELIVERED, 0)


async def test_two_deaths_that_had_other_reasons_fail_no_job(harness: StudioHarness) -> None:
    harness.executor.lose_next(times=2)
    assert (await harness.ended((await harness.say()).id)).state is JobState.DELIVERED
