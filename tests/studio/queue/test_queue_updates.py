"""Estimates for members who wait."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloning.text.durations import expected_seconds
from storage.records import JobKind, JobRecord, JobState
from studio.queue.queue_updates import LEAST_SECONDS, REMEMBERED, JobEstimates, seconds_left
from tests.studio.conftest import BOB, StudioHarness
from tests.studio.queue.test_fair_order import job

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEXT = "The lamps along the harbour were lit one after the other, and nobody spoke for a while."


def done(seconds: float, *, spoken: float | None = None) -> JobRecord:
    """A job that took so long: a clone, or so many seconds of speech."""
    kind = JobKind.CLONE if spoken is None else JobKind.SPEECH
    ended = NOON + timedelta(seconds=seconds)
    return replace(job(1, 1, 1), kind=kind, started_at=NOON, finished_at=ended, result={"seconds": spoken})


def waiting(text: str = TEXT) -> JobRecord:
    return replace(job(2, 1, 1), order={"text": text, "voice": "s:x", "language": "en"})


def test_without_experience_there_is_no_estimate() -> None:
    estimates = JobEstimates()
    estimates.learn([job(1, 1, 1)])  # One that never began.
    assert estimates.of(waiting()) is None
    assert estimates.of(replace(waiting(), kind=JobKind.CLONE)) is None
    assert estimates.until_start(3, 1) is None
    assert seconds_left(None, NOON, NOON) is None


def test_speech_takes_as_long_as_there_is_to_say() -> None:
    estimates = JobEstimates()
    estimates.learn([done(20.0, spoken=4.0), done(24.0, spoken=4.0), done(4000.0, spoken=4.0), done(2.0)])
    assert estimates.of(waiting()) == pytest.approx(6.0 * expected_seconds(TEXT, "en"))
    assert estimates.of(replace(waiting(), kind=JobKind.CLONE)) == 2.0
    assert estimates.of(replace(waiting(), order={})) is None  # Kept by another version.


def test_only_the_latest_count() -> None:
    estimates = JobEstimates()
    estimates.learn([done(900.0)] * REMEMBERED + [done(2.0)] * REMEMBERED)
    assert estimates.of(replace(waiting(), kind=JobKind.CLONE)) == 2.0


def test_the_time_in_the_queue_goes_by_place_and_capacity() -> None:
    estimates = JobEstimates()
    estimates.learn([done(10.0), done(30.0, spoken=3.0)])
    assert [estimates.until_start(place, 1) for place in (0, 1, 3)] == [None, 20.0, 60.0]
    assert [estimates.until_start(place, 2) for place in (1, 2, 3)] == [20.0, 20.0, 40.0]
    estimates.learn([done(1.0)] * REMEMBERED)
    assert estimates.until_start(1, 1) is None


def test_what_is_left_shrinks_and_is_not_told_when_the_estimate_was_wrong() -> None:
    assert seconds_left(40.0, NOON, NOON + timedelta(seconds=30)) == 10.0
    assert seconds_left(40.0, NOON, NOON + timedelta(seconds=40)) is None
    assert seconds_left(40.0, None, NOON) is None
    assert seconds_left(LEAST_SECONDS - 1, NOON, NOON) is None


async def test_members_are_told_after_the_first_job_and_after_a_restart(harness: StudioHarness) -> None:
    async def spoken(seconds: float) -> None:
        release = harness.executor.hold()
        accepted = await harness.say(TEXT)
        await harness.reaches(accepted.id, JobState.RUNNING)
        await harness.begun(accepted.id)
        harness.clock.move(seconds=seconds)
        release()
        await harness.ended(accepted.id)

    await spoken(50.0)
    await harness.restart()
    harness.courier.updates.clear()
    release = harness.executor.hold()
    first = await harness.say(TEXT)
    await harness.begun(first.id)
    second = await harness.say(TEXT, actor=BOB)
    await harness.studio.upkeep()
    told = {job_id: update.seconds_left for job_id, update in harness.courier.updates}
    assert told[first.id] == pytest.approx(50.0 * expected_seconds(TEXT, "en"))  # One second was spoken in 50 s.
    assert told[second.id] == 50.0
    release()
    for accepted in (first, second):
        await harness.ended(accepted.id)
