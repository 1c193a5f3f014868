"""Checking recordings: anybody may, not too often, and nothing stays."""

import asyncio

import pytest

from errors import InvalidInput, LimitReached, Unavailable
from studio.checks import CHECKS_PER_HOUR
from studio.clones import MAX_RECORDING_BYTES
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, MOD, StudioHarness, until


async def test_a_recording_is_looked_at_and_deleted(harness: StudioHarness) -> None:
    finding = await harness.studio.checks.check(ANN, sound_bytes())
    assert finding == harness.executor.finding
    assert harness.executor.checked == [sound_bytes()]
    assert harness.files() == []


async def test_what_goes_wrong_is_told_and_the_file_goes_too(harness: StudioHarness) -> None:
    harness.executor.fail_next("InvalidInput", "This is not a recording I can read.")
    with pytest.raises(InvalidInput, match="not a recording"):
        await harness.studio.checks.check(ANN, b"text")
    harness.executor.fail_next("Unavailable", "The speech worker stopped.")
    with pytest.raises(Unavailable):
        await harness.studio.checks.check(ANN, sound_bytes())
    assert harness.files() == []


@pytest.mark.parametrize("size", [0, MAX_RECORDING_BYTES + 1])
async def test_empty_and_huge_files_are_refused_before_they_are_read(harness: StudioHarness, size: int) -> None:
    with pytest.raises(InvalidInput):
        harness.studio.checks.admit(ANN, size)


async def test_a_blocked_member_may_ask(harness: StudioHarness) -> None:
    await harness.studio.admin.block(MOD, ANN.member_id, "for a test")
    assert await harness.studio.checks.check(ANN, sound_bytes())


async def test_a_member_has_one_looked_at_at_a_time(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    first = asyncio.create_task(harness.studio.checks.check(ANN, sound_bytes()))
    await until(lambda: bool(harness.executor.checked), "the first to be looked at")
    with pytest.raises(LimitReached, match="another recording"):
        await harness.studio.checks.check(ANN, sound_bytes())
    release()
    assert await first
    assert await harness.studio.checks.check(ANN, sound_bytes())


async def test_so_many_an_hour_and_each_member_for_themselves(harness: StudioHarness) -> None:
    for _ in range(CHECKS_PER_HOUR):
        await harness.studio.checks.check(ANN, sound_bytes())
    harness.clock.move(minutes=50)
    with pytest.raises(LimitReached, match="Try again in 10 minutes"):
        await harness.studio.checks.check(ANN, sound_bytes())
    assert await harness.studio.checks.check(BOB, sound_bytes())
    harness.clock.move(minutes=10)
    assert await harness.studio.checks.check(ANN, sound_bytes())
    assert set(harness.studio.checks._asked._asked) == {ANN.member_id, BOB.member_id}
