"""What was begun before a deletion is not stored after it, on both databases."""

from collections.abc import Awaitable, Callable

import pytest

from errors import Conflict, NotFound
from storage.database import Storage
from storage.records import AuditLine, JobKind, Pronunciation
from tests.storage.build import (
    ANNA,
    BORIS,
    CHANNEL,
    CLARA,
    GUILD,
    MODELS,
    OTHER_GUILD,
    Clock,
    limits,
    new_job,
    new_voice,
)
from tests.storage.test_consents import a_request
from tests.storage.test_spoken_consents import sentence

Store = Callable[[Storage, int], Awaitable[object]]


async def clone(storage: Storage, since: int) -> None:
    """A clone for Boris, of Anna's voice."""
    voice, job = new_voice(owner=BORIS, speaker=ANNA), new_job("job", kind=JobKind.CLONE, member=BORIS, since=since)
    await storage.acceptance.accept_clone(voice, job, limits())


async def add(storage: Storage, since: int) -> None:
    await storage.voices.add(new_voice(owner=ANNA), MODELS, has_clip=False, member_limit=9, guild_limit=9, since=since)


async def request(storage: Storage, since: int) -> None:
    await storage.consents.request(a_request(requester=BORIS, author=ANNA), limit=9, since=since)


async def ask(storage: Storage, since: int) -> None:
    await storage.spoken_consents.ask(sentence(), since)


async def speak(storage: Storage, since: int) -> None:
    await storage.acceptance.accept_speech(new_job(member=ANNA, since=since), limits())


STORES = pytest.mark.parametrize("store", [clone, add, request, ask, speak])


async def sit(storage: Storage, since: int) -> None:
    await storage.seats.take(GUILD, CHANNEL, since)


async def pronounce(storage: Storage, since: int) -> None:
    line = AuditLine("pronunciation.add", "SQL")
    await storage.pronunciations.put(GUILD, [SQL], limit=9, by=ANNA, line=line, since=since)


OF_SERVERS = pytest.mark.parametrize("store", [clone, add, request, ask, speak, sit, pronounce])
SQL = Pronunciation("sql", "SQL", "sequel", match_case=False)


@STORES
async def test_what_a_member_began_before_is_refused(storage: Storage, store: Store) -> None:
    since = await storage.erasures.latest(GUILD)
    await storage.erasures.note(GUILD, CLARA)
    await storage.erasures.note(OTHER_GUILD, ANNA)
    await storage.erasures.note(GUILD, ANNA)
    with pytest.raises(Conflict, match="deleted in the meantime"):
        await store(storage, since)
    assert await storage.members.servers_of(ANNA) == []
    await store(storage, await storage.erasures.latest(GUILD))
    assert await storage.members.servers_of(ANNA) == [GUILD]


@STORES
async def test_what_concerns_others_is_stored(storage: Storage, store: Store) -> None:
    since = await storage.erasures.latest(GUILD)
    await storage.erasures.note(GUILD, CLARA)
    await storage.guilds.delete(OTHER_GUILD)
    await store(storage, since)
    assert await storage.members.servers_of(ANNA) == [GUILD]


@OF_SERVERS
async def test_after_a_server_was_deleted_nothing_that_was_begun_there_is_stored(
    storage: Storage, store: Store
) -> None:
    await storage.members.set_default_voice(GUILD, CLARA, "s:v2/en_speaker_6")
    since = await storage.erasures.latest(GUILD)
    await storage.guilds.delete(GUILD)
    with pytest.raises(Conflict, match="deleted in the meantime"):
        await store(storage, since)
    assert await storage.guilds.all_ids() == []


async def test_after_an_hour_an_erasure_is_gone_and_later_ones_have_greater_numbers(
    storage: Storage, clock: Clock
) -> None:
    await storage.erasures.note(GUILD, ANNA)
    since = await storage.erasures.latest(GUILD)
    clock.advance(minutes=59)
    await storage.erasures.prune()
    assert await storage.erasures.latest(GUILD) == since
    clock.advance(minutes=1)
    await storage.erasures.prune()
    assert await storage.erasures.latest(GUILD) == 0
    await storage.erasures.note(GUILD, ANNA)
    assert await storage.erasures.latest(GUILD) > since
    with pytest.raises(Conflict):
        await add(storage, since)


async def test_that_a_member_left_is_noted_only_where_they_have_a_voice(storage: Storage) -> None:
    with pytest.raises(NotFound):
        await storage.members.note_presence(GUILD, ANNA, left=True)
    assert await storage.members.servers_of(ANNA) == []
    assert await storage.guilds.all_ids() == []
