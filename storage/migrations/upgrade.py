"""Upgrades a database to the newest schema, over Barkeep's own connections."""

from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from errors import Unavailable
from storage.sessions import Sessions, readable_errors

_LOCK = 0x6261726B6565  # an arbitrary number, the same in every version
_log = structlog.get_logger(__name__)


async def upgrade(sessions: Sessions) -> None:
    """Run the missing migrations in one transaction. Processes that start together wait for each other.

    Raises Unavailable if the database cannot be reached, or was made by a newer Barkeep.
    """
    with readable_errors():
        async with sessions.writing_engine.begin() as connection:
            await connection.run_sync(migrate)


def migrate(connection: Connection) -> None:
    """Run the missing migrations in the connection's transaction. On PostgreSQL other processes wait until it ends.

    Raises Unavailable if the database was made by a newer Barkeep.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        _log.error("migration_error", reason=str(error))
        raise Unavailable(
            "The database was made by a newer Barkeep than this one. "
            "Start that one again, or restore the backup that was made before the upgrade."
        ) from error


def is_newest(connection: Connection) -> bool:
    """Return whether the database has the schema of this version."""
    return MigrationContext.configure(connection).get_current_revision() == (
        ScriptDirectory.from_config(_config()).get_current_head()
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
