"""Ties a database to its data folder and to one Discord application.

Database and folder hold the same id. Without this check, a folder opened with another database would lose every voice
to the sweep, and a database opened by another application would lose the rows of every server that this application has
not joined.
"""

import uuid

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict, Unavailable
from storage.files import FileStore
from storage.models import InstallationRow, VoiceRow
from storage.records import VoiceState
from storage.sessions import Sessions

_ONLY = 1
"""The primary key of the only row."""


async def check_pair(sessions: Sessions, files: FileStore) -> None:
    """Check that the database and the data folder belong together; at their first start, store the shared id in both.

    If one of them has no id yet (it is new, or was restored without it), they belong together if neither has voices or
    if they have a voice in common. Raises Unavailable, with a sentence for the owner, if they do not belong together.
    """
    folder_id = await files.installation_id()
    folders = await files.voice_folders()
    async with sessions.write() as session:
        database_id, is_new = await _database_id(session, folder_id or uuid.uuid4().hex)
        ready = select(VoiceRow.guild_id, VoiceRow.id).where(VoiceRow.state == VoiceState.READY)
        voices = {(row.guild_id, row.id) for row in await session.execute(ready)}
        known = folder_id == database_id and not is_new
        if not known and (folder_id not in (None, database_id) or (folders and not voices & folders)):
            raise Unavailable(_other_database(files.place))
    if not known and voices and not folders:
        raise Unavailable(_no_files(files.place, len(voices), database_id))
    if folder_id is None:
        await files.put_installation_id(database_id)


class Installation:
    """The application that the database belongs to. Every method raises Unavailable as Sessions does."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def claim(self, application_id: int) -> bool:
        """Return whether an earlier start tied the data to this Discord application; the first start ties them.

        Raises Conflict, with a sentence for the owner, if they belong to another application.
        """
        async with self._sessions.write() as session:
            row = (await session.scalars(select(InstallationRow).with_for_update())).one()
            known = row.application_id
            if known not in (None, application_id):
                raise Conflict(
                    f"The database belongs to another Discord application ({known}) than the token in DISCORD_TOKEN "
                    f"({application_id}). Set DISCORD_TOKEN to a token of that application, or give this one a "
                    "DATA_DIR and a DATABASE_URL of its own."
                )
            row.application_id = application_id
            return known is not None

    async def commands_digest(self) -> str | None:
        """Return the digest of the commands that were synced to Discord; None if they were never synced."""
        async with self._sessions.read() as session:
            return await session.scalar(select(InstallationRow.commands_digest))

    async def note_commands(self, digest: str) -> None:
        """Store the digest of the commands that were synced to Discord."""
        async with self._sessions.write() as session:
            await session.execute(update(InstallationRow).values(commands_digest=digest))


async def _database_id(session: AsyncSession, proposed: str) -> tuple[str, bool]:
    """Return the database's id, and whether it is `proposed` because there was none."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    row = insert(InstallationRow).values(number=_ONLY, id=proposed).on_conflict_do_nothing()
    is_new = (await session.scalars(row.returning(InstallationRow.id))).first() is not None
    return (await session.scalars(select(InstallationRow.id))).one(), is_new


def _other_database(place: str) -> str:
    return (
        f"{place[0].upper()}{place[1:]} belongs to another database than the one that DATABASE_URL names (empty: "
        "SQLite in DATA_DIR). Nothing was changed. Set DATABASE_URL, DATA_DIR and FILES back to what they were; a new "
        "database needs a new, empty DATA_DIR, or another FILES."
    )


def _no_files(place: str, voices: int, database_id: str) -> str:
    return (
        f"The database has {voices} {'voice' if voices == 1 else 'voices'}, but {place} has files of none. Set "
        "DATA_DIR and FILES back to what was used before, or copy the folder voices from there. If those files are "
        f"lost, write {database_id} into a file installation-id there, and start again."
    )
