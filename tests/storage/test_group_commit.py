"""Group commit: what comes together, what is kept apart, and errors."""

import asyncio
import gc
from collections.abc import Mapping
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from errors import Unavailable
from storage.database import Storage
from storage.group_commit import MOST, GroupCommit
from storage.records import JobRecord, JobState
from tests.storage.build import GUILD, speech_in, stored_job

LEASE = timedelta(minutes=1)

Group = GroupCommit[str, int, int]


class Work:
    """Doubles numbers. `refused`: those that the database refuses."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.refused: set[str] = set()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, items: dict[str, int]) -> Mapping[str, int]:
        self.batches.append(list(items))
        await self.go_on.wait()
        if self.refused & items.keys():
            raise Unavailable("refused") from DBAPIError("", {}, Exception())
        return {key: 2 * item for key, item in items.items() if item}


@pytest.fixture
def work() -> Work:
    """Work that goes on at once, unless a test holds it."""
    return Work()


@pytest.fixture
def held(work: Work) -> Work:
    """The same work, held until `go_on` is set."""
    work.go_on.clear()
    return work


@pytest.fixture
def group(work: Work) -> Group:
    """Collects what is asked of `work`."""
    return GroupCommit(work)


async def test_what_comes_at_once_and_meanwhile_is_done_together(held: Work, group: Group) -> None:
    first = [asyncio.create_task(group.do(key, 1)) for key in "ab"]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [asyncio.create_task(group.do(key, 2)) for key in "cd"]
    await asyncio.sleep(0)
    held.go_on.set()
    assert await asyncio.gather(*first, *later) == [2, 2, 4, 4]
    assert held.batches == [["a", "b"], ["c", "d"]]
    assert await group.do("nothing", 0) is None


async def test_one_key_is_done_once_at_a_time(work: Work, group: Group) -> None:
    doubled = await asyncio.gather(*(group.do(key, number) for number, key in enumerate("aaab", start=1)))
    assert doubled == [2, 4, 6, 8]
    assert sorted(work.batches) == [["a"], ["a"], ["a", "b"]]


async def test_a_batch_has_a_limit(work: Work, group: Group) -> None:
    assert await asyncio.gather(*(group.do(str(number), 1) for number in range(MOST + 1))) == [2] * (MOST + 1)
    assert [len(batch) for batch in work.batches] == [MOST, 1]


async def test_what_is_refused_does_not_keep_others_back(work: Work, group: Group) -> None:
    work.refused = {"b"}
    outcomes = await asyncio.gather(*map(group.do, "abc", (1, 2, 3)), return_exceptions=True)
    assert (outcomes[0], outcomes[2]) == (2, 6)
    assert isinstance(outcomes[1], Unavailable)
    assert sorted(work.batches[1:]) == [["a"], ["b"], ["c"]]


async def test_what_may_have_been_done_is_not_done_again() -> None:
    calls: list[int] = []

    async def lost(items: dict[str, int]) -> Mapping[str, int]:
        calls.append(len(items))
        raise Unavailable("gone") from DBAPIError("", {}, Exception(), connection_invalidated=True)

    group = GroupCommit(lost)
    outcomes = await asyncio.gather(*map(group.do, "abc", (1, 2, 3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert calls == [3]


async def test_a_cancelled_call_waits_for_its_work(held: Work, group: Group) -> None:
    calls = [asyncio.create_task(group.do(key, 1)) for key in "ab"]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    assert not calls[0].done()
    held.go_on.set()
    assert await calls[1] == 2
    with pytest.raises(asyncio.CancelledError):
        await calls[0]


async def test_an_error_that_a_cancelled_call_does_not_see_is_no_complaint_of_asyncio(held: Work, group: Group) -> None:
    held.refused = {"a"}
    call = asyncio.create_task(group.do("a", 1))
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    await asyncio.sleep(0)
    for _ in range(2):  # the second one does not interrupt it either
        call.cancel()
        await asyncio.sleep(0)
    assert not call.done()
    held.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    del call
    gc.collect()
    assert complaints == []


@pytest.mark.usefixtures("held")
async def test_an_interrupted_batch_ends_its_calls(group: Group) -> None:
    calls = [asyncio.create_task(group.do("a", 1))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls.append(asyncio.create_task(group.do("b", 1)))
    await asyncio.sleep(0)
    assert group._task is not None
    group._task.cancel()
    outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2


async def test_steps_of_several_jobs_are_one_transaction(storage: Storage) -> None:
    """On PostgreSQL even one statement. Each step still compares the state and the owner of its own job."""
    names = ["one", "two", "three", "theirs", "over"]
    for name in names[:-1]:
        await speech_in(storage, JobState.QUEUED, name)
    await speech_in(storage, JobState.DELIVERED, "over")
    await storage.jobs.claim("theirs", "other", LEASE)
    begun: list[str] = []
    event.listen(storage._sessions.engine.sync_engine, "begin", lambda _: begun.append("transaction"))

    async def step(name: str) -> list[JobRecord | None]:
        jobs = storage.jobs
        claimed = await jobs.claim(name, "bot", LEASE)
        started = await jobs.begun(name, "bot")
        found = await jobs.find(name)
        done = await jobs.ready(name, {"seconds": len(name), "name": name}, "bot", lease=LEASE)
        answered = await jobs.answered(name, len(name)) if done is not None else None
        return [claimed, started, found, done, answered]

    steps = dict(zip(names, await asyncio.gather(*map(step, names)), strict=True))
    assert len(begun) == 5
    for name in names[:3]:
        claimed, started, found, done, answered = steps[name]
        assert claimed is not None and claimed.lease_owner == "bot"
        assert started is not None and started.attempts == 1
        assert found == started
        assert done is not None and done.result == {"seconds": len(name), "name": name}
        assert answered == await storage.jobs.find(name)
        assert answered is not None and answered.message_id == len(name)
    for name in names[3:]:
        claimed, started, found, done, answered = steps[name]
        assert (claimed, started, done, answered) == (None, None, None, None)
        assert found is not None and found.lease_owner in ("other", None)


@pytest.mark.parametrize("refused", ["\0", "\ud800"], ids=["zero byte", "half a character of UTF-16"])
async def test_a_value_that_the_database_refuses_or_that_cannot_be_sent_fails_alone(
    storage: Storage, refused: str
) -> None:
    """PostgreSQL takes no zero byte in a text, and half a character has no bytes in UTF-8."""
    for name in ("good", "bad"):
        await speech_in(storage, JobState.RUNNING, name)
    ends = [
        storage.jobs.fail(name, "Unknown", message, owner="bot")
        for name, message in (("good", "a sentence"), ("bad", refused))
    ]
    good, bad = await asyncio.gather(*ends, return_exceptions=True)
    assert isinstance(good, JobRecord) and good.state is JobState.FAILED
    if refused == "\0" and storage._sessions.engine.dialect.name == "sqlite":
        return  # which takes it
    assert isinstance(bad, Exception)
    assert (await stored_job(storage, "bad")).state is JobState.RUNNING


async def test_several_members_are_read_at_once(storage: Storage) -> None:
    await storage.members.set_unread(GUILD, 2, unread=True)
    found = await asyncio.gather(*(storage.members.get(GUILD, number) for number in (1, 2, 2, 3)))
    assert [(member.member_id, member.unread) for member in found] == [(1, False), (2, True), (2, True), (3, False)]


async def test_who_is_cancelled_with_the_work_before_it_began_ends(group: Group) -> None:
    asking = asyncio.create_task(group.do("a", 1))
    await asyncio.sleep(0)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    assert len(tasks) == len({"asking", "working"})
    for task in tasks:
        task.cancel()
    async with asyncio.timeout(30):
        await asyncio.wait([asking])
    assert asking.cancelled()
