"""The base class of all tables, and column types that behave alike on SQLite and PostgreSQL."""

import enum
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import JSON, BigInteger, DateTime, Enum, ForeignKey, Integer, MetaData
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = TypeVar("Value", bound="DataclassInstance")

ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""A row number. SQLite numbers rows by itself only in a column declared INTEGER."""

DOCUMENT = JSON(none_as_null=True)
"""A JSON object; None is stored as NULL, not as the JSON word null."""


Clock = Callable[[], datetime]
"""Returns the current time, in UTC with a zone. Tests pass a fake."""


def utc_now() -> datetime:
    """Return the current time, in UTC with a zone."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """The base of every table. Constraints have names, so that later migrations can find them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    def as_value(self, kind: type[Value]) -> Value:
        """Return the row as a value of a dataclass, whose fields are named as columns."""
        return kind(**{name: getattr(self, name) for name in kind.__dataclass_fields__})


class UtcDateTime(TypeDecorator[datetime]):
    """A time with a zone. SQLite stores no zone, so it holds naive UTC, and the zone is restored when a row is read.

    Raises ValueError for a time without a zone, which is ambiguous.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a Python value for the driver."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a value from the driver."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class IdSet(TypeDecorator[frozenset[int]]):
    """A small set of Discord ids, stored as a sorted JSON list. Queries cannot search in it."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Iterable[int] | None, dialect: Dialect) -> list[int]:
        """Convert a Python value for the driver."""
        return sorted(value or ())

    def process_result_value(self, value: list[int] | None, dialect: Dialect) -> frozenset[int]:
        """Convert a value from the driver."""
        return frozenset(value or ())


def of_guild(*, primary_key: bool = False) -> Mapped[int]:
    """Return a column for the server that a row belongs to. The row is deleted with its server."""
    return mapped_column(ForeignKey("guilds.guild_id", ondelete="CASCADE"), primary_key=primary_key)


def enum_column(kind: type[enum.StrEnum]) -> Enum:
    """Return a column that stores the values of `kind` as plain text, so that a new value needs no schema change."""
    return Enum(
        kind, native_enum=False, length=16, values_callable=lambda members: [member.value for member in members]
    )
