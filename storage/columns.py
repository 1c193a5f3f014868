"""Column types that behave alike on SQLite and PostgreSQL. It knows no table."""

import enum
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, DateTime, Enum, Integer
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

ROW_ID = BigInteger().with_variant(Integer, "sqlite")
"""A row number. SQLite numbers rows by itself only in a column declared INTEGER."""

DOCUMENT = JSON(none_as_null=True)
"""A JSON object; None is stored as NULL, not as the JSON word null."""


Clock = Callable[[], datetime]
"""What tells the time; tests bring their own."""


def utc_now() -> datetime:
    """The present moment, in UTC with a zone."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with a zone. SQLite keeps no zone, so moments go in as naive UTC there and come out with UTC again.

    Raises ValueError for a moment without a zone: nobody could say which one was meant.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the driver gets."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the repositories get."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class IdSet(TypeDecorator[frozenset[int]]):
    """A small set of Discord ids, as a sorted JSON list. For sets that no query looks into."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Iterable[int] | None, dialect: Dialect) -> list[int]:
        """What the driver gets."""
        return sorted(value or ())

    def process_result_value(self, value: list[int] | None, dialect: Dialect) -> frozenset[int]:
        """What the repositories get."""
        return frozenset(value or ())


def word_of(kind: type[enum.StrEnum]) -> Enum:
    """A column that holds one of `kind`'s words as plain text, so that a new word needs no change of the schema."""
    return Enum(
        kind, native_enum=False, length=16, values_callable=lambda members: [member.value for member in members]
    )
