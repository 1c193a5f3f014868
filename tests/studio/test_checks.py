"""Checking recordings: anybody may, not too often, and nothing stays."""

import asyncio
from unittest.mock import AsyncMock

import pytest

from cloning.watermark.finding import Finding
from errors import InvalidInput, LimitReached, Unavailable
from studio.checks import CHECKS_PER_HOUR
from studio.clones import MAX_RECORDING_BYTES
from studio.values import Actor
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, MOD, StudioHarness, until


async def check(harness: StudioHarness, actor: Actor, audio: bytes | None = None) -> Finding:
    given = sound_bytes() if audio is None else audio
    return await harness.studio.checks.check(actor, len(given), AsyncMock(return_value=given))


async def test_a_recording_is_looked_at_and_deleted(harness: StudioHarness) -> None:
    finding = await check(harness, ANN)
    assert finding == harness.executor.finding
    assert harness.executor.checked == [sound_bytes()]
    assert harness.files() == []


async def test_what_goes_wrong_is_told_and_the_file_goes_too(harness: StudioHarness) -> None:
    harness.executor.fail_next("InvalidInput", "This is not a recording I can read.")
    with pytest.raises(InvalidInput, match="not a recording"):
        await check(harness, ANN, b"text")
    harness.executor.fail_next("Unavailable", "The speech worker stopped.")
    with pytest.raises(Unavailable):
        await check(harness, ANN)
    assert harness.files() == []


@pytest.mark.parametrize("size", [0, MAX_RECORDING_BYTES + 1])
async def test_empty_and_huge_files_are_refused_before_they_are_read(harness: StudioHarness, size: int) -> None:
    with pytest.raises(InvalidInput):
        harness.studio.checks.admit(ANN, size)


async def test_a_blocked_member_may_ask(harness: StudioHarness) -> None:
    await harness.studio.admin.block(MOD, ANN.member_id, "for a test")
    assert await check(harness, ANN)


async def test_a_member_has_one_looked_at_at_a_time(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    first = asyncio.create_task(check(harness, ANN))
    await until(lambda: bool(harness.executor.checked), "the first to be looked at")
    with pytest.raises(LimitReached, match="another recording"):
        await check(harness, ANN)
    release()
    assert await first
    assert await check(harness, ANN)


async def test_so_many_an_hour_and_each_member_for_themselves(harness: StudioHarness) -> None:
    for _ in range(CHECKS_PER_HOUR):
        await check(harness, ANN)
    harness.clock.move(minutes=50)
    with pytest.raises(LimitReached, match="Please try again in 10 minutes"):
        await check(harness, ANN)
    assert await check(harness, BOB)
    harness.clock.move(minutes=10)
    assert await check(harness, ANN)


async def test_the_checks_of_an_hour_outlive_a_restart(harness: StudioHarness) -> None:
    for _ in range(CHECKS_PER_HOUR):
        await check(harness, ANN)
    await harness.restart()
    with pytest.raises(LimitReached, match="all 12 of your checks"):
        await check(harness, ANN)


async def test_over_the_limit_nothing_is_read(harness: StudioHarness) -> None:
    read = AsyncMock(return_value=sound_bytes())
    for _ in range(CHECKS_PER_HOUR):
        await harness.studio.checks.check(ANN, 1, read)
    with pytest.raises(LimitReached):
        await harness.studio.checks.check(ANN, 1, read)
    assert read.await_count == CHECKS_PER_HOUR


@pytest.mark.parametrize("audio", [b"", bytes(MAX_RECORDING_BYTES + 1)], ids=["empty", "huge"])
async def test_what_was_read_counts_and_not_the_size_that_was_named(harness: StudioHarness, audio: bytes) -> None:
    with pytest.raises(InvalidInput):
        await harness.studio.checks.check(ANN, 1, AsyncMock(return_value=audio))
    assert harness.executor.checked == []
