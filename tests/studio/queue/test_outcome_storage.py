"""What the end of a job does to rows and files."""

from typing import Any

import pytest

from cloning.worker.protocol import SpeakRequest
from errors import Unavailable
from storage.records import JobRecord, JobState
from tests.storage.build import lose_the_next_commit
from tests.studio.conftest import ANN, GUILD, MAX_BYTES, StudioHarness, hold_before_work, until


async def test_a_clone_becomes_a_voice_and_leaves_nothing_else(harness: StudioHarness) -> None:
    accepted = await harness.clone()
    job = await harness.ended(accepted.id)
    assert job.state is JobState.DELIVERED
    assert job.voice_id is not None
    [answer] = harness.courier.of(job.id)
    assert answer.outcome.voice is not None
    assert answer.outcome.voice.record is not None
    assert answer.outcome.voice.record.model == "tiny"
    assert answer.outcome.voice.record.report is not None
    assert harness.files() == [f"voices/{GUILD}-{job.voice_id}/clip.flac", f"voices/{GUILD}-{job.voice_id}/prompt.npz"]
    assert harness.tasks() == []


async def test_speech_is_delivered_with_its_sound_which_is_then_dropped(harness: StudioHarness) -> None:
    key = await harness.voice()
    accepted = await harness.say("Good **evening**.", voice=key)
    job = await harness.ended(accepted.id)
    [answer] = harness.courier.of(job.id)
    assert answer.audio is not None
    assert answer.audio.startswith(b"OggS")
    assert job.state is JobState.DELIVERED
    assert job.message_id is not None
    assert job.result == {"seconds": 1.0, "seed": 7, "sentences": 1}
    request = harness.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert request.text == "Good evening."
    assert request.prompt is not None
    assert request.tags["ai_generated"] == "true"
    assert request.max_bytes == MAX_BYTES
    assert not [name for name in harness.files() if not name.startswith("voices/")]


async def test_a_failed_clone_frees_its_name_and_its_files(harness: StudioHarness) -> None:
    harness.executor.fail_next("InvalidInput", "No speech was found.")
    job = await harness.ended((await harness.clone()).id)
    assert (job.state, job.error_kind, job.error_message) == (JobState.FAILED, "InvalidInput", "No speech was found.")
    assert await harness.storage.voices.find(GUILD, "Ann") is None
    assert harness.files() == []
    await harness.voice()


async def test_a_queued_clone_that_is_cancelled_frees_its_name_though_the_databases_answer_was_lost(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = harness.executor.hold()
    before = await harness.clone(name="Bea")
    await harness.reaches(before.id, JobState.RUNNING)
    accepted = await harness.clone()
    lose_the_next_commit(harness.storage, monkeypatch)
    with pytest.raises(Unavailable):
        await harness.studio.jobs.cancel(ANN, accepted.id)
    await harness.studio.upkeep()
    await harness.reaches(accepted.id, JobState.CANCELLED)
    assert await harness.storage.voices.find(GUILD, "Ann") is None
    assert not [name for name in harness.files() if accepted.id in name]
    release()
    assert (await harness.ended(before.id)).state is JobState.DELIVERED  # its name was reserved, and stays


async def test_a_clone_that_is_cancelled_before_its_work_frees_its_name_though_the_databases_answer_was_lost(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, go_on = hold_before_work(harness, monkeypatch)
    accepted = await harness.clone()
    await held.wait()
    lose_the_next_commit(harness.storage, monkeypatch)
    with pytest.raises(Unavailable):
        await harness.studio.jobs.cancel(ANN, accepted.id)
    await harness.studio.upkeep()
    go_on.set()
    assert (await harness.ended(accepted.id)).state is JobState.CANCELLED
    assert harness.executor.requests == []
    assert await harness.storage.voices.find(GUILD, "Ann") is None
    assert harness.files() == []


async def test_a_result_that_comes_after_the_cancellation_changes_nothing(harness: StudioHarness) -> None:
    """The worker had finished in the very moment: its event is on the way when the job is cancelled."""
    release = harness.executor.hold()
    accepted = await harness.clone()
    await harness.reaches(accepted.id, JobState.RUNNING)
    assert await harness.storage.jobs.cancel(accepted.id) is not None
    release()
    await until(lambda: not harness.tasks(), "idle")
    assert (await harness.job(accepted.id)).state is JobState.CANCELLED
    assert harness.courier.delivered == []
    assert not [name for name in harness.files() if name.startswith(("voices", "staging"))]


async def test_a_full_disk_at_the_end_fails_the_job_with_its_sentence(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(harness.storage.files, "adopt_voice", full)
    job = await harness.ended((await harness.clone()).id)
    assert (job.error_kind, job.error_message) == ("Unavailable", "The disk is full.")
    assert harness.files() == []


async def test_a_error_nobody_expected_ends_the_job_and_not_the_queue(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(harness.storage.files, "keep_result", broken)
    job = await harness.ended((await harness.say()).id)
    assert job.error_kind == "Unknown"
    assert "ZeroDivision" not in (job.error_message or "")
    monkeypatch.undo()
    assert (await harness.ended((await harness.say()).id)).state is JobState.DELIVERED


async def test_a_voice_that_is_ready_though_its_answer_was_lost_keeps_no_recording(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = harness.storage.jobs.ready
    lost: list[JobRecord | None] = []

    async def lose_the_answer(*given: Any, **named: Any) -> JobRecord | None:
        done = await ready(*given, **named)
        if not lost:
            lost.append(done)
            raise Unavailable("The connection was lost.")
        return done

    monkeypatch.setattr(harness.storage.jobs, "ready", lose_the_answer)
    accepted = await harness.clone()
    await harness.reaches(accepted.id, JobState.READY)
    await until(lambda: not harness.tasks(), "idle")
    await harness.studio.upkeep()
    job = await harness.ended(accepted.id)
    assert job.state is JobState.DELIVERED
    assert all(name.startswith("voices/") for name in harness.files())


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_cancelled_clone_frees_its_name_though_the_databases_answer_was_lost(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch, *, is_done: bool
) -> None:
    release = harness.executor.hold()
    accepted = await harness.clone()
    await harness.reaches(accepted.id, JobState.RUNNING)
    lose_the_next_commit(harness.storage, monkeypatch)
    with pytest.raises(Unavailable):
        await harness.studio.jobs.cancel(ANN, accepted.id)
    if is_done:
        release()
        await until(lambda: not harness.tasks(), "idle")
    await harness.studio.upkeep()
    await harness.ended(accepted.id)
    assert await harness.storage.voices.find(GUILD, "Ann") is None
    assert harness.files() == []
