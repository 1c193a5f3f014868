"""What goes with a voice, besides the voice."""

import pytest

from storage.records import ConsentState, JobState, Visibility
from studio.values import CloneOrder
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, House, until


async def shared(house: House) -> str:
    """A voice of Ann's that everyone may use."""
    key = await house.voice()
    await house.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    return key


async def test_a_line_that_is_being_spoken_with_a_deleted_voice_is_stopped(house: House) -> None:
    key = await shared(house)
    release = house.executor.hold()
    speaking = await house.say(actor=BOB, voice=key)
    await until(lambda: house.executor.requests[-1].job_id == speaking.job.id, "the request")
    waiting = await house.say(actor=BOB, voice=key)
    await house.studio.library.delete(ANN, key)
    release()
    assert (await house.ended(speaking.job.id)).state is JobState.CANCELLED
    refused = await house.ended(waiting.job.id)
    assert (refused.state, refused.error_message) == (
        JobState.FAILED,
        "The voice was deleted before your request started.",
    )
    assert all(answer.audio is None for job in (speaking, waiting) for answer in house.courier.of(job.job.id))
    assert house.files() == []


@pytest.mark.parametrize("way", ["delete", "revoke", "forget"])
async def test_a_recording_that_nobody_got_yet_goes_with_its_voice(house: House, way: str) -> None:
    key = await shared(house)
    house.courier.reachable = False
    receipt = await house.say(actor=BOB, voice=key)
    await house.left(receipt.job.id)
    assert [name for name in house.files() if name.startswith("results")]
    if way == "delete":
        await house.studio.admin.remove_voice(MOD, key)
    else:
        await getattr(house.studio.privacy, way)(ANN)
    assert house.files() == []
    assert (await house.studio.jobs.fetch(BOB, receipt.job.id)).audio is None


async def test_the_clone_of_a_deleted_voice_no_longer_says_whose_it_was(house: House) -> None:
    request = await house.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder("Bobby"), sound_bytes())
    answered, receipt = await house.studio.clones.answer(request.id, BOB.member_id, True)
    assert answered.state is ConsentState.ALLOWED
    assert receipt is not None
    job = await house.ended(receipt.job.id)
    assert job.order["name"] == "Bobby"
    await house.studio.privacy.forget(BOB)
    assert (await house.storage.jobs.get(job.id)).order == {}
    assert await house.storage.voices.of_person(GUILD, BOB.member_id) == []
