"""What the end of a job does to rows and files."""

import pytest

from cloning.worker.protocol import SpeakRequest
from errors import Unavailable
from storage.records import JobState
from tests.studio.conftest import GUILD, MAX_BYTES, House, until


async def test_a_clone_becomes_a_voice_and_leaves_nothing_else(house: House) -> None:
    receipt = await house.clone()
    job = await house.ended(receipt.job.id)
    assert job.state is JobState.DELIVERED
    assert job.voice_id is not None
    [answer] = house.courier.of(job.id)
    assert answer.outcome.voice is not None
    assert answer.outcome.voice.record is not None
    assert answer.outcome.voice.record.model == "tiny"
    assert answer.outcome.voice.record.report is not None
    assert house.files() == [f"voices/{GUILD}-{job.voice_id}/clip.flac", f"voices/{GUILD}-{job.voice_id}/prompt.npz"]
    assert house.tasks() == []


async def test_speech_is_delivered_with_its_sound_which_is_then_dropped(house: House) -> None:
    key = await house.voice()
    receipt = await house.say("Good **evening**.", voice=key)
    job = await house.ended(receipt.job.id)
    [answer] = house.courier.of(job.id)
    assert answer.audio is not None
    assert answer.audio.startswith(b"OggS")
    assert job.state is JobState.DELIVERED
    assert job.message_id is not None
    assert job.result == {"seconds": 1.0, "seed": 7, "sentences": 1}
    request = house.executor.requests[-1]
    assert isinstance(request, SpeakRequest)
    assert request.text == "Good evening."
    assert request.prompt is not None
    assert request.tags["ai_generated"] == "true"
    assert request.max_bytes == MAX_BYTES
    assert not [name for name in house.files() if not name.startswith("voices/")]


async def test_a_failed_clone_frees_its_name_and_its_files(house: House) -> None:
    house.executor.fail_next("InvalidInput", "No speech was found.")
    job = await house.ended((await house.clone()).job.id)
    assert (job.state, job.error_kind, job.error_message) == (JobState.FAILED, "InvalidInput", "No speech was found.")
    assert await house.storage.voices.find(GUILD, "Ann") is None
    assert house.files() == []
    await house.voice()


async def test_a_result_that_comes_after_the_cancellation_changes_nothing(house: House) -> None:
    """The worker had finished in the very moment: its event is on the way when the job is cancelled."""
    release = house.executor.hold()
    receipt = await house.clone()
    await house.reaches(receipt.job.id, JobState.RUNNING)
    assert await house.storage.jobs.cancel(receipt.job.id) is not None
    release()
    await until(lambda: not house.tasks(), "idle")
    assert (await house.storage.jobs.get(receipt.job.id)).state is JobState.CANCELLED
    assert house.courier.delivered == []
    assert not [name for name in house.files() if name.startswith(("voices", "staging"))]


async def test_a_full_disk_at_the_end_fails_the_job_with_its_sentence(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(house.storage.files, "adopt_voice", full)
    job = await house.ended((await house.clone()).job.id)
    assert (job.error_kind, job.error_message) == ("Unavailable", "The disk is full.")
    assert house.files() == []


async def test_a_error_nobody_expected_ends_the_job_and_not_the_queue(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(house.storage.files, "keep_result", broken)
    job = await house.ended((await house.say()).job.id)
    assert job.error_kind == "Unknown"
    assert "ZeroDivision" not in (job.error_message or "")
    monkeypatch.undo()
    assert (await house.ended((await house.say()).job.id)).state is JobState.DELIVERED
