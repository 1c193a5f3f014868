"""Checking recordings: anybody may, not too often, and nothing stays."""

import asyncio

import pytest

from errors import InvalidInput, LimitReached, Unavailable
from studio.checks import CHECKS_PER_HOUR
from studio.clones import MAX_RECORDING_BYTES
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, BOB, MOD, House, until


async def test_a_recording_is_looked_at_and_deleted(house: House) -> None:
    finding = await house.studio.checks.check(ANN, sound_bytes())
    assert finding == house.executor.finding
    assert house.executor.checked == [sound_bytes()]
    assert house.files() == []


async def test_what_goes_wrong_is_told_and_the_file_goes_too(house: House) -> None:
    house.executor.fail_next("InvalidInput", "This is not a recording I can read.")
    with pytest.raises(InvalidInput, match="not a recording"):
        await house.studio.checks.check(ANN, b"text")
    house.executor.fail_next("Unavailable", "The speech worker stopped.")
    with pytest.raises(Unavailable):
        await house.studio.checks.check(ANN, sound_bytes())
    assert house.files() == []


@pytest.mark.parametrize("size", [0, MAX_RECORDING_BYTES + 1])
async def test_empty_and_huge_files_are_refused_before_they_are_read(house: House, size: int) -> None:
    with pytest.raises(InvalidInput):
        house.studio.checks.admit(ANN, size)


async def test_a_blocked_member_may_ask(house: House) -> None:
    await house.studio.admin.block(MOD, ANN.member_id, "for a test")
    assert await house.studio.checks.check(ANN, sound_bytes())


async def test_a_member_has_one_looked_at_at_a_time(house: House) -> None:
    release = house.executor.hold()
    first = asyncio.create_task(house.studio.checks.check(ANN, sound_bytes()))
    await until(lambda: bool(house.executor.checked), "the first to be looked at")
    with pytest.raises(LimitReached, match="another recording"):
        await house.studio.checks.check(ANN, sound_bytes())
    release()
    assert await first
    assert await house.studio.checks.check(ANN, sound_bytes())


async def test_so_many_an_hour_and_each_member_for_themselves(house: House) -> None:
    for _ in range(CHECKS_PER_HOUR):
        await house.studio.checks.check(ANN, sound_bytes())
    house.clock.move(minutes=50)
    with pytest.raises(LimitReached, match="Try again in 10 minutes"):
        await house.studio.checks.check(ANN, sound_bytes())
    assert await house.studio.checks.check(BOB, sound_bytes())
    house.clock.move(minutes=10)
    assert await house.studio.checks.check(ANN, sound_bytes())
    assert set(house.studio.checks._asked) == {ANN.member_id, BOB.member_id}
