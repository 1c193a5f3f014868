from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from storage.columns import IdSet, UtcDateTime, enum_column, utc_now
from storage.records import JobState

SQLITE: Dialect = sqlite.dialect()
POSTGRES: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy left it untyped
offsets = st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=offsets)


@given(moments, st.sampled_from([SQLITE, POSTGRES]))
def test_a_moment_comes_back_as_the_same_moment_in_utc(moment: datetime, dialect: Dialect) -> None:
    column = UtcDateTime()
    back = column.process_result_value(column.process_bind_param(moment, dialect), dialect)
    assert back == moment
    assert back is not None and back.tzinfo is UTC


@given(moments, moments)
def test_sqlite_orders_moments_as_they_happened(one: datetime, other: datetime) -> None:
    column = UtcDateTime()
    stored = [column.process_bind_param(moment, SQLITE) for moment in (one, other)]
    assert stored[0] is not None and stored[1] is not None
    assert (stored[0] < stored[1]) == (one < other)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), SQLITE)


@given(st.frozensets(st.integers(0, 2**63 - 1)))
def test_a_set_of_ids_comes_back(ids: frozenset[int]) -> None:
    column = IdSet()
    stored = column.process_bind_param(ids, SQLITE)
    assert stored == sorted(ids)
    assert column.process_result_value(stored, SQLITE) == ids


def test_no_moment_and_no_set() -> None:
    assert UtcDateTime().process_bind_param(None, SQLITE) is None
    assert UtcDateTime().process_result_value(None, SQLITE) is None
    assert IdSet().process_result_value(None, SQLITE) == frozenset()


def test_words_are_stored_by_value_and_fit() -> None:
    column = enum_column(JobState)
    assert column.enums == [state.value for state in JobState]
    assert max(map(len, column.enums)) <= 16


def test_now_has_a_zone() -> None:
    assert utc_now().tzinfo is UTC
