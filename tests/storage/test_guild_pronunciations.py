import asyncio

import pytest

from errors import LimitReached
from storage.database import Storage
from storage.records import AuditLine, Pronunciation
from tests.storage.build import ANNA, GUILD, OTHER_GUILD

SQL = Pronunciation("sql", "SQL", "sequel")
US = Pronunciation("US", "US", "you ess", match_case=True)
LINE = AuditLine("pronunciation.add", "SQL", "sequel")


async def put(storage: Storage, *entries: Pronunciation, limit: int = 9, guild: int = GUILD) -> list[Pronunciation]:
    return await storage.pronunciations.put(guild, entries, limit=limit, by=ANNA, line=LINE)


async def test_words_are_kept_for_one_server_and_told_in_its_audit_log(storage: Storage) -> None:
    assert await put(storage, SQL, US) == []
    assert await storage.pronunciations.of_guild(GUILD) == [US, SQL]
    assert await storage.pronunciations.of_guild(OTHER_GUILD) == []
    ((line,), _) = await storage.audit.read(GUILD)
    assert (line.actor_id, line.action, line.target, line.detail) == (ANNA, "pronunciation.add", "SQL", "sequel")


async def test_the_same_word_takes_the_place_of_the_one_before(storage: Storage) -> None:
    await put(storage, SQL)
    newer = Pronunciation("sql", "Sql", "ess cue ell")
    assert await put(storage, newer, US, limit=2) == [SQL]
    assert await storage.pronunciations.of_guild(GUILD) == [US, newer]


async def test_the_limit_holds_for_all_or_none(storage: Storage) -> None:
    await put(storage, SQL)
    with pytest.raises(LimitReached, match="1 of at most 1"):
        await put(storage, Pronunciation("sql", "SQL", "other"), US, limit=1)
    assert await storage.pronunciations.of_guild(GUILD) == [SQL]
    assert (await storage.audit.read(GUILD))[1] == 1
    await put(storage, Pronunciation("sql", "SQL", "other"), limit=1)


async def test_two_moderators_at_once_do_not_pass_the_limit(storage: Storage, twin: Storage) -> None:
    words = [Pronunciation(str(number), str(number), "x") for number in range(6)]
    sides = [storage, twin] * 3
    attempts = [put(side, word, limit=3) for side, word in zip(sides, words, strict=True)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, LimitReached) for outcome in outcomes) == 3
    assert len(await storage.pronunciations.of_guild(GUILD)) == 3


async def test_removing(storage: Storage) -> None:
    await put(storage, SQL, US)
    gone = AuditLine("pronunciation.remove", "SQL")
    assert await storage.pronunciations.remove(GUILD, "sql", by=ANNA, line=gone)
    assert not await storage.pronunciations.remove(GUILD, "sql", by=ANNA, line=gone)
    assert await storage.pronunciations.of_guild(GUILD) == [US]
    lines, _ = await storage.audit.read(GUILD)
    assert [line.action for line in lines] == ["pronunciation.remove", "pronunciation.add"]
