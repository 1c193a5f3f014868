"""The dictionaries of the servers: how a word is said."""

from collections.abc import Collection

from sqlalchemy import delete, func, select

from errors import LimitReached
from storage.audit import add_line
from storage.columns import Clock
from storage.models import PronunciationRow
from storage.records import AuditLine, Pronunciation
from storage.sessions import Sessions, lock_guild


class PronunciationRepository:
    """Entries by their keys. Every method raises Unavailable as Sessions does."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    async def of_guild(self, guild_id: int) -> list[Pronunciation]:
        """All entries of a server, by their keys."""
        async with self._sessions.read() as session:
            rows = await session.scalars(select(PronunciationRow).where(PronunciationRow.guild_id == guild_id))
            return sorted((row.record() for row in rows), key=lambda entry: entry.key)

    async def put(
        self, guild_id: int, entries: Collection[Pronunciation], *, limit: int, by: int, line: AuditLine
    ) -> list[Pronunciation]:
        """Keep these, all or none, each in place of one with the same key. Those that were there before.

        Raises LimitReached if the server had more than `limit` afterwards. `by` and `line`: for the audit log.
        """
        here = PronunciationRow.guild_id == guild_id
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            keys = {entry.key for entry in entries}
            same = await session.scalars(select(PronunciationRow).where(here, PronunciationRow.key.in_(keys)))
            before = [row.record() for row in same]
            count = await session.scalar(select(func.count()).select_from(PronunciationRow).where(here)) or 0
            if count - len(before) + len(keys) > limit:
                raise LimitReached(
                    f"This server's dictionary has {count} of at most {limit} words. Remove some that are no longer "
                    "needed with /pronounce remove, then try again."
                )
            for entry in entries:
                await session.merge(
                    PronunciationRow(
                        guild_id=guild_id,
                        key=entry.key,
                        word=entry.word,
                        say=entry.say,
                        match_case=entry.match_case,
                    )
                )
            add_line(session, guild_id, by, line, self._clock())
            return before

    async def remove(self, guild_id: int, key: str, *, by: int, line: AuditLine) -> bool:
        """Remove an entry; False if there is none with this key. `by` and `line`: for the audit log."""
        this = (PronunciationRow.guild_id == guild_id, PronunciationRow.key == key)
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            gone = await session.scalar(delete(PronunciationRow).where(*this).returning(PronunciationRow.key))
            if gone is None:
                return False
            add_line(session, guild_id, by, line, self._clock())
            return True
