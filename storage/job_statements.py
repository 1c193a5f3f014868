"""The statements that every job passes through, built once: building one takes longer than PostgreSQL needs for it."""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Update, bindparam, case, func, select, update

from storage.models import WITHOUT_ANSWER, JobRow
from storage.records import JobRecord, JobState

UNANSWERED = (JobState.READY, JobState.FAILED, JobState.CANCELLED)
"""States of a job that has ended and waits for its answer to be delivered."""

_COLUMNS = JobRow.__mapper__.columns
_RECORD = [_COLUMNS[name].label(name) for name in JobRecord.__dataclass_fields__]
_THIS = _COLUMNS["id"] == bindparam("job_id")


def record_of(row: "Row[Any] | None") -> JobRecord | None:
    """Return what one of these statements found."""
    return None if row is None else JobRecord(**row._mapping)


FIND: Select[Any] = select(*_RECORD).where(_THIS)
"""The job `job_id`."""

ANSWERED: Update = (
    update(JobRow.__table__)  # type: ignore[arg-type]  # declared as any selectable
    .where(_THIS, _COLUMNS["state"].in_(UNANSWERED), _COLUMNS["answered_at"].is_(None))
    .values(
        state=case((_COLUMNS["state"] == JobState.READY, JobState.DELIVERED), else_=_COLUMNS["state"]),
        answered_at=bindparam("now"),
        message_id=bindparam("message"),
        interaction_token=None,
        lease_owner=None,
        lease_until=None,
    )
    .returning(*_RECORD)
)
"""Record at `now` that the answer of `job_id` was delivered as `message`."""


@cache
def lease_answer(*, held: bool) -> Any:
    """Lease the answer of `job_id` to `owner` until `until`, if `held_by` has it or, with held=False, nobody."""
    lease_owner = _COLUMNS["lease_owner"]
    holder: ColumnElement[bool] = lease_owner == bindparam("held_by") if held else lease_owner.is_(None)
    return (
        update(JobRow.__table__)  # type: ignore[arg-type]  # declared as any selectable
        .where(_THIS, _COLUMNS["state"].in_(UNANSWERED), *WITHOUT_ANSWER, holder)
        .values(lease_owner=bindparam("owner"), lease_until=bindparam("until"))
        .returning(*_RECORD)
    )


_NO_WAIT = func.set_config("synchronous_commit", "off", True)
"""Set for the transaction: PostgreSQL does not wait until the disk has it. Part of a statement, this takes no message
of its own."""


@cache
def move(before: tuple[JobState, ...], names: tuple[str, ...], *, owned: bool, until: bool, waits: bool = True) -> Any:
    """Set the columns `names` of `job_id` to `new_NAME`, if its state is one of `before`; to attempts, that is added.

    owned: only if `held_by` holds the job. until: only if its lease ends at `leased_until`. waits: False lets a crash
    of PostgreSQL undo the change (on PostgreSQL only).
    """
    conditions = [_THIS, _COLUMNS["state"].in_(before)]
    if owned:
        conditions.append(_COLUMNS["lease_owner"] == bindparam("held_by"))
    if until:
        conditions.append(_COLUMNS["lease_until"] == bindparam("leased_until"))
    if not waits:
        conditions.append(_NO_WAIT.is_not(None))
    values: dict[Any, ColumnElement[Any]] = {
        _COLUMNS[name]: bindparam(f"new_{name}", type_=_COLUMNS[name].type) for name in names
    }
    if "attempts" in names:
        values[_COLUMNS["attempts"]] = _COLUMNS["attempts"] + values[_COLUMNS["attempts"]]
    return (
        update(JobRow.__table__)  # type: ignore[arg-type]  # declared as any selectable
        .where(*conditions)
        .values(values)
        .returning(*_RECORD)
    )
