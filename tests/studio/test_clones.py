"""Accepting clones: consent, rights, names, limits, and other people's voices."""

import asyncio

import pytest

from cloning.worker.protocol import CloneRequest
from errors import BarkeepError, Conflict, InvalidInput, LimitReached, NotAllowed, NotFound, Unavailable
from storage.records import ConsentRequest, ConsentState, JobState
from studio.clones import ANSWER_WITHIN, MAX_RECORDING_BYTES
from studio.values import POLICY_VERSION, CloneOrder
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, STRANGER, House, origin, until


async def ask(house: House, name: str = "Bob's voice") -> ConsentRequest:
    """Ann asks Bob."""
    return await house.studio.clones.ask_author(ANN, BOB.member_id, CloneOrder(name), sound_bytes())


async def test_consent_is_remembered_per_server_and_policy(house: House) -> None:
    clones = house.studio.clones
    assert await clones.needs_consent(ANN)
    with pytest.raises(NotAllowed, match="confirm"):
        await clones.submit(ANN, CloneOrder("Ann"), sound_bytes(), None)
    await clones.attest(ANN)
    assert not await clones.needs_consent(ANN)
    assert await clones.needs_consent(STRANGER)
    await house.storage.consents.give(GUILD, ANN.member_id, POLICY_VERSION - 1)
    assert await clones.needs_consent(ANN)


async def test_what_is_accepted_is_kept_as_ordered(house: House) -> None:
    await house.studio.clones.attest(ANN)
    order = CloneOrder("  Ann  Lee ", "de", "my voice")
    receipt = await house.studio.clones.submit(ANN, order, sound_bytes(), origin(1, house.clock))
    job = await house.ended(receipt.job.id)
    assert (job.kind, job.member_id, job.channel_id) == ("clone", ANN.member_id, ANN.channel_id)
    assert (receipt.job.interaction_id, receipt.job.interaction_token) == (1, "token-1")
    assert job.interaction_token is None
    assert job.order == {"name": "Ann Lee", "language": "de", "description": "my voice", "speaker_id": ANN.member_id}
    record = await house.storage.voices.get(GUILD, int(job.voice_id or 0))
    assert (record.name, record.language, record.description) == ("Ann Lee", "de", "my voice")
    assert (record.owner_id, record.speaker_id) == (ANN.member_id, ANN.member_id)
    request = house.executor.requests[0]
    assert isinstance(request, CloneRequest)
    assert request.language == "de"


@pytest.mark.parametrize(
    ("order", "size", "kind"),
    [
        (CloneOrder(""), 10, InvalidInput),
        (CloneOrder("<@1>"), 10, InvalidInput),
        (CloneOrder("x" * 200), 10, InvalidInput),
        (CloneOrder("Ann", description="x" * 201), 10, InvalidInput),
        (CloneOrder("Ann", language="xx"), 10, InvalidInput),
        (CloneOrder("Ann"), 0, InvalidInput),
        (CloneOrder("Ann"), MAX_RECORDING_BYTES + 1, InvalidInput),
    ],
)
async def test_bad_orders_are_refused_before_anything_is_kept(
    house: House, order: CloneOrder, size: int, kind: type[BarkeepError]
) -> None:
    with pytest.raises(kind) as refusal:
        await house.studio.clones.check(ANN, order, size)
    assert refusal.value.message.endswith(".")
    await house.studio.clones.attest(ANN)
    if size <= 10:
        with pytest.raises(kind):
            await house.studio.clones.submit(ANN, order, b"x" * size, None)
    assert house.files() == []


async def test_a_taken_name_is_a_conflict_whatever_its_case(house: House) -> None:
    await house.voice(name="Ann")
    with pytest.raises(Conflict, match="another name"):
        await house.studio.clones.check(BOB, CloneOrder("ＡＮＮ"), 10)
    await house.studio.clones.check(STRANGER, CloneOrder("Ann"), 10)


async def test_two_at_once_cannot_pass_a_limit_of_one(house: House) -> None:
    await house.studio.admin.change(MOD, voices_per_member=1)
    await house.studio.clones.attest(ANN)
    outcomes = await asyncio.gather(
        *(house.studio.clones.submit(ANN, CloneOrder(f"Ann {n}"), sound_bytes(), None) for n in range(5)),
        return_exceptions=True,
    )
    accepted = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(accepted) == 1
    assert all(isinstance(outcome, LimitReached) for outcome in outcomes if outcome is not accepted[0])
    await house.ended(accepted[0].job.id)
    assert not [name for name in house.files() if name.startswith("uploads")]
    with pytest.raises(LimitReached, match="Delete one first"):
        await house.studio.clones.check(ANN, CloneOrder("More"), 10)


async def test_the_same_interaction_twice_is_one_job(house: House) -> None:
    await house.studio.clones.attest(ANN)
    release = house.executor.hold()
    first = await house.studio.clones.submit(ANN, CloneOrder("Ann"), sound_bytes(), origin(5, house.clock))
    with pytest.raises(Conflict):
        await house.studio.clones.submit(ANN, CloneOrder("Ann"), sound_bytes(), None)
    accepted = await house.storage.jobs.get(first.job.id)
    again = await house.studio.clones.submit(ANN, CloneOrder("Other"), sound_bytes(), origin(5, house.clock))
    assert again.job.id == accepted.id
    assert [name for name in house.files() if name.startswith("uploads")] == [f"uploads/{first.job.id}"]
    release()
    await house.ended(first.job.id)
    assert len(house.courier.delivered) == 1


async def test_nothing_stays_when_the_row_cannot_be_written(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def locked(*_: object) -> None:
        raise Unavailable("The database is locked.")

    await house.studio.clones.attest(ANN)
    monkeypatch.setattr(house.storage.jobs, "accept_clone", locked)
    with pytest.raises(Unavailable):
        await house.studio.clones.submit(ANN, CloneOrder("Ann"), sound_bytes(), None)
    assert house.files() == []


async def test_an_author_who_agrees_gives_the_requester_a_voice(house: House) -> None:
    request = await ask(house)
    assert (request.state, request.expires_at) == (ConsentState.PENDING, house.clock() + ANSWER_WITHIN)
    assert house.executor.requests == []
    answered, receipt = await house.studio.clones.answer(request.id, BOB.member_id, True)
    assert answered.state is ConsentState.ALLOWED
    assert receipt is not None
    job = await house.ended(receipt.job.id)
    assert (job.state, job.member_id, job.channel_id) == (JobState.DELIVERED, ANN.member_id, ANN.channel_id)
    record = await house.storage.voices.get(GUILD, int(job.voice_id or 0))
    assert (record.owner_id, record.speaker_id) == (ANN.member_id, BOB.member_id)
    assert not await house.studio.clones.needs_consent(BOB)
    with pytest.raises(Conflict):
        await house.studio.clones.answer(request.id, BOB.member_id, True)
    with pytest.raises(Conflict):
        await house.studio.clones.answer(request.id, BOB.member_id, False)
    assert len(house.courier.delivered) == 1


async def test_an_author_who_refuses_is_not_asked_again_and_nothing_stays(house: House) -> None:
    request = await ask(house)
    refused, receipt = await house.studio.clones.answer(request.id, BOB.member_id, False)
    assert (refused.state, receipt) == (ConsentState.DENIED, None)
    assert house.files() == []
    assert await house.studio.clones.needs_consent(BOB)
    with pytest.raises(NotAllowed, match="said no"):
        await ask(house)


async def test_only_the_author_answers(house: House) -> None:
    request = await ask(house)
    for allow in (True, False):
        with pytest.raises(NotAllowed):
            await house.studio.clones.answer(request.id, ANN.member_id, allow)
    with pytest.raises(NotFound):
        await house.studio.clones.answer("nothing", BOB.member_id, True)
    assert (await house.storage.consents.get_request(request.id)).state is ConsentState.PENDING
    assert house.executor.requests == []


async def test_a_late_answer_counts_for_nothing_and_upkeep_removes_the_recording(house: House) -> None:
    request = await ask(house)
    with pytest.raises(Conflict, match="asked this member already"):
        await ask(house, "Another")
    house.clock.move(hours=49)
    with pytest.raises(Conflict, match="over"):
        await house.studio.clones.answer(request.id, BOB.member_id, True)
    await house.studio.upkeep()
    assert (await house.storage.consents.get_request(request.id)).state is ConsentState.EXPIRED
    assert house.files() == []
    await ask(house)


async def test_an_answer_interrupted_by_a_crash_can_be_given_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clone was accepted, then the process died before the answer was written down."""
    request = await ask(house)

    async def dies(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(house.storage.consents, "answer", dies)
    with pytest.raises(ConnectionError):
        await house.studio.clones.answer(request.id, BOB.member_id, True)
    monkeypatch.undo()
    answered, receipt = await house.studio.clones.answer(request.id, BOB.member_id, True)
    assert answered.state is ConsentState.ALLOWED
    assert receipt is not None
    assert (await house.ended(receipt.job.id)).state is JobState.DELIVERED
    assert len(house.executor.requests) == 1


async def test_a_no_after_an_interrupted_yes_stops_what_the_yes_began(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await ask(house)
    release = house.executor.hold()

    async def dies(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(house.storage.consents, "answer", dies)
    with pytest.raises(ConnectionError):
        await house.studio.clones.answer(request.id, BOB.member_id, True)
    monkeypatch.undo()
    await house.studio.clones.answer(request.id, BOB.member_id, False)
    release()
    assert (await house.ended(request.id)).state is JobState.CANCELLED
    assert await house.storage.voices.of_person(GUILD, BOB.member_id) == []
    assert house.files() == []


async def test_pressing_allow_twice_at_once_makes_one_voice(house: House) -> None:
    request = await ask(house)
    outcomes = await asyncio.gather(
        *(house.studio.clones.answer(request.id, BOB.member_id, True) for _ in range(3)), return_exceptions=True
    )
    assert any(not isinstance(outcome, BaseException) for outcome in outcomes)
    assert all(isinstance(outcome, (tuple, BarkeepError)) for outcome in outcomes)
    await house.ended(request.id)
    assert (await house.storage.jobs.get(request.id)).state is JobState.DELIVERED
    assert len(house.courier.delivered) == 1


@pytest.mark.parametrize("other", [True, False], ids=["another-yes", "a-no"])
async def test_another_answer_in_the_very_moment_counts(
    house: House, monkeypatch: pytest.MonkeyPatch, other: bool
) -> None:
    """The clone was accepted for a yes; before that yes is written down, another press is."""
    request = await ask(house)
    release = house.executor.hold()
    answer = house.storage.consents.answer

    async def overtaken(request_id: str, member_id: int, state: ConsentState) -> ConsentRequest:
        monkeypatch.undo()
        await answer(request_id, member_id, ConsentState.ALLOWED if other else ConsentState.DENIED)
        return await answer(request_id, member_id, state)

    monkeypatch.setattr(house.storage.consents, "answer", overtaken)
    with pytest.raises(Conflict):
        await house.studio.clones.answer(request.id, BOB.member_id, True)
    release()
    await house.studio.upkeep()
    assert (await house.ended(request.id)).state is (JobState.DELIVERED if other else JobState.CANCELLED)


async def test_who_may_not_be_asked_or_ask(house: House) -> None:
    with pytest.raises(InvalidInput, match="own recording"):
        await house.studio.clones.ask_author(ANN, ANN.member_id, CloneOrder("Ann"), sound_bytes())
    with pytest.raises(NotAllowed, match="somebody else"):
        await house.studio.clones.submit(ANN, CloneOrder("Bob", speaker_id=BOB.member_id), sound_bytes(), None)
    await house.studio.admin.block(MOD, BOB.member_id, "")
    with pytest.raises(NotAllowed, match="can't be cloned"):
        await ask(house)
    assert house.files() == []


async def test_a_requester_blocked_in_between_gets_nothing(house: House) -> None:
    request = await ask(house)
    await house.studio.admin.block(MOD, ANN.member_id, "")
    with pytest.raises(NotAllowed, match="any more"):
        await house.studio.clones.answer(request.id, BOB.member_id, True)
    assert house.executor.requests == []
    await house.studio.admin.unblock(MOD, ANN.member_id)
    _, receipt = await house.studio.clones.answer(request.id, BOB.member_id, True)
    assert receipt is not None
    await house.ended(receipt.job.id)


async def test_an_author_who_agrees_reads_what_keeps_the_requester_from_a_voice(house: House) -> None:
    request = await ask(house)
    await house.studio.admin.change(MOD, voices_per_member=0)
    with pytest.raises(LimitReached, match="The member who asked"):
        await house.studio.clones.answer(request.id, BOB.member_id, True)
    await house.studio.admin.change(MOD, voices_per_member=5)
    await house.voice(BOB, "Bob's voice")
    with pytest.raises(Conflict, match="ask you again with another name"):
        await house.studio.clones.answer(request.id, BOB.member_id, True)
    assert (await house.storage.consents.get_request(request.id)).state is ConsentState.PENDING


async def test_every_step_is_audited(house: House) -> None:
    await house.voice()
    request = await ask(house)
    await house.studio.clones.answer(request.id, BOB.member_id, False)
    page = await house.studio.admin.audit(MOD, 1)
    assert [(entry.actor_id, entry.action) for entry in reversed(page.entries)] == [
        (ANN.member_id, "consent.give"),
        (ANN.member_id, "voice.clone"),
        (ANN.member_id, "consent.ask"),
        (BOB.member_id, "consent.deny"),
    ]
    await until(lambda: not house.tasks(), "idle")
