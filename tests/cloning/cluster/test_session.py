"""The events of a session: kept until they are received, collected, and at most 32 in an answer."""

import asyncio

import pytest

from cloning.cluster import messages
from cloning.cluster.session import Session
from cloning.worker import protocol
from cloning.worker.protocol import PartSpoken


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session at a node that answers at once."""
    monkeypatch.setattr(messages, "POLL_SECONDS", 0.0)
    return Session()


def add(session: Session, *numbers: int, within: float = 0.0, replaces: int = 0) -> None:
    for number in numbers:
        assert session.add(PartSpoken("job", number, 99, 1.0), {}, within=within, replaces=replaces) == number


async def numbers(session: Session, received: int = 0) -> list[int]:
    """The numbers of the events, which are those of their parts."""
    events = await session.after(received)
    assert [protocol.decode(line) for _, line, _ in events] == [PartSpoken("job", n, 99, 1.0) for n, _, _ in events]
    return [number for number, _, _ in events]


async def test_events_come_again_until_they_are_received(session: Session) -> None:
    add(session, 1, 2)
    assert await numbers(session) == await numbers(session) == [1, 2]
    assert await numbers(session, received=1) == [2]
    assert await numbers(session, received=2) == []


async def test_an_event_replaces_another(session: Session) -> None:
    add(session, 1, 2)
    add(session, 3, replaces=1)
    assert await numbers(session) == [2, 3]


async def test_events_are_collected_until_the_earliest_time(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "POLL_SECONDS", 600.0)
    waiting = asyncio.create_task(numbers(session))
    await asyncio.sleep(0)
    add(session, 1, within=500.0)
    add(session, 2, within=0.05)
    add(session, 3, within=500.0)
    async with asyncio.timeout(60):
        assert await waiting == [1, 2, 3]


async def test_more_events_than_fit_an_answer_follow_at_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    add(session, *range(1, 41))
    monkeypatch.setattr(messages, "POLL_SECONDS", 600.0)
    async with asyncio.timeout(60):
        assert await numbers(session) == list(range(1, 33))
        assert await numbers(session, received=32) == list(range(33, 41))


async def test_a_wake_ends_the_wait(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "POLL_SECONDS", 600.0)
    session.wake()
    async with asyncio.timeout(60):
        assert await numbers(session) == []
