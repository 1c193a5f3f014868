import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta

import pytest

from errors import Conflict, LimitReached, NotAllowed, NotFound
from storage.consent_records import Consent, ConsentRequest, ConsentState
from storage.database import Storage
from storage.records import JobKind, JobRecord, VoiceRecord
from tests.storage.build import (
    ANNA,
    BORIS,
    CHANNEL,
    CLARA,
    GUILD,
    NOON,
    OTHER_GUILD,
    Clock,
    attest,
    limits,
    new_job,
    new_voice,
)

HOUR = timedelta(hours=1)


def a_request(
    request_id: str = "ask", *, requester: int = BORIS, author: int = ANNA, guild: int = GUILD
) -> ConsentRequest:
    order = {"name": "Anna", "language": "de"}
    return ConsentRequest(request_id, guild, CHANNEL, requester, author, order, ConsentState.PENDING, NOON, NOON + HOUR)


async def test_consent_is_given_renewed_and_revoked_in_one_server(storage: Storage, clock: Clock) -> None:
    assert await storage.consents.get(GUILD, ANNA) is None
    assert await attest(storage, GUILD, ANNA, 1) == Consent(GUILD, ANNA, 1, NOON)
    clock.advance(days=1)
    renewed = await attest(storage, GUILD, ANNA, 2)
    assert renewed == Consent(GUILD, ANNA, 2, clock.now) == await storage.consents.get(GUILD, ANNA)
    assert await storage.consents.get(OTHER_GUILD, ANNA) is None
    assert await storage.consents.revoke(GUILD, ANNA) == 1
    assert await storage.consents.get(GUILD, ANNA) is None
    assert await storage.consents.revoke(GUILD, ANNA) == 0


async def test_consenting_twice_at_once(storage: Storage, twin: Storage) -> None:
    await asyncio.gather(*(attest(side, GUILD, ANNA, 1) for side in [storage, twin] * 5))
    assert await storage.consents.get(GUILD, ANNA) == Consent(GUILD, ANNA, 1, NOON)


@pytest.mark.parametrize("answer", [ConsentState.ALLOWED, ConsentState.DENIED])
async def test_the_author_answers_once(storage: Storage, answer: ConsentState) -> None:
    await storage.consents.request(a_request(), limit=9)
    assert await storage.consents.get_request("ask") == a_request()
    answered = await storage.consents.answer("ask", ANNA, answer)
    assert answered == replace(a_request(), state=answer) == await storage.consents.get_request("ask")
    for again in ConsentState.ALLOWED, ConsentState.DENIED, ConsentState.EXPIRED:
        with pytest.raises(Conflict, match=f"already {answer}"):
            await storage.consents.answer("ask", ANNA, again)
    assert (await storage.consents.get_request("ask")).state is answer


def allow(storage: Storage, author: int = ANNA, **limited: int) -> Awaitable[tuple[VoiceRecord, JobRecord]]:
    """The author's yes to the request "ask" of Boris."""
    job = new_job("ask", kind=JobKind.CLONE, member=BORIS)
    return storage.acceptance.accept_clone(
        new_voice("Asked for", owner=BORIS, speaker=ANNA), job, limits(**limited), allowed_by=author
    )


async def test_a_yes_is_kept_with_its_voice_and_job_or_not_at_all(storage: Storage, clock: Clock) -> None:
    await storage.consents.request(a_request(), limit=9)
    with pytest.raises(LimitReached):
        await allow(storage, voices_per_member=0)
    assert (await storage.consents.get_request("ask")).state is ConsentState.PENDING
    with pytest.raises(NotAllowed):
        await allow(storage, author=CLARA)
    voice, job = await allow(storage)
    assert job.voice_id == voice.id
    allowed = await storage.consents.get_request("ask")
    assert (allowed.state, allowed.voice_id) == (ConsentState.ALLOWED, voice.id)
    assert await storage.consents.get(GUILD, ANNA) is None
    with pytest.raises(Conflict, match="already allowed"):
        await allow(storage)


@pytest.mark.parametrize("late", [False, True], ids=["denied", "over"])
async def test_a_yes_after_a_no_or_too_late_makes_nothing(storage: Storage, clock: Clock, late: bool) -> None:
    await storage.consents.request(a_request(), limit=9)
    if late:
        clock.advance(hours=2)
    else:
        await storage.consents.answer("ask", ANNA, ConsentState.DENIED)
    with pytest.raises(Conflict):
        await allow(storage)
    assert await storage.jobs.find("ask") is None
    assert await storage.voices.of_person(GUILD, ANNA) == []


async def test_what_was_allowed_is_taken_back_only_by_its_author(storage: Storage) -> None:
    await storage.consents.request(a_request(), limit=9)
    with pytest.raises(Conflict, match="nothing to take back"):
        await storage.consents.withdraw("ask", ANNA)
    await allow(storage)
    with pytest.raises(NotAllowed):
        await storage.consents.withdraw("ask", BORIS)
    with pytest.raises(NotFound):
        await storage.consents.withdraw("nothing", ANNA)
    assert (await storage.consents.withdraw("ask", ANNA)).state is ConsentState.WITHDRAWN
    assert (await storage.consents.withdraw("ask", ANNA)).state is ConsentState.WITHDRAWN
    with pytest.raises(NotAllowed, match="took back"):
        await storage.consents.request(a_request("again"), limit=9)


async def test_revoking_takes_back_what_was_allowed_here(storage: Storage) -> None:
    await storage.consents.request(a_request(), limit=9)
    await storage.consents.request(a_request("open", requester=CLARA), limit=9)
    await allow(storage)
    await attest(storage, GUILD, ANNA)
    assert await storage.consents.revoke(GUILD, ANNA) == 2
    states = {request.id: request.state for request in await storage.consents.requests_of(GUILD, ANNA)}
    assert states == {"ask": ConsentState.WITHDRAWN, "open": ConsentState.PENDING}


async def test_nobody_else_answers(storage: Storage) -> None:
    await storage.consents.request(a_request(), limit=9)
    for somebody in (BORIS, CLARA):
        with pytest.raises(NotAllowed):
            await storage.consents.answer("ask", somebody, ConsentState.ALLOWED)
    assert (await storage.consents.get_request("ask")).state is ConsentState.PENDING


async def test_unknown_requests(storage: Storage) -> None:
    with pytest.raises(NotFound):
        await storage.consents.get_request("ask")
    with pytest.raises(NotFound):
        await storage.consents.answer("ask", ANNA, ConsentState.ALLOWED)


async def test_a_request_whose_time_is_over_can_only_expire(storage: Storage, clock: Clock) -> None:
    await storage.consents.request(a_request(), limit=9)
    await storage.consents.request(replace(a_request("later", author=CLARA), expires_at=NOON + 2 * HOUR), limit=9)
    assert await storage.consents.expired(clock.now) == []
    clock.advance(hours=1)
    assert await storage.consents.expired(clock.now) == [a_request()]
    with pytest.raises(Conflict, match="expired"):
        await storage.consents.answer("ask", ANNA, ConsentState.ALLOWED)
    assert (await storage.consents.answer("ask", ANNA, ConsentState.EXPIRED)).state is ConsentState.EXPIRED
    assert await storage.consents.expired(clock.now) == []
    with pytest.raises(Conflict, match="expired"):
        await storage.consents.answer("ask", ANNA, ConsentState.DENIED)


async def test_two_buttons_at_once_count_as_one(storage: Storage, twin: Storage) -> None:
    await storage.consents.request(a_request(), limit=9)
    states = [ConsentState.ALLOWED, ConsentState.DENIED] * 5
    answers = [
        side.consents.answer("ask", ANNA, state) for side, state in zip([storage, twin] * 5, states, strict=True)
    ]
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    kept = [outcome for outcome in outcomes if isinstance(outcome, ConsentRequest)]
    assert len(kept) == 1
    assert all(isinstance(outcome, ConsentRequest | Conflict) for outcome in outcomes)
    assert await storage.consents.get_request("ask") == kept[0]


async def test_the_requests_of_a_member_are_asked_by_or_of_them(storage: Storage) -> None:
    asked = a_request("1")
    asking = a_request("2", requester=ANNA, author=CLARA)
    others = a_request("3", requester=BORIS, author=CLARA)
    elsewhere = a_request("4", guild=OTHER_GUILD)
    for request in (asked, asking, others, elsewhere):
        await storage.consents.request(request, limit=9)
    assert await storage.consents.requests_of(GUILD, ANNA) == [asked, asking]
    assert sorted(await storage.consents.delete_requests_of(GUILD, ANNA)) == ["1", "2"]
    assert await storage.consents.requests_of(GUILD, CLARA) == [others]
    assert await storage.consents.requests_of(OTHER_GUILD, ANNA) == [elsewhere]


async def test_a_requester_asks_an_author_once_at_a_time_and_few_at_once(storage: Storage, twin: Storage) -> None:
    twice = [side.consents.request(a_request(str(n)), limit=2) for n, side in enumerate([storage, twin] * 3)]
    kept = [each for each in await asyncio.gather(*twice, return_exceptions=True) if isinstance(each, ConsentRequest)]
    assert len(kept) == 1
    many = [
        side.consents.request(a_request(f"to-{author}", author=author), limit=2)
        for author, side in enumerate([storage, twin] * 3, 10)
    ]
    outcomes = await asyncio.gather(*many, return_exceptions=True)
    assert sum(isinstance(each, ConsentRequest) for each in outcomes) == 1
    assert all(isinstance(each, ConsentRequest | LimitReached) for each in outcomes)
    await storage.consents.request(a_request("elsewhere", guild=OTHER_GUILD), limit=2)
    await storage.consents.request(a_request("of another", requester=CLARA), limit=2)


async def test_a_question_that_is_over_counts_no_more(storage: Storage, clock: Clock) -> None:
    await storage.consents.request(a_request("first"), limit=1)
    clock.advance(hours=2)
    later = replace(a_request("second"), expires_at=clock.now + HOUR)
    assert await storage.consents.request(later, limit=1) == later


async def test_a_no_outlives_the_forgetting_of_who_asked_but_not_of_who_said_it(storage: Storage) -> None:
    await storage.consents.request(a_request("refused"), limit=9)
    await storage.consents.answer("refused", ANNA, ConsentState.DENIED)
    await storage.consents.request(a_request("open", author=CLARA), limit=9)
    assert await storage.consents.delete_requests_of(GUILD, BORIS) == ["open"]
    [kept] = await storage.consents.requests_of(GUILD, BORIS)
    assert (kept.id, kept.state, kept.order) == ("refused", ConsentState.DENIED, {})
    with pytest.raises(NotAllowed, match="said no"):
        await storage.consents.request(a_request("again"), limit=9)
    assert await storage.consents.delete_requests_of(GUILD, ANNA) == ["refused"]


async def test_old_answers_are_pruned_and_open_requests_stay(storage: Storage, clock: Clock) -> None:
    await storage.consents.request(a_request("open"), limit=9)
    await storage.consents.request(a_request("answered", requester=CLARA), limit=9)
    await storage.consents.request(a_request("elsewhere", guild=OTHER_GUILD), limit=9)
    for request_id in ("answered", "elsewhere"):
        await storage.consents.answer(request_id, ANNA, ConsentState.DENIED)
    assert await storage.consents.prune_requests(GUILD, NOON) == 0
    clock.advance(days=1)
    assert await storage.consents.prune_requests(GUILD, clock.now) == 1
    assert await storage.consents.requests_of(GUILD, ANNA) == [a_request("open")]
    assert len(await storage.consents.requests_of(OTHER_GUILD, ANNA)) == 1


async def test_a_yes_is_kept_as_long_as_its_voice_so_that_it_can_be_taken_back(storage: Storage, clock: Clock) -> None:
    await storage.consents.request(a_request(), limit=9)
    voice, _ = await allow(storage)
    clock.advance(days=1000)
    assert await storage.consents.prune_requests(GUILD, clock.now) == 0
    assert (await storage.consents.withdraw("ask", ANNA)).voice_id == voice.id
    assert await storage.consents.prune_requests(GUILD, clock.now) == 1


async def test_a_yes_whose_voice_is_deleted_is_pruned(storage: Storage, clock: Clock) -> None:
    await storage.consents.request(a_request(), limit=9)
    voice, _ = await allow(storage)
    await storage.voices.delete(GUILD, voice.id)
    clock.advance(days=1000)
    assert await storage.consents.prune_requests(GUILD, clock.now) == 1
