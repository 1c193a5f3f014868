import sqlite3
from contextlib import closing
from typing import Any

import pytest

from errors import Unavailable
from storage.database import Storage
from storage.records import AuditEntry, AuditQuery
from storage.sessions import BUSY, Sessions
from tests.storage.build import ANNA, BORIS, GUILD, NOON, OTHER_GUILD, Clock


async def test_a_line_is_kept_as_it_was_written(storage: Storage) -> None:
    entry = await storage.audit.write(GUILD, ANNA, "voice.rename", "Anna", "now called Änne")
    assert entry is not None
    assert entry == AuditEntry(entry.id, GUILD, ANNA, "voice.rename", "Anna", "now called Änne", NOON)
    assert await storage.audit.read(GUILD) == ([entry], 1)
    assert await storage.audit.read(OTHER_GUILD) == ([], 0)


async def test_pages_are_newest_first_and_can_be_of_one_actor(storage: Storage) -> None:
    entries = [await storage.audit.write(GUILD, [ANNA, BORIS][n % 2], f"action {n}") for n in range(5)]
    newest_first = entries[::-1]
    assert await storage.audit.read(GUILD, limit=2) == (newest_first[:2], 5)
    assert await storage.audit.read(GUILD, limit=2, offset=4) == (newest_first[4:], 5)
    assert await storage.audit.read(GUILD, actor_id=BORIS) == ([entries[3], entries[1]], 2)
    assert await storage.audit.of_member(GUILD, ANNA) == [entries[0], entries[2], entries[4]]
    assert await storage.audit.of_member(OTHER_GUILD, ANNA) == []


def test_a_page_is_found_by_an_index_and_sorts_nothing(sqlite_address: str) -> None:
    page = "EXPLAIN QUERY PLAN SELECT id FROM audit WHERE guild_id = 1 ORDER BY id DESC LIMIT 10 OFFSET 5000"
    with closing(sqlite3.connect(sqlite_address.removeprefix("sqlite+aiosqlite:///"))) as database:
        steps = [row[3] for row in database.execute(page)]
    assert steps == ["SEARCH audit USING COVERING INDEX ix_audit_guild_id_id (guild_id=?)"]


async def test_pruning_is_each_servers_own(storage: Storage, clock: Clock) -> None:
    await storage.audit.write(GUILD, ANNA, "old")
    elsewhere = await storage.audit.write(OTHER_GUILD, ANNA, "old")
    clock.advance(days=1)
    recent = await storage.audit.write(GUILD, ANNA, "recent")
    assert await storage.audit.prune(GUILD, clock.now) == 1
    assert await storage.audit.prune(GUILD, clock.now) == 0
    assert await storage.audit.read(GUILD) == ([recent], 1)
    assert await storage.audit.read(OTHER_GUILD) == ([elsewhere], 1)


async def test_a_line_that_cannot_be_written_takes_nothing_back(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_: Sessions) -> None:
        raise Unavailable(BUSY)

    with monkeypatch.context() as patch:
        patch.setattr(Sessions, "write", locked)
        assert await storage.audit.write(GUILD, ANNA, "voice.delete", "Anna") is None
    assert await storage.audit.read(GUILD) == ([], 0)


async def test_lines_are_found_by_member_kind_and_target(storage: Storage) -> None:
    by_anna = await storage.audit.write(GUILD, ANNA, "speech.say", "Ada_1")
    to_anna = await storage.audit.write(GUILD, BORIS, "member.block", str(ANNA))
    renamed = await storage.audit.write(GUILD, BORIS, "voice.rename", "ADA_1")
    await storage.audit.write(GUILD, BORIS, "voicexrename", "Adam")
    await storage.audit.write(OTHER_GUILD, ANNA, "speech.say", "Ada_1")

    async def found(**query: Any) -> list[AuditEntry]:
        entries, total = await storage.audit.read(GUILD, query=AuditQuery(**query))
        assert total == len(entries)
        return entries

    assert await found(member_id=ANNA) == [to_anna, by_anna]
    assert await found(actions=("voice.", "speech.")) == [renamed, by_anna]
    assert await found(target="ada_1") == [renamed, by_anna]
    assert await found(target="ada_1", actions=("voice.",)) == [renamed]
    assert await found(target="ada%") == []
