"""Accepting clones of one's own voice: consent, names, limits."""

import asyncio
from typing import Any

import pytest

from cloning.worker.protocol import CloneRequest
from errors import BarkeepError, Conflict, InvalidInput, LimitReached, NotAllowed, Unavailable
from storage.consent_records import ConsentRequest
from storage.records import JobState
from studio.clones import MAX_RECORDING_BYTES
from studio.values import POLICY_VERSION, CloneOrder
from tests.fakes import sound_bytes
from tests.storage.build import lose_the_next_commit
from tests.studio.conftest import ANN, BOB, GUILD, MOD, STRANGER, StudioHarness, origin


async def ask(harness: StudioHarness, name: str = "Bob's voice") -> ConsentRequest:
    """Ann asks Bob."""
    return await harness.studio.clone_requests.ask_author(ANN, BOB.member_id, CloneOrder(name), sound_bytes())


async def test_each_recording_needs_the_members_word(harness: StudioHarness) -> None:
    clones = harness.studio.clones
    for name in ("Ann", "Ann too"):
        with pytest.raises(NotAllowed, match="confirm"):
            await clones.submit(ANN, CloneOrder(name), sound_bytes(), None, attested=False)
        await harness.ended((await harness.clone(ANN, name)).id)
    consent = await harness.storage.consents.get(GUILD, ANN.member_id)
    assert consent is not None
    assert consent.policy_version == POLICY_VERSION


async def test_no_word_is_kept_of_a_clone_that_is_refused(harness: StudioHarness) -> None:
    await harness.studio.admin.change(MOD, jobs_per_hour_per_member=0)
    with pytest.raises(LimitReached):
        await harness.clone()
    assert await harness.storage.consents.get(GUILD, ANN.member_id) is None
    assert "voice.clone" not in [entry.action for entry in (await harness.studio.admin.audit(MOD, 1)).entries]


async def test_what_is_accepted_is_kept_as_ordered(harness: StudioHarness) -> None:
    order = CloneOrder("  Ann  Lee ", "de", "my voice")
    queued = await harness.studio.clones.submit(ANN, order, sound_bytes(), origin(1, harness.clock), attested=True)
    job = await harness.ended(queued.id)
    assert (job.kind, job.member_id, job.channel_id) == ("clone", ANN.member_id, ANN.channel_id)
    assert (queued.interaction_id, queued.interaction_token) == (1, "token-1")
    assert job.interaction_token is None
    assert job.order == {"name": "Ann Lee", "language": "de", "description": "my voice", "speaker_id": ANN.member_id}
    record = await harness.storage.voices.get(GUILD, int(job.voice_id or 0))
    assert (record.name, record.language, record.description) == ("Ann Lee", "de", "my voice")
    assert (record.owner_id, record.speaker_id) == (ANN.member_id, ANN.member_id)
    request = harness.executor.requests[0]
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
    harness: StudioHarness, order: CloneOrder, size: int, kind: type[BarkeepError]
) -> None:
    with pytest.raises(kind) as refusal:
        await harness.studio.clones.check(ANN, order, size)
    assert refusal.value.message.endswith(".")
    if size <= 10:
        with pytest.raises(kind):
            await harness.studio.clones.submit(ANN, order, b"x" * size, None, attested=True)
    assert harness.files() == []


async def test_a_taken_name_is_a_conflict_whatever_its_case(harness: StudioHarness) -> None:
    await harness.voice(name="Ann")
    with pytest.raises(Conflict, match="another name"):
        await harness.studio.clones.check(BOB, CloneOrder("ＡＮＮ"), 10)
    await harness.studio.clones.check(STRANGER, CloneOrder("Ann"), 10)


async def test_two_at_once_cannot_pass_a_limit_of_one(harness: StudioHarness) -> None:
    await harness.studio.admin.change(MOD, voices_per_member=1)
    outcomes = await asyncio.gather(
        *(
            harness.studio.clones.submit(ANN, CloneOrder(f"Ann {n}"), sound_bytes(), None, attested=True)
            for n in range(5)
        ),
        return_exceptions=True,
    )
    accepted = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(accepted) == 1
    assert all(isinstance(outcome, LimitReached) for outcome in outcomes if outcome is not accepted[0])
    await harness.ended(accepted[0].id)
    assert not [name for name in harness.files() if name.startswith("uploads")]
    with pytest.raises(LimitReached, match=r"You already have 1 voice, .* Delete one"):
        await harness.studio.clones.check(ANN, CloneOrder("More"), 10)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"voices_per_member": 0}, "Members of this server cannot have their own voices right now"),
        ({"voices_per_guild": 0}, "This server does not allow voices right now"),
        ({"voices_per_guild": 1}, "This server already has 1 voice"),
    ],
)
async def test_a_limit_is_told_before_the_recording_is_read(
    harness: StudioHarness, changed: dict[str, int], sentence: str
) -> None:
    await harness.voice(BOB, "Bob")
    await harness.studio.admin.change(MOD, **changed)
    with pytest.raises(LimitReached, match=sentence):
        await harness.studio.clones.check(ANN, CloneOrder("Ann"), 10)


async def test_the_same_interaction_twice_is_one_job(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    first = await harness.studio.clones.submit(
        ANN, CloneOrder("Ann"), sound_bytes(), origin(5, harness.clock), attested=True
    )
    with pytest.raises(Conflict):
        await harness.studio.clones.submit(ANN, CloneOrder("Ann"), sound_bytes(), None, attested=True)
    accepted = await harness.job(first.id)
    again = await harness.studio.clones.submit(
        ANN, CloneOrder("Other"), sound_bytes(), origin(5, harness.clock), attested=True
    )
    assert again.id == accepted.id
    assert [name for name in harness.files() if name.startswith("uploads")] == [f"uploads/{first.id}"]
    release()
    await harness.ended(first.id)
    assert len(harness.courier.delivered) == 1


async def test_nothing_stays_when_the_row_cannot_be_written(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locked(*_: object, **__: object) -> None:
        raise Unavailable("The database is locked.")

    monkeypatch.setattr(harness.storage.acceptance, "accept_clone", locked)
    with pytest.raises(Unavailable):
        await harness.studio.clones.submit(ANN, CloneOrder("Ann"), sound_bytes(), None, attested=True)
    assert harness.files() == []


async def test_a_clone_whose_answer_was_lost_keeps_its_recording(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = harness.storage.files.put_upload

    async def then_lose(key: str, data: bytes) -> None:
        await put(key, data)
        lose_the_next_commit(harness.storage, monkeypatch)

    monkeypatch.setattr(harness.storage.files, "put_upload", then_lose)
    job = await harness.ended((await harness.clone()).id)
    assert job.state is JobState.DELIVERED


async def test_a_clone_that_is_interrupted_keeps_its_recording(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction may have been committed. If not, the next start removes the recording."""
    accept = harness.storage.acceptance.accept_clone

    async def interrupted(*given: Any, **named: Any) -> None:
        await accept(*given, **named)
        raise asyncio.CancelledError

    monkeypatch.setattr(harness.storage.acceptance, "accept_clone", interrupted)
    with pytest.raises(asyncio.CancelledError):
        await harness.clone()
    await harness.restart()
    [job] = await harness.storage.jobs.of_member(GUILD, ANN.member_id)
    assert (await harness.ended(job.id)).state is JobState.DELIVERED
