"""The base class of all tables, and the column that they share."""

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


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


def of_guild(*, primary_key: bool = False) -> Mapped[int]:
    """Return a column for the server that a row belongs to. The row is deleted with its server."""
    return mapped_column(ForeignKey("guilds.guild_id", ondelete="CASCADE"), primary_key=primary_key)
