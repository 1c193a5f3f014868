import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import event

from storage.database import Storage
from storage.records import MemberRecord, Visibility
from tests.storage.build import (
    ANNA,
    BORIS,
    CLARA,
    GUILD,
    OTHER_GUILD,
    PLENTY,
    ROLE,
    Clock,
    add_voice,
    attest,
    new_job,
)
from tests.storage.test_consents import a_request
from tests.storage.test_spoken_consents import sentence


async def test_an_unknown_member_is_blank(storage: Storage) -> None:
    assert await storage.members.get(GUILD, ANNA) == MemberRecord(GUILD, ANNA)


async def test_a_default_voice_is_kept_for_one_server_and_can_be_taken_back(storage: Storage) -> None:
    await storage.members.set_default_voice(GUILD, ANNA, "s:v2/en_speaker_6")
    assert (await storage.members.get(GUILD, ANNA)).default_voice == "s:v2/en_speaker_6"
    assert await storage.members.get(OTHER_GUILD, ANNA) == MemberRecord(OTHER_GUILD, ANNA)
    assert await storage.members.set_default_voice(GUILD, ANNA, None) == MemberRecord(GUILD, ANNA)


async def test_two_first_commands_of_a_member_at_once(storage: Storage, twin: Storage) -> None:
    writes = [side.members.set_default_voice(GUILD, ANNA, f"v:{n}") for n, side in enumerate([storage, twin] * 5)]
    written = await asyncio.gather(*writes)
    assert await storage.members.get(GUILD, ANNA) in written


async def test_how_long_a_member_is_away_counts_from_the_first_notice(storage: Storage, clock: Clock) -> None:
    await add_voice(storage)
    assert await storage.members.note_presence(GUILD, ANNA, left=False) is None
    assert await storage.members.note_presence(GUILD, ANNA, left=True) == timedelta(0)
    clock.advance(minutes=5)
    assert await storage.members.note_presence(GUILD, ANNA, left=True) == timedelta(minutes=5)
    assert (await storage.members.get(OTHER_GUILD, ANNA)).away_since is None
    assert await storage.members.note_presence(GUILD, ANNA, left=False) is None
    assert (await storage.members.get(GUILD, ANNA)).away_since is None
    await storage.members.note_presence(GUILD, ANNA, left=True)
    clock.advance(minutes=-10)  # a clock that goes back makes nobody wait for less than nothing
    assert await storage.members.note_presence(GUILD, ANNA, left=True) == timedelta(0)
    await storage.members.block(GUILD, ANNA, CLARA)
    await storage.members.forget(GUILD, ANNA)
    assert (await storage.members.get(GUILD, ANNA)).away_since is None


async def test_blocking_and_unblocking(storage: Storage, clock: Clock) -> None:
    await storage.members.set_default_voice(GUILD, ANNA, "v:1")
    await storage.members.block(GUILD, ANNA, CLARA, "noise")
    clock.advance(minutes=1)
    later = await storage.members.block(GUILD, BORIS, CLARA)
    blocked = await storage.members.get(GUILD, ANNA)
    assert (blocked.blocked_by, blocked.block_reason, blocked.default_voice) == (CLARA, "noise", "v:1")
    assert blocked.blocked_at is not None and later.blocked_at == clock.now
    assert await storage.members.blocked(GUILD) == [later, blocked]
    assert await storage.members.blocked(OTHER_GUILD) == []
    await storage.members.block(GUILD, ANNA, CLARA, "more noise")
    assert (await storage.members.get(GUILD, ANNA)).block_reason == "more noise"
    assert await storage.members.unblock(GUILD, ANNA) == MemberRecord(GUILD, ANNA, "v:1")
    assert await storage.members.blocked(GUILD) == [later]


async def test_a_forgotten_member_is_unknown_and_out_of_all_shares(storage: Storage) -> None:
    chosen = frozenset({ANNA, CLARA})
    here = await add_voice(storage, owner=BORIS)
    there = await add_voice(storage, owner=BORIS, guild=OTHER_GUILD)
    for voice in (here, there):
        await storage.voices.share(voice.guild_id, voice.id, Visibility.CHOSEN, chosen, frozenset({ROLE}))
    await storage.members.set_default_voice(GUILD, ANNA, "v:1")
    await storage.members.forget(GUILD, ANNA)
    assert await storage.members.get(GUILD, ANNA) == MemberRecord(GUILD, ANNA)
    left = await storage.voices.get(GUILD, here.id)
    assert (left.member_ids, left.role_ids) == (frozenset({CLARA}), frozenset({ROLE}))
    assert (await storage.voices.get(OTHER_GUILD, there.id)).member_ids == chosen


async def test_being_forgotten_lifts_no_block(storage: Storage) -> None:
    await storage.members.set_default_voice(GUILD, ANNA, "v:1")
    await storage.members.block(GUILD, ANNA, CLARA, "noise")
    await storage.members.forget(GUILD, ANNA)
    left = await storage.members.get(GUILD, ANNA)
    assert left.blocked_at is not None
    assert (left.default_voice, left.block_reason) == (None, "noise")


async def test_forgetting_a_stranger_is_harmless(storage: Storage) -> None:
    await storage.members.forget(GUILD, ANNA)
    assert await storage.members.get(GUILD, ANNA) == MemberRecord(GUILD, ANNA)


async def test_who_is_not_read_aloud(storage: Storage) -> None:
    await storage.members.set_ignored(GUILD, BORIS, ignored=True)
    await storage.members.set_ignored(GUILD, ANNA, ignored=True)
    await storage.members.set_unread(GUILD, CLARA, unread=True)
    assert await storage.members.ignored(GUILD) == sorted([ANNA, BORIS])
    assert await storage.members.ignored(OTHER_GUILD) == []
    await storage.members.set_ignored(GUILD, ANNA, ignored=False)
    assert await storage.members.ignored(GUILD) == [BORIS]
    assert (await storage.members.get(GUILD, CLARA)).unread
    await storage.members.set_unread(GUILD, CLARA, unread=False)
    assert await storage.members.get(GUILD, CLARA) == MemberRecord(GUILD, CLARA)


async def test_being_forgotten_has_nobody_read_aloud(storage: Storage) -> None:
    await storage.members.set_default_voice(GUILD, ANNA, "v:1")
    await storage.members.set_unread(GUILD, ANNA, unread=True)
    await storage.members.set_ignored(GUILD, BORIS, ignored=True)
    for member in (ANNA, BORIS):
        await storage.members.forget(GUILD, member)
    assert await storage.members.get(GUILD, ANNA) == MemberRecord(GUILD, ANNA, unread=True)
    assert await storage.members.get(GUILD, BORIS) == MemberRecord(GUILD, BORIS, ignored=True)


async def own(storage: Storage) -> None:
    await add_voice(storage, owner=ANNA, speaker=None)


async def heard(storage: Storage) -> None:
    await add_voice(storage, owner=BORIS, speaker=ANNA)


async def shared(storage: Storage) -> None:
    voice = await add_voice(storage, owner=BORIS, speaker=BORIS)
    await storage.voices.share(GUILD, voice.id, Visibility.CHOSEN, frozenset({ANNA}), frozenset())


async def asked(storage: Storage) -> None:
    await storage.consents.request(a_request(requester=BORIS, author=ANNA), limit=3)


async def asks(storage: Storage) -> None:
    await storage.consents.request(a_request(requester=ANNA, author=BORIS), limit=3)


async def spoke(storage: Storage) -> None:
    await storage.acceptance.accept_speech(new_job(member=ANNA), PLENTY)


async def agreed(storage: Storage) -> None:
    voice = await add_voice(storage, owner=BORIS, speaker=BORIS)
    await storage.voices.delete(GUILD, voice.id)
    await attest(storage, GUILD, ANNA)


async def said(storage: Storage) -> None:
    await storage.spoken_consents.ask(sentence(member=ANNA))


async def chose(storage: Storage) -> None:
    await storage.members.set_default_voice(GUILD, ANNA, "s:v2/en_speaker_6")


async def acted(storage: Storage) -> None:
    await storage.audit.write(GUILD, ANNA, "voice.delete")


async def has_to_say(storage: Storage) -> None:
    await storage.spoken_consents.ask(sentence(member=ANNA))


@pytest.mark.parametrize("leave", [own, heard, shared, asked, asks, spoke, said, agreed, chose, acted, has_to_say])
async def test_each_kind_of_record_names_its_server(
    storage: Storage, leave: Callable[[Storage], Awaitable[None]]
) -> None:
    await storage.members.set_default_voice(OTHER_GUILD, CLARA, "s:v2/en_speaker_6")
    assert await storage.members.servers_of(ANNA) == []
    await leave(storage)
    assert await storage.members.servers_of(ANNA) == [GUILD]
    assert await storage.members.servers_of(CLARA) == [OTHER_GUILD]


async def test_each_kind_of_record_is_looked_for_once(storage: Storage) -> None:
    asked: list[str] = []
    event.listen(
        storage._sessions.engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: asked.append(statement),
    )
    await storage.members.servers_of(ANNA)
    (statement,) = (each for each in asked if "spoken_consents" in each)
    looked = re.findall(r"WHERE (\w+)\.guild_id = guilds\.guild_id AND \1\.(\w+) =", statement)
    assert sorted(set(looked)) == sorted(looked)
    assert ("spoken_consents", "member_id") in looked
