"""What processes tell each other: only of others' servers, only what was committed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import LimitReached
from storage.database import Storage
from storage.shards import Notice, NoticeKind, Shards, notice_of
from tests.storage.build import ANNA, PLENTY, add_voice, limits, new_job
from tests.storage.test_shards import FIRST, SECOND

NAMES = st.text("abcXYZ019_-", min_size=1, max_size=64)


@given(st.sampled_from(NoticeKind), st.integers(0, 2**63 - 1), NAMES)
def test_a_notice_is_read_as_it_was_written(kind: NoticeKind, guild_id: int, name: str) -> None:
    notice = Notice(kind, guild_id, name)
    assert notice_of(notice.payload()) == notice


@given(st.text() | st.from_regex(r"\A(job|member|voice|other) -?\d+ .*\Z"))
def test_any_other_text_is_no_notice(text: str) -> None:
    notice = notice_of(text)
    assert notice is None or notice.payload() == text


@pytest.fixture
async def both(postgres_address: str, tmp_path: Path) -> AsyncIterator[tuple[Storage, Storage]]:
    opened = [await Storage.open(postgres_address, tmp_path, shards=Shards((number,), 2)) for number in (0, 1)]
    yield opened[0], opened[1]
    for storage in opened:
        await storage.close()


@pytest.mark.postgres
async def test_the_owner_hears_what_another_process_changed(both: tuple[Storage, Storage]) -> None:
    zero, one = both
    heard: asyncio.Queue[Notice | None] = asyncio.Queue()
    await one.listen(heard.put_nowait)
    await zero.acceptance.accept_speech(new_job("new", guild=SECOND), PLENTY)
    assert await asyncio.wait_for(heard.get(), 10) == Notice(NoticeKind.JOB, SECOND, "new")
    await zero.jobs.cancel("new")
    assert await asyncio.wait_for(heard.get(), 10) == Notice(NoticeKind.JOB, SECOND, "new")
    voice = await add_voice(zero, guild=SECOND)
    await zero.voices.delete(SECOND, voice.id)
    assert await asyncio.wait_for(heard.get(), 10) == Notice(NoticeKind.VOICE, SECOND, str(voice.id))
    await zero.jobs.delete_of_member(SECOND, ANNA)
    assert await asyncio.wait_for(heard.get(), 10) == Notice(NoticeKind.MEMBER, SECOND, str(ANNA))


@pytest.mark.postgres
async def test_nothing_is_told_of_what_did_not_happen_or_concerns_only_its_own_process(
    both: tuple[Storage, Storage],
) -> None:
    zero, one = both
    heard: asyncio.Queue[Notice | None] = asyncio.Queue()
    for storage in both:
        await storage.listen(heard.put_nowait)
    await one.acceptance.accept_speech(new_job("own", guild=SECOND), PLENTY)
    await one.jobs.cancel("own")
    with pytest.raises(LimitReached):
        await zero.acceptance.accept_speech(new_job("refused", guild=SECOND), limits(jobs_per_hour_per_member=0))
    assert await zero.jobs.cancel("unknown") is None
    await zero.acceptance.accept_speech(new_job("last", guild=SECOND), PLENTY)
    assert await asyncio.wait_for(heard.get(), 10) == Notice(NoticeKind.JOB, SECOND, "last")
    await zero.acceptance.accept_speech(new_job("first", guild=FIRST), PLENTY)
    assert heard.empty()
