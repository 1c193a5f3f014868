"""What goes with a voice, besides the voice."""

import pytest

from storage.consent_records import ConsentState
from storage.records import JobState, Visibility
from studio.values import CloneOrder
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, StudioHarness, until


async def shared(harness: StudioHarness) -> str:
    """A voice of Ann's that everyone may use."""
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    return key


async def test_a_line_that_is_being_spoken_with_a_deleted_voice_is_stopped(harness: StudioHarness) -> None:
    key = await shared(harness)
    release = harness.executor.hold()
    speaking = await harness.say(actor=BOB, voice=key)
    await until(lambda: harness.executor.requests[-1].job_id == speaking.id, "the request")
    waiting = await harness.say(actor=BOB, voice=key)
    await harness.studio.library.delete(ANN, key)
    release()
    assert (await harness.ended(speaking.id)).state is JobState.CANCELLED
    refused = await harness.ended(waiting.id)
    assert (refused.state, refused.error_message) == (
        JobState.FAILED,
        "The voice was deleted before your request started.",
    )
    assert all(answer.audio is None for job in (speaking, waiting) for answer in harness.courier.of(job.id))
    assert harness.files() == []


@pytest.mark.parametrize("way", ["delete", "revoke", "forget"])
async def test_a_recording_that_nobody_got_yet_goes_with_its_voice(harness: StudioHarness, way: str) -> None:
    key = await shared(harness)
    harness.courier.reachable = False
    accepted = await harness.say(actor=BOB, voice=key)
    await harness.left(accepted.id)
    assert [name for name in harness.files() if name.startswith("results")]
    if way == "delete":
        await harness.studio.admin.remove_voice(MOD, key)
    else:
        await getattr(harness.studio.privacy, way)(ANN)
    assert harness.files() == []
    assert (await harness.studio.jobs.fetch(BOB, accepted.id)).audio is None


async def test_the_clone_of_a_deleted_voice_no_longer_says_whose_it_was(harness: StudioHarness) -> None:
    request = await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    answered, accepted = await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert answered.state is ConsentState.ALLOWED
    assert accepted is not None
    job = await harness.ended(accepted.id)
    assert job.order["name"] == "Bobby"
    await harness.studio.privacy.forget(BOB)
    assert (await harness.job(job.id)).order == {}
    assert await harness.storage.voices.of_person(GUILD, BOB.member_id) == []
