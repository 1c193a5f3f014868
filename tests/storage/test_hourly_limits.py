"""What members ask for within an hour is counted for all processes together, on both databases."""

import asyncio

import pytest

from errors import LimitReached
from storage.database import Storage
from storage.records import Asked
from tests.storage.build import ANNA, BORIS, Clock


async def test_an_hour_is_a_span_that_ends_now(storage: Storage, clock: Clock) -> None:
    await storage.hourly.count(ANNA, Asked.CHECK, 2)
    clock.advance(minutes=20)
    await storage.hourly.count(ANNA, Asked.CHECK, 2)
    clock.advance(minutes=15)
    with pytest.raises(
        LimitReached, match=r"used all 2 of your checks for this hour\. Please try again in 25 minutes\."
    ):
        await storage.hourly.count(ANNA, Asked.CHECK, 2)
    clock.advance(minutes=25)
    await storage.hourly.count(ANNA, Asked.CHECK, 2)


async def test_each_member_and_each_kind_counts_alone(storage: Storage) -> None:
    await storage.hourly.count(ANNA, Asked.CHECK, 1)
    await storage.hourly.count(BORIS, Asked.CHECK, 1)
    await storage.hourly.count(ANNA, Asked.SENTENCE, 1)
    with pytest.raises(LimitReached, match="of your sentences"):
        await storage.hourly.count(ANNA, Asked.SENTENCE, 1)


async def test_what_was_refused_does_not_count(storage: Storage, clock: Clock) -> None:
    await storage.hourly.count(ANNA, Asked.CHECK, 1)
    clock.advance(minutes=59)
    with pytest.raises(LimitReached):
        await storage.hourly.count(ANNA, Asked.CHECK, 1)
    clock.advance(minutes=1)
    await storage.hourly.count(ANNA, Asked.CHECK, 1)


async def test_requests_at_once_to_two_processes_do_not_pass_the_limit(storage: Storage, twin: Storage) -> None:
    outcomes = await asyncio.gather(
        *(side.hourly.count(ANNA, Asked.CHECK, 5) for side in [storage, twin] * 6), return_exceptions=True
    )
    assert [each for each in outcomes if each is not None and not isinstance(each, LimitReached)] == []
    assert outcomes.count(None) == 5


async def test_a_clock_that_was_a_month_ahead_does_not_use_up_the_month(storage: Storage, clock: Clock) -> None:
    clock.advance(days=30)
    await storage.hourly.count(ANNA, Asked.CHECK, 1)
    clock.advance(days=-30)
    await storage.hourly.count(ANNA, Asked.CHECK, 1)


async def test_pruning_makes_no_room(storage: Storage, clock: Clock) -> None:
    await storage.hourly.count(ANNA, Asked.CHECK, 2)
    clock.advance(minutes=30)
    await storage.hourly.count(ANNA, Asked.CHECK, 2)
    clock.advance(minutes=30)
    await storage.hourly.prune()
    await storage.hourly.count(ANNA, Asked.CHECK, 2)
    with pytest.raises(LimitReached, match="in 30 minutes"):
        await storage.hourly.count(ANNA, Asked.CHECK, 2)
