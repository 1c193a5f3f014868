"""The statements that every job runs, built once: building one takes longer than PostgreSQL takes to execute it."""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Update, case, func, select, update
from sqlalchemy.types import TypeEngine

from storage.group_commit import Given, Statement
from storage.models import WITHOUT_ANSWER, JobRow
from storage.records import JobRecord, JobState

UNANSWERED = (JobState.READY, JobState.FAILED, JobState.CANCELLED)
"""States of a job that has ended and waits for its answer to be delivered."""

_COLUMNS = JobRow.__mapper__.columns
RECORD = [_COLUMNS[name].label(name) for name in JobRecord.__dataclass_fields__]
"""The columns of a JobRecord, in its order."""


def record_of(row: "Row[Any]") -> JobRecord:
    """Return a row of RECORD as a value."""
    return JobRecord(*tuple(row))


def _type(name: str) -> TypeEngine[Any]:
    return _COLUMNS[name].type


def _this(given: Given) -> ColumnElement[bool]:
    return _COLUMNS["id"] == given["job_id"]


def _change(given: Given, *conditions: ColumnElement[bool]) -> Update:
    return update(JobRow.__table__).where(_this(given), *conditions)  # type: ignore[arg-type]  # any selectable


FIND = Statement(lambda given: select(*RECORD).where(_this(given)), {"job_id": _type("id")})
"""The job `job_id`."""


def _answered(given: Given) -> Update:
    changed = _change(given, _COLUMNS["state"].in_(UNANSWERED), _COLUMNS["answered_at"].is_(None))
    return changed.values(
        state=case((_COLUMNS["state"] == JobState.READY, JobState.DELIVERED), else_=_COLUMNS["state"]),
        answered_at=given["now"],
        message_id=given["message"],
        interaction_token=None,
        lease_owner=None,
        lease_until=None,
    ).returning(*RECORD)


ANSWERED = Statement(_answered, {"job_id": _type("id"), "now": _type("answered_at"), "message": _type("message_id")})
"""Record at `now` that the answer of `job_id` was delivered as `message`."""


@cache
def lease_answer(*, held: bool) -> Statement:
    """Lease the answer of `job_id` to `owner` until `until`, if `held_by` has leased it; held=False: if nobody has."""

    def build(given: Given) -> Update:
        lease_owner = _COLUMNS["lease_owner"]
        holder: ColumnElement[bool] = lease_owner == given["held_by"] if held else lease_owner.is_(None)
        changed = _change(given, _COLUMNS["state"].in_(UNANSWERED), *WITHOUT_ANSWER, holder)
        return changed.values(lease_owner=given["owner"], lease_until=given["until"]).returning(*RECORD)

    types = {"job_id": _type("id"), "owner": _type("lease_owner"), "until": _type("lease_until")}
    return Statement(build, types | ({"held_by": _type("lease_owner")} if held else {}))


_NO_WAIT = func.set_config("synchronous_commit", "off", True)
"""Turns synchronous commit off for the transaction: PostgreSQL does not wait for the disk. As part of the statement it
needs no round trip of its own."""


@cache
def move(
    before: tuple[JobState, ...], names: tuple[str, ...], *, owned: bool, until: bool, waits: bool = True
) -> Statement:
    """Set the columns `names` of `job_id` to `new_NAME`, if its state is one of `before`. `new_attempts` is added.

    owned: only if `held_by` holds the job. until: only if its lease ends at `leased_until`. waits: False lets a crash
    of PostgreSQL undo the change (on PostgreSQL only).
    """

    def build(given: Given) -> Update:
        conditions: list[ColumnElement[bool]] = [_COLUMNS["state"].in_(before)]
        if owned:
            conditions.append(_COLUMNS["lease_owner"] == given["held_by"])
        if until:
            conditions.append(_COLUMNS["lease_until"] == given["leased_until"])
        if not waits:
            conditions.append(_NO_WAIT.is_not(None))
        values: dict[Any, ColumnElement[Any]] = {_COLUMNS[name]: given[f"new_{name}"] for name in names}
        if "attempts" in names:
            values[_COLUMNS["attempts"]] = _COLUMNS["attempts"] + values[_COLUMNS["attempts"]]
        return _change(given, *conditions).values(values).returning(*RECORD)

    types = {"job_id": _type("id")} | {f"new_{name}": _type(name) for name in names}
    if owned:
        types["held_by"] = _type("lease_owner")
    if until:
        types["leased_until"] = _type("lease_until")
    return Statement(build, types)
