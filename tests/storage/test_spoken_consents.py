"""Sentences of consent, on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from errors import Conflict, LimitReached, NotAllowed, NotFound
from storage.consent_records import SpokenConsent, SpokenYes
from storage.database import Storage
from storage.records import JobKind
from tests.storage.build import ANNA, BORIS, CHANNEL, GUILD, NOON, OTHER_GUILD, Clock, limits, new_job, new_voice

MINUTES = timedelta(minutes=10)
YES = SpokenYes("say", 4, 5, 0.87)


def sentence(spoken_id: str = "say", *, member: int = ANNA, guild: int = GUILD, own: bool = True) -> SpokenConsent:
    order = {"name": "Anna"} if own else None
    return SpokenConsent(spoken_id, guild, CHANNEL, member, order, "I agree: so be it.", NOON, NOON + MINUTES)


async def said(storage: Storage, yes: SpokenYes = YES) -> int:
    """Accept the clone that was allowed; its voice."""
    job = new_job(yes.id, kind=JobKind.CLONE, member=ANNA)
    voice, _ = await storage.acceptance.accept_clone(new_voice(owner=ANNA), job, limits(), policy_version=1, spoken=yes)
    return voice.id


async def test_a_sentence_is_stored_and_replaced_by_a_newer_one_there(storage: Storage) -> None:
    assert await storage.spoken_consents.ask(sentence("old")) == []
    assert await storage.spoken_consents.ask(sentence("there", guild=OTHER_GUILD)) == []
    assert await storage.spoken_consents.ask(sentence("his", member=BORIS)) == []
    assert await storage.spoken_consents.ask(sentence("new", own=False)) == [sentence("old")]
    assert await storage.spoken_consents.get("new") == sentence("new", own=False)
    with pytest.raises(NotFound):
        await storage.spoken_consents.get("old")
    assert await storage.spoken_consents.of_member(GUILD, ANNA) == [sentence("new", own=False)]


async def test_those_that_wait_are_found(storage: Storage, clock: Clock) -> None:
    await storage.spoken_consents.ask(sentence("here"))
    await storage.spoken_consents.ask(replace(sentence("there", guild=OTHER_GUILD), created_at=NOON + MINUTES / 2))
    await storage.spoken_consents.ask(sentence("his", member=BORIS))
    assert [each.id for each in await storage.spoken_consents.waiting(ANNA, GUILD)] == ["here"]
    assert [each.id for each in await storage.spoken_consents.waiting(ANNA, None)] == ["there", "here"]
    clock.advance(minutes=10)
    with pytest.raises(NotFound):
        await storage.spoken_consents.waiting(ANNA, None)


async def test_attempts_are_counted_for_the_member_until_the_limit_or_the_end(storage: Storage, clock: Clock) -> None:
    await storage.spoken_consents.ask(sentence())
    with pytest.raises(NotAllowed):
        await storage.spoken_consents.begin_attempt("say", BORIS, 2)
    assert (await storage.spoken_consents.begin_attempt("say", ANNA, 2)).attempts == 1
    assert (await storage.spoken_consents.begin_attempt("say", ANNA, 2)).attempts == 2
    with pytest.raises(LimitReached):
        await storage.spoken_consents.begin_attempt("say", ANNA, 2)
    clock.advance(minutes=10)
    with pytest.raises(Conflict, match="time"):
        await storage.spoken_consents.begin_attempt("say", ANNA, 9)
    with pytest.raises(NotFound):
        await storage.spoken_consents.begin_attempt("none", ANNA, 9)


async def test_an_attempt_is_taken_back(storage: Storage) -> None:
    await storage.spoken_consents.ask(sentence())
    await storage.spoken_consents.begin_attempt("say", ANNA, 2)
    await storage.spoken_consents.return_attempt("say")
    await storage.spoken_consents.return_attempt("say")
    assert (await storage.spoken_consents.get("say")).attempts == 0
    await storage.spoken_consents.begin_attempt("say", ANNA, 2)
    await said(storage)
    await storage.spoken_consents.return_attempt("say")
    await storage.spoken_consents.return_attempt("none")
    assert (await storage.spoken_consents.get("say")).attempts == 1


async def test_attempts_at_once_do_not_pass_the_limit(storage: Storage, twin: Storage) -> None:
    await storage.spoken_consents.ask(sentence())
    outcomes = await asyncio.gather(
        *(side.spoken_consents.begin_attempt("say", ANNA, 3) for side in [storage, twin] * 4), return_exceptions=True
    )
    assert sum(isinstance(each, SpokenConsent) for each in outcomes) == 3


async def test_a_yes_is_stored_with_its_voice_once_and_goes_with_it(storage: Storage) -> None:
    await storage.spoken_consents.ask(sentence())
    voice_id = await said(storage)
    stored = await storage.spoken_consents.get("say")
    assert stored == replace(sentence(), given_at=NOON, words=4, likeness=0.87, voice_id=voice_id)
    assert await storage.spoken_consents.ask(sentence("next")) == []
    assert not await storage.spoken_consents.delete("say")
    with pytest.raises(Conflict, match="already said"):
        await storage.spoken_consents.begin_attempt("say", ANNA, 9)
    await storage.voices.delete(GUILD, voice_id)
    with pytest.raises(NotFound):
        await storage.spoken_consents.get("say")


async def test_without_an_open_sentence_nothing_is_accepted(storage: Storage) -> None:
    with pytest.raises(Conflict):
        await said(storage)
    assert await storage.jobs.find("say") is None
    assert await storage.voices.list(GUILD, None, ready_only=False) == ([], 0)


async def test_what_is_over_is_found_and_deleted(storage: Storage) -> None:
    await storage.spoken_consents.ask(sentence("over"))
    assert await storage.spoken_consents.expired(NOON + MINUTES - timedelta(seconds=1)) == []
    assert await storage.spoken_consents.expired(NOON + MINUTES) == [sentence("over")]
    assert await storage.spoken_consents.delete("over")
    assert not await storage.spoken_consents.delete("over")


async def test_a_member_is_forgotten(storage: Storage) -> None:
    await storage.spoken_consents.ask(sentence())
    await said(storage)
    await storage.spoken_consents.ask(sentence("own"))
    await storage.spoken_consents.ask(sentence("his", member=BORIS))
    assert await storage.spoken_consents.delete_of_member(GUILD, ANNA) == ["own"]
    assert await storage.spoken_consents.of_member(GUILD, ANNA) == []
    assert await storage.spoken_consents.get("his")
