"""Whose turn it is."""

from collections import Counter
from collections.abc import Hashable, Iterable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from storage.records import JobRecord
from studio.queue.fair_order import FairQueue
from tests.records import JOB

_START = datetime(2026, 1, 1, tzinfo=UTC)


def job(number: int, guild: int, member: int, *, attempts: int = 0) -> JobRecord:
    made = _START + timedelta(seconds=number)
    return replace(JOB, id=f"{number:04}", guild_id=guild, member_id=member, created_at=made, attempts=attempts)


def queue_of(jobs: Iterable[JobRecord], running: Iterable[JobRecord] = ()) -> FairQueue:
    queue = FairQueue()
    for each in running:
        queue.add(each)
        queue.begin(each.id)
    for each in jobs:
        queue.add(each)
    return queue


def numbers(queue: FairQueue) -> list[int]:
    return [int(job_id) for job_id in queue.first(len(queue))]


class Naive:
    """The rule as it is told, by a look at everything that waits."""

    def __init__(self) -> None:
        self.waiting: dict[str, JobRecord] = {}
        self.at_work: Counter[Hashable] = Counter()
        self.served: dict[Hashable, int] = {}
        self.count = 0

    def take(self) -> str:
        def turn(each: JobRecord) -> tuple[int, int, datetime]:
            guild = each.guild_id
            oldest = min(other.created_at for other in self.waiting.values() if other.guild_id == guild)
            return self.at_work[guild], self.served.get(guild, -1), oldest

        guild = min(self.waiting.values(), key=turn).guild_id
        mine = [each for each in self.waiting.values() if each.guild_id == guild]
        taken = min(
            mine,
            key=lambda each: (
                self.at_work[guild, each.member_id],
                self.served.get((guild, each.member_id), -1),
                min(other.created_at for other in mine if other.member_id == each.member_id),
                each.created_at,
            ),
        )
        del self.waiting[taken.id]
        self.count += 1
        for party in (taken.guild_id, (taken.guild_id, taken.member_id)):
            self.at_work[party] += 1
            self.served[party] = self.count
        return taken.id

    def end(self, done: JobRecord) -> None:
        self.at_work.subtract((done.guild_id, (done.guild_id, done.member_id)))

    def order(self) -> list[str]:
        ahead = deepcopy(self)
        return [ahead.take() for _ in self.waiting]


_PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 3))
_QUEUES = st.lists(_PAIRS, max_size=25).map(
    lambda pairs: [job(number, guild, guild * 10 + member) for number, (guild, member) in enumerate(pairs)]
)
_DEEDS = st.lists(st.one_of(_PAIRS, st.sampled_from(["begin", "end", "remove"])), max_size=40)


def test_one_member_is_first_come_first_served() -> None:
    assert numbers(queue_of([job(2, 1, 1), job(0, 1, 1), job(1, 1, 1)])) == [0, 1, 2]


def test_servers_take_turns_however_long_their_queues_are() -> None:
    queued = [*(job(number, 1, 1) for number in range(4)), job(10, 2, 2), job(11, 3, 3)]
    assert numbers(queue_of(queued)) == [0, 10, 11, 1, 2, 3]


def test_members_of_a_server_take_turns() -> None:
    assert numbers(queue_of([job(0, 1, 1), job(1, 1, 1), job(2, 1, 2), job(3, 1, 2)])) == [0, 2, 1, 3]


def test_who_is_at_work_waits_behind_who_is_not() -> None:
    assert numbers(queue_of([job(1, 1, 1), job(2, 2, 2)], [job(0, 1, 1)])) == [2, 1]


def test_who_was_served_last_goes_last_until_all_is_done() -> None:
    queue = queue_of([job(1, 1, 1), job(2, 2, 2)], [job(0, 1, 1)])
    queue.end("0000")
    assert numbers(queue) == [2, 1]
    for job_id in ("0001", "0002"):
        queue.remove(job_id)
    for each in (job(1, 1, 1), job(2, 2, 2)):
        queue.add(each)
    assert numbers(queue) == [1, 2]


def test_suspects_go_first_and_each_alone() -> None:
    queue = queue_of([job(0, 1, 1), job(2, 2, 2, attempts=1), job(1, 3, 3, attempts=2)], [job(9, 4, 4)])
    assert numbers(queue) == [1, 2, 0]
    assert [queue.before(job_id) for job_id in ("0001", "0002", "0000")] == [0, 1, 2]
    assert queue.next() is None
    queue.end("0009")
    assert queue.next() == "0001"
    queue.begin("0001")
    assert queue.next() is None
    queue.end("0001")
    assert queue.next() == "0002"
    queue.begin("0002")
    assert queue.next() is None
    queue.end("0002")
    assert queue.next() == "0000"


def test_what_is_not_there_has_no_place_and_changes_nothing() -> None:
    queue = queue_of([job(0, 1, 1)])
    queue.remove("gone")
    queue.end("gone")
    queue.add(job(0, 1, 1))
    assert (len(queue), queue.before("gone"), queue.before("0000")) == (1, None, 0)
    queue.begin("0000")
    queue.add(job(0, 1, 1))
    assert (len(queue), queue.next()) == (0, None)


@given(_DEEDS)
def test_it_is_the_rule_whatever_happens(deeds: list[tuple[int, int] | str]) -> None:
    queue, naive, running = FairQueue(), Naive(), list[JobRecord]()
    for number, action in enumerate(deeds):
        if isinstance(action, tuple):
            new = job(number, action[0], action[0] * 10 + action[1])
            queue.add(new)
            naive.waiting[new.id] = new
        elif action == "begin" and naive.waiting:
            following = queue.next()
            assert following is not None
            running.append(naive.waiting[following])
            queue.begin(following)
            assert naive.take() == following
        elif action == "end" and running:
            done = running.pop(number % len(running))
            queue.end(done.id)
            naive.end(done)
        elif action == "remove" and naive.waiting:
            gone = sorted(naive.waiting)[number % len(naive.waiting)]
            queue.remove(gone)
            del naive.waiting[gone]
        if not naive.waiting and not running:
            naive = Naive()
        expected = naive.order()
        assert queue.first(len(queue)) == expected
        assert [queue.before(job_id) for job_id in expected] == list(range(len(expected)))
        assert queue.first(2) == expected[:2]


@given(_QUEUES)
def test_between_two_turns_of_a_server_every_other_has_one_at_most(queued: list[JobRecord]) -> None:
    jobs = {each.id: each for each in queued}
    _check_turns([jobs[job_id].guild_id for job_id in queue_of(queued).first(len(queued))])


@given(_QUEUES)
def test_between_two_turns_of_a_member_every_other_of_the_server_has_one_at_most(queued: list[JobRecord]) -> None:
    jobs = {each.id: each for each in queued}
    ordered = [jobs[job_id] for job_id in queue_of(queued).first(len(queued))]
    for guild_id in {each.guild_id for each in ordered}:
        _check_turns([each.member_id for each in ordered if each.guild_id == guild_id])


def _check_turns(turns: list[int]) -> None:
    for index, whose in enumerate(turns):
        if whose in turns[:index]:
            before = index - 1 - turns[:index][::-1].index(whose)
            between = turns[before + 1 : index]
            assert len(between) == len(set(between)), turns


@given(_QUEUES, st.lists(st.integers(1, 4), min_size=1, max_size=30))
def test_a_waiting_server_is_served_though_others_keep_coming(queued: list[JobRecord], arrivals: list[int]) -> None:
    """One job of a new server, then a flood from the others: its turn comes after at most one job of each."""
    queue = queue_of([*queued, job(500, 9, 99)])
    for number, guild in enumerate(arrivals):
        following = queue.next()
        assert following is not None
        queue.begin(following)
        queue.end(following)
        if following == "0500":
            return
        for each in range(3):
            queue.add(job(1000 + 10 * number + each, guild, guild * 10))
    assert len(arrivals) <= 4
