"""Cloning somebody else's recording: the author is asked, answers, and may take the yes back."""

import asyncio
from unittest.mock import AsyncMock

import pytest

from errors import BarkeepError, Conflict, InvalidInput, LimitReached, NotAllowed, NotFound, Unavailable
from storage.consent_records import ConsentState
from storage.records import GuildSettings, JobKind, JobState, NewJob, NewVoice
from studio.clone_requests import ANSWER_WITHIN
from studio.values import CloneOrder
from tests.fakes import sound_bytes
from tests.storage.build import lose_the_next_commit
from tests.studio.conftest import ANN, BOB, CHANNEL, GUILD, MOD, StudioHarness, person, until
from tests.studio.test_clones import ask


async def test_an_author_who_agrees_gives_the_requester_a_voice(harness: StudioHarness) -> None:
    request = await ask(harness)
    assert (request.state, request.expires_at) == (ConsentState.PENDING, harness.clock() + ANSWER_WITHIN)
    assert harness.executor.requests == []
    answered, accepted = await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert answered.state is ConsentState.ALLOWED
    assert accepted is not None
    job = await harness.ended(accepted.id)
    assert (job.state, job.member_id, job.channel_id) == (JobState.DELIVERED, ANN.member_id, ANN.channel_id)
    record = await harness.storage.voices.get(GUILD, int(job.voice_id or 0))
    assert (record.owner_id, record.speaker_id) == (ANN.member_id, BOB.member_id)
    assert await harness.storage.consents.get(GUILD, BOB.member_id) is None
    with pytest.raises(Conflict):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    with pytest.raises(Conflict):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, False)
    assert len(harness.courier.delivered) == 1


async def test_an_author_who_refuses_is_not_asked_again_and_nothing_stays(harness: StudioHarness) -> None:
    request = await ask(harness)
    refused, accepted = await harness.studio.clone_requests.answer(request.id, BOB.member_id, False)
    assert (refused.state, accepted) == (ConsentState.DENIED, None)
    assert harness.files() == []
    assert await harness.storage.consents.get(GUILD, BOB.member_id) is None
    with pytest.raises(NotAllowed, match="said no"):
        await ask(harness)


async def test_only_the_author_answers(harness: StudioHarness) -> None:
    request = await ask(harness)
    for allow in (True, False):
        with pytest.raises(NotAllowed):
            await harness.studio.clone_requests.answer(request.id, ANN.member_id, allow)
    with pytest.raises(NotFound):
        await harness.studio.clone_requests.answer("nothing", BOB.member_id, True)
    assert (await harness.storage.consents.get_request(request.id)).state is ConsentState.PENDING
    assert harness.executor.requests == []


async def test_a_late_answer_counts_for_nothing_and_upkeep_removes_the_recording(harness: StudioHarness) -> None:
    request = await ask(harness)
    with pytest.raises(Conflict, match="already asked this member"):
        await ask(harness, "Another")
    harness.clock.move(hours=49)
    with pytest.raises(Conflict, match="expired"):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    await harness.studio.upkeep()
    assert (await harness.storage.consents.get_request(request.id)).state is ConsentState.EXPIRED
    assert harness.files() == []
    await ask(harness)


async def test_a_yes_that_cannot_be_written_makes_nothing(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question and the job are one transaction: whatever fails in it, there is neither a yes nor a voice."""
    request = await ask(harness)

    async def locked(*_: object) -> None:
        raise Unavailable("The database is locked.")

    monkeypatch.setattr("storage.acceptance.answer_once", locked)
    with pytest.raises(Unavailable):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    monkeypatch.undo()
    assert harness.executor.requests == []
    assert await harness.storage.voices.of_person(GUILD, BOB.member_id) == []
    await harness.studio.clone_requests.answer(request.id, BOB.member_id, False)
    assert harness.files() == []


async def test_a_no_removes_what_an_earlier_version_made_before_the_yes(harness: StudioHarness) -> None:
    """It wrote the clone first and the yes after it, and could die in between."""
    request = await ask(harness)
    job = NewJob(request.id, JobKind.CLONE, GUILD, ANN.channel_id, ANN.member_id, request.order)
    voice = NewVoice(GUILD, ANN.member_id, BOB.member_id, "Bob's voice", "en")
    made, _ = await harness.storage.acceptance.accept_clone(voice, job, GuildSettings(GUILD))
    await harness.studio.clone_requests.answer(request.id, BOB.member_id, False)
    with pytest.raises(NotFound):
        await harness.storage.voices.get(GUILD, made.id)
    assert (await harness.job(request.id)).state is JobState.CANCELLED
    assert harness.files() == []


async def test_a_yes_is_for_one_recording(harness: StudioHarness) -> None:
    request = await ask(harness)
    _, accepted = await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert accepted is not None
    await harness.ended(accepted.id)
    assert await harness.storage.consents.get(GUILD, BOB.member_id) is None
    with pytest.raises(NotAllowed, match="confirm"):
        await harness.studio.clones.submit(BOB, CloneOrder("Bob"), sound_bytes(), None, attested=False)
    again = await ask(harness, "Another")
    assert again.state is ConsentState.PENDING


@pytest.mark.parametrize("under_way", [False, True], ids=["made", "under-way"])
async def test_a_yes_can_be_taken_back_and_takes_its_voice_along(harness: StudioHarness, under_way: bool) -> None:
    own = await harness.voice(BOB, "Bob himself")
    request = await ask(harness)
    release = harness.executor.hold()
    await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    if not under_way:
        release()
        await harness.ended(request.id)
        await harness.storage.jobs.delete_finished({GUILD: harness.clock() + ANSWER_WITHIN})  # The job is not needed.
    for other in (ANN, MOD):
        with pytest.raises(NotAllowed):
            await harness.studio.clone_requests.take_back(request.id, other.member_id)
    taken = await harness.studio.clone_requests.take_back(request.id, BOB.member_id)
    release()
    assert taken.state is ConsentState.WITHDRAWN
    assert [f"v:{voice.id}" for voice in await harness.storage.voices.of_person(GUILD, BOB.member_id)] == [own]
    assert (await harness.studio.clone_requests.take_back(request.id, BOB.member_id)).state is ConsentState.WITHDRAWN
    lines, _ = await harness.storage.audit.read(GUILD, limit=50, offset=0)
    assert [line.action for line in lines].count("consent.withdraw") == 1
    with pytest.raises(NotAllowed, match="took back"):
        await ask(harness)
    await until(lambda: not harness.tasks(), "idle")


async def test_taking_back_again_deletes_what_an_error_left(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await ask(harness)
    await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    await harness.ended(request.id)
    with monkeypatch.context() as broken:
        broken.setattr(harness.storage.voices, "delete", AsyncMock(side_effect=Unavailable("busy")))
        with pytest.raises(Unavailable):
            await harness.studio.clone_requests.take_back(request.id, BOB.member_id)
    await harness.studio.clone_requests.take_back(request.id, BOB.member_id)
    assert await harness.storage.voices.of_person(GUILD, BOB.member_id) == []
    assert harness.files() == []
    lines, _ = await harness.storage.audit.read(GUILD, limit=50, offset=0)
    assert [line.action for line in lines].count("consent.withdraw") == 1


async def test_a_yes_that_was_taken_back_before_its_turn_makes_nothing(harness: StudioHarness) -> None:
    request = await ask(harness)
    harness.executor.hold()
    await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    await harness.storage.consents.withdraw(request.id, BOB.member_id)
    await harness.restart()
    job = await harness.ended(request.id)
    assert job.state is JobState.FAILED
    assert "withdrawn" in (job.error_message or "")
    assert await harness.storage.voices.of_person(GUILD, BOB.member_id) == []


@pytest.mark.parametrize("lost", ["role", "member", "channel", "block"])
async def test_a_yes_counts_with_the_rights_of_its_own_moment(harness: StudioHarness, lost: str) -> None:
    asker = person(ANN.member_id, roles=(7,))
    await harness.studio.admin.change(MOD, clone_role_ids=[7])
    request = await harness.studio.clone_requests.ask_author(asker, BOB.member_id, CloneOrder("Bob's"), sound_bytes())
    harness.courier.roles[ANN.member_id] = {7}
    if lost == "role":
        harness.courier.roles.clear()
    elif lost == "member":
        harness.courier.left.add(ANN.member_id)
    elif lost == "channel":
        await harness.studio.admin.change(MOD, channel_ids=[CHANNEL + 1])
    else:
        await harness.studio.admin.block(MOD, ANN.member_id, "")
    with pytest.raises(NotAllowed, match="can no longer clone voices there"):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert harness.executor.requests == []
    assert (await harness.storage.consents.get_request(request.id)).state is ConsentState.PENDING
    harness.courier.roles[ANN.member_id] = {7}
    harness.courier.left.clear()
    await harness.studio.admin.change(MOD, channel_ids=[])
    if lost == "block":
        await harness.studio.admin.unblock(MOD, ANN.member_id)
    _, accepted = await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert accepted is not None
    await harness.ended(accepted.id)


async def test_only_the_no_of_a_blocked_author_counts(harness: StudioHarness) -> None:
    request = await ask(harness)
    await harness.studio.admin.block(MOD, BOB.member_id, "")
    with pytest.raises(NotAllowed, match="only say no"):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    refused, _ = await harness.studio.clone_requests.answer(request.id, BOB.member_id, False)
    assert refused.state is ConsentState.DENIED
    assert harness.files() == []


async def test_pressing_allow_twice_at_once_makes_one_voice(harness: StudioHarness) -> None:
    request = await ask(harness)
    outcomes = await asyncio.gather(
        *(harness.studio.clone_requests.answer(request.id, BOB.member_id, True) for _ in range(3)),
        return_exceptions=True,
    )
    assert any(not isinstance(outcome, BaseException) for outcome in outcomes)
    assert all(isinstance(outcome, (tuple, BarkeepError)) for outcome in outcomes)
    await harness.ended(request.id)
    assert (await harness.job(request.id)).state is JobState.DELIVERED
    assert len(harness.courier.delivered) == 1


async def test_who_may_not_be_asked_or_ask(harness: StudioHarness) -> None:
    with pytest.raises(InvalidInput, match="own recording"):
        await harness.studio.clone_requests.ask_author(ANN, ANN.member_id, CloneOrder("Ann"), sound_bytes())
    with pytest.raises(NotAllowed, match="someone else"):
        await harness.studio.clones.submit(
            ANN, CloneOrder("Bob", speaker_id=BOB.member_id), sound_bytes(), None, attested=True
        )
    await harness.studio.admin.block(MOD, BOB.member_id, "")
    with pytest.raises(NotAllowed, match="can't be cloned"):
        await ask(harness)
    assert harness.files() == []


async def test_a_requester_blocked_in_between_gets_nothing(harness: StudioHarness) -> None:
    request = await ask(harness)
    await harness.studio.admin.block(MOD, ANN.member_id, "")
    with pytest.raises(NotAllowed, match="can no longer"):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert harness.executor.requests == []
    await harness.studio.admin.unblock(MOD, ANN.member_id)
    _, accepted = await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert accepted is not None
    await harness.ended(accepted.id)


async def test_an_author_who_agrees_reads_what_keeps_the_requester_from_a_voice(harness: StudioHarness) -> None:
    request = await ask(harness)
    await harness.studio.admin.change(MOD, voices_per_member=0)
    with pytest.raises(LimitReached, match="The member who asked"):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    await harness.studio.admin.change(MOD, voices_per_member=5)
    await harness.voice(BOB, "Bob's voice")
    with pytest.raises(Conflict, match="ask you again with another name"):
        await harness.studio.clone_requests.answer(request.id, BOB.member_id, True)
    assert (await harness.storage.consents.get_request(request.id)).state is ConsentState.PENDING


async def test_every_step_is_audited(harness: StudioHarness) -> None:
    await harness.voice()
    request = await ask(harness)
    await harness.studio.clone_requests.answer(request.id, BOB.member_id, False)
    page = await harness.studio.admin.audit(MOD, 1)
    assert [(entry.actor_id, entry.action) for entry in reversed(page.entries)] == [
        (ANN.member_id, "voice.clone"),
        (ANN.member_id, "consent.ask"),
        (BOB.member_id, "consent.deny"),
    ]
    await until(lambda: not harness.tasks(), "idle")


async def test_a_request_whose_answer_was_lost_bars_no_later_one(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its author was not asked."""
    order, requests = CloneOrder("Bob", speaker_id=BOB.member_id), harness.studio.clone_requests
    put = harness.storage.files.put_upload

    async def then_lose(key: str, data: bytes) -> None:
        await put(key, data)
        lose_the_next_commit(harness.storage, monkeypatch)

    with monkeypatch.context() as broken:
        broken.setattr(harness.storage.files, "put_upload", then_lose)
        with pytest.raises(Unavailable):
            await requests.ask_author(ANN, BOB.member_id, order, sound_bytes())
    assert harness.files() == []
    request = await requests.ask_author(ANN, BOB.member_id, order, sound_bytes())
    assert harness.files() == [f"uploads/{request.id}"]
