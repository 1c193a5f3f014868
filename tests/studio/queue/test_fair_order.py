"""Whose turn it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from storage.records import JobKind, JobRecord, JobState
from studio.queue.fair_order import Served, order, position

_START = datetime(2026, 1, 1, tzinfo=UTC)
_BLANK = JobRecord(
    id="",
    kind=JobKind.SPEECH,
    state=JobState.QUEUED,
    guild_id=0,
    channel_id=0,
    member_id=0,
    order={},
    private=False,
    voice_id=None,
    interaction_id=None,
    interaction_token=None,
    token_expires_at=None,
    attempts=0,
    lease_owner=None,
    lease_until=None,
    created_at=_START,
    started_at=None,
    finished_at=None,
    answered_at=None,
    result=None,
    fault_kind=None,
    fault_message=None,
    message_id=None,
)


def job(number: int, guild: int, member: int) -> JobRecord:
    return replace(
        _BLANK, id=f"{number:04}", guild_id=guild, member_id=member, created_at=_START + timedelta(seconds=number)
    )


def ids(jobs: list[JobRecord]) -> str:
    return " ".join(f"{each.guild_id}.{each.member_id}.{int(each.id)}" for each in jobs)


_QUEUES = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), max_size=25).map(
    lambda pairs: [job(number, guild, guild * 10 + member) for number, (guild, member) in enumerate(pairs)]
)


def test_one_member_is_first_come_first_served() -> None:
    assert ids(order([job(2, 1, 1), job(0, 1, 1), job(1, 1, 1)], [], Served())) == "1.1.0 1.1.1 1.1.2"


def test_servers_take_turns_however_long_their_queues_are() -> None:
    queued = [*(job(number, 1, 1) for number in range(4)), job(10, 2, 2), job(11, 3, 3)]
    assert ids(order(queued, [], Served())) == "1.1.0 2.2.10 3.3.11 1.1.1 1.1.2 1.1.3"


def test_members_of_a_server_take_turns() -> None:
    queued = [job(0, 1, 1), job(1, 1, 1), job(2, 1, 2), job(3, 1, 2)]
    assert ids(order(queued, [], Served())) == "1.1.0 1.2.2 1.1.1 1.2.3"


def test_who_is_at_work_waits_behind_who_is_not() -> None:
    assert ids(order([job(1, 1, 1), job(2, 2, 2)], [job(0, 1, 1)], Served())) == "2.2.2 1.1.1"


def test_who_was_served_last_goes_last_among_equals() -> None:
    served = Served()
    served.note(job(0, 1, 1))
    assert ids(order([job(1, 1, 1), job(2, 2, 2)], [], served)) == "2.2.2 1.1.1"
    served.forget()
    assert ids(order([job(1, 1, 1), job(2, 2, 2)], [], served)) == "1.1.1 2.2.2"


@given(_QUEUES)
def test_every_job_has_one_place_and_nothing_is_changed(queued: list[JobRecord]) -> None:
    served = Served()
    ordered = order(queued, [], served)
    assert sorted(each.id for each in ordered) == sorted(each.id for each in queued)
    assert served == Served()


@given(_QUEUES, st.integers(0, 3))
def test_positions_count_up_from_the_free_places(queued: list[JobRecord], free: int) -> None:
    ordered = order(queued, [], Served())
    places = [position(each.id, ordered, free) for each in ordered]
    assert places == [max(0, index - free + 1) for index in range(len(ordered))]
    assert position("gone", ordered, free) == 0


@given(_QUEUES)
def test_with_one_place_the_order_is_what_happens(queued: list[JobRecord]) -> None:
    served = Served()
    foretold = [each.id for each in order(queued, [], served)]
    waiting, happened = list(queued), []
    while waiting:
        following = order(waiting, [], served)[0]
        served.note(following)
        waiting.remove(following)
        happened.append(following.id)
    assert happened == foretold


@given(_QUEUES)
def test_between_two_turns_of_a_server_every_other_has_one_at_most(queued: list[JobRecord]) -> None:
    _check_turns([each.guild_id for each in order(queued, [], Served())])


@given(_QUEUES)
def test_between_two_turns_of_a_member_every_other_of_the_server_has_one_at_most(queued: list[JobRecord]) -> None:
    ordered = order(queued, [], Served())
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
    served = Served()
    waiting = [*queued, job(500, 9, 99)]
    for number, guild in enumerate(arrivals):
        following = order(waiting, [], served)[0]
        served.note(following)
        waiting.remove(following)
        if following.guild_id == 9:
            return
        waiting += [job(1000 + 10 * number + each, guild, guild * 10) for each in range(3)]
    assert len(arrivals) <= 4
