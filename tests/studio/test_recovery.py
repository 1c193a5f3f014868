"""Restarts and crashes: no accepted job is lost, and none is answered twice."""

import asyncio
import random
from datetime import datetime, timedelta

import pytest

from storage.records import JobKind, JobRecord, JobState
from studio.queue.endings import ATTEMPTS
from studio.queue.lease import LEASE
from tests.studio.conftest import BOB, StudioHarness, person, until


async def test_a_restart_resumes_what_runs_and_what_waits(harness: StudioHarness) -> None:
    harness.executor.hold()
    running, waiting = await harness.clone(), await harness.say("later", actor=BOB)
    await harness.reaches(running.id, JobState.RUNNING)
    await harness.restart()
    one, two = await harness.ended(running.id), await harness.ended(waiting.id)
    assert (one.state, one.attempts) == (JobState.DELIVERED, 1)
    assert two.state is JobState.DELIVERED
    assert len(harness.courier.delivered) == 2


async def test_a_killed_process_loses_no_job(harness: StudioHarness) -> None:
    """Nothing is closed: the job stays running in the name of a process that is gone."""
    harness.executor.hold()
    queued = await harness.clone()

    async def is_begun() -> bool:
        return (await harness.job(queued.id)).attempts == 1

    await until(is_begun, "the worker")
    await harness.kill()
    await harness.open()
    await harness.studio.start()
    job = await harness.ended(queued.id)
    assert (job.state, job.attempts) == (JobState.DELIVERED, 2)


async def test_a_job_of_another_machine_is_taken_over_when_its_lease_lapses(harness: StudioHarness) -> None:
    harness.executor.hold()
    first = await harness.say("in the way")
    await harness.reaches(first.id, JobState.RUNNING)
    other = await harness.say("elsewhere")
    assert await harness.storage.jobs.claim(other.id, "elsewhere/1/ab", LEASE) is not None
    await harness.studio.upkeep()
    assert (await harness.job(other.id)).state is JobState.RUNNING
    harness.clock.now += LEASE + timedelta(seconds=1)
    await harness.studio.upkeep()
    assert (await harness.job(other.id)).state is JobState.QUEUED
    own = await harness.job(first.id)
    assert own.state is JobState.RUNNING
    assert own.lease_until == harness.clock() + LEASE


@pytest.mark.parametrize("attempts", [0, ATTEMPTS])
async def test_a_job_whose_lease_is_renewed_in_the_last_moment_is_not_taken_over(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    harness.executor.hold()
    await harness.reaches((await harness.say("in the way")).id, JobState.RUNNING)
    theirs = (await harness.say("elsewhere")).id
    owner, jobs = "elsewhere/1/ab", harness.storage.jobs
    assert await jobs.claim(theirs, owner, LEASE) is not None
    for _ in range(attempts):
        await jobs.begun(theirs, owner)
    harness.clock.now += LEASE + timedelta(seconds=1)
    expired = jobs.expired

    async def read_just_before(now: datetime) -> list[JobRecord]:
        found = await expired(now)
        assert await jobs.renew([theirs], owner, LEASE) == {theirs}
        return found

    monkeypatch.setattr(jobs, "expired", read_just_before)
    await harness.studio.upkeep()
    held = await harness.job(theirs)
    assert (held.state, held.lease_owner, held.attempts) == (JobState.RUNNING, owner, attempts)


@pytest.mark.parametrize("step", ["make_ready", "ready"])
async def test_a_crash_between_the_steps_of_a_clone_is_finished_later(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The process dies before the voice's row, or before the job's: the next one ends with one voice and one answer."""
    repository = harness.storage.voices if step == "make_ready" else harness.storage.jobs
    release = harness.executor.hold()
    queued = await harness.clone()
    await harness.reaches(queued.id, JobState.RUNNING)
    died: list[bool] = []

    async def die(*_: object, **__: object) -> None:
        died.append(True)
        await until(lambda: False, "the end of the process")

    monkeypatch.setattr(repository, step, die)
    release()
    await until(lambda: bool(died), step)
    await harness.kill()
    monkeypatch.undo()
    await harness.open()
    await harness.studio.start()
    job = await harness.ended(queued.id)
    assert job.state is JobState.DELIVERED
    assert len(harness.courier.of(job.id)) == 1
    assert len(harness.executor.requests) == (1 if step == "make_ready" else 0)
    assert [name.rsplit("/")[-1] for name in harness.files()] == ["clip.flac", "prompt.npz"]


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_every_accepted_job_ends_and_is_answered(harness: StudioHarness, seed: int) -> None:
    """Lost workers, errors, cancellations, crashes and restarts in any order."""
    chance = random.Random(seed)
    accepted: list[str] = []
    for step in range(25):
        actor = person(chance.randrange(1, 4), guild_id=900 + chance.randrange(2))
        match chance.choice(["clone", "say", "say", "say", "lose", "fail", "cancel", "restart", "kill", "pause"]):
            case "clone":
                accepted.append((await harness.clone(actor, f"Voice {step}")).id)
            case "say":
                accepted.append((await harness.say(f"line {step}", actor=actor, voice="English speaker 6")).id)
            case "lose":
                harness.executor.lose_next(chance.randrange(1, 3))
            case "fail":
                harness.executor.fail_next()
            case "cancel" if accepted:
                await harness.studio.dispatcher.cancel(chance.choice(accepted))
            case "restart":
                await harness.restart(capacity=chance.randrange(1, 3))
            case "kill":
                await harness.kill()
                await harness.open()
                await harness.studio.start()
            case _:
                await asyncio.sleep(chance.random() * 0.05)
    for job_id in accepted:
        job = await harness.ended(job_id)
        assert len(harness.courier.of(job_id)) >= 1
        if job.kind is JobKind.CLONE:
            made = await harness.storage.voices.find(job.guild_id, job.order["name"])
            assert (made is not None) == (job.state is JobState.DELIVERED)
    await harness.studio.close()
    await harness.open()
    assert not [name for name in harness.files() if not name.startswith("voices/")]
    voices = {name.split("/")[1] for name in harness.files()}
    states = [await harness.job(job_id) for job_id in accepted]
    delivered = [job for job in states if job.kind is JobKind.CLONE and job.state is JobState.DELIVERED]
    assert voices == {f"{job.guild_id}-{job.voice_id}" for job in delivered}
