"""The data of each server: settings, dictionary, the bot's voice channel; and the deletion of all of it."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import delete, func, select, update

from errors import LimitReached
from storage.erasures import check_not_erased
from storage.models import (
    AuditRow,
    ConsentRequestRow,
    ErasureRow,
    GuildRow,
    JobRow,
    PronunciationRow,
    SeatRow,
    SettingsRow,
    VoiceRow,
)
from storage.records import AuditLine, GuildSettings, Pronunciation, Seat
from storage.sessions import Repository, Sessions, lock_guild
from storage.shards import Shards
from storage.spoken_consents import open_uploads


@dataclass(frozen=True, slots=True)
class GuildRemains:
    """What a deleted server leaves in the file store: voice ids, job ids, and ids of consent requests and sentences."""

    voice_ids: tuple[int, ...]
    job_ids: tuple[str, ...]
    request_ids: tuple[str, ...]


class GuildRepository(Repository):
    """Servers. Every method raises Unavailable as Sessions does."""

    async def get(self, guild_id: int) -> GuildSettings:
        """Return the server's settings, or the defaults if moderators never changed them."""
        async with self._sessions.read() as session:
            row = await session.get(SettingsRow, guild_id)
            return row.as_value(GuildSettings) if row else GuildSettings(guild_id)

    async def change(self, guild_id: int, **changes: Any) -> tuple[GuildSettings, GuildSettings]:
        """Change these settings and keep the others. Return the settings before and after.

        The change is atomic: a concurrent change of other settings is kept. Jobs that were accepted before stay
        accepted.
        """
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            row = await session.get(SettingsRow, guild_id)
            before = row.as_value(GuildSettings) if row else GuildSettings(guild_id)
            changed = await session.merge(SettingsRow(**asdict(replace(before, **changes))))
            return before, changed.as_value(GuildSettings)

    async def told_gone(self, guild_id: int) -> frozenset[int]:
        """Return the deleted roles and channels, out of the chosen ones, that moderators have been told about."""
        async with self._sessions.read() as session:
            row = await session.get(SettingsRow, guild_id)
            return row.told_gone_ids or frozenset() if row else frozenset()

    async def note_told_gone(self, guild_id: int, ids: frozenset[int]) -> None:
        """Store the ids that moderators have been told about; they replace the earlier ones."""
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            if (row := await session.get(SettingsRow, guild_id)) is not None:
                row.told_gone_ids = ids

    async def all_settings(self) -> list[GuildSettings]:
        """Return the settings of every server that changed any."""
        return await self._sessions.values(GuildSettings, select(SettingsRow).order_by(SettingsRow.guild_id))

    async def all_ids(self) -> list[int]:
        """Return the id of every server that has rows."""
        async with self._sessions.read() as session:
            return list(await session.scalars(select(GuildRow.guild_id).order_by(GuildRow.guild_id)))

    async def delete(self, guild_id: int) -> GuildRemains:
        """Delete every row of the server. Delete the returned files next; otherwise a sweep removes them.

        Requests that began before are no longer stored (storage.erasures).
        """
        voices = select(VoiceRow.id).where(VoiceRow.guild_id == guild_id).order_by(VoiceRow.id)
        jobs = select(JobRow.id).where(JobRow.guild_id == guild_id).order_by(JobRow.sequence)
        requests = select(ConsentRequestRow.id).where(ConsentRequestRow.guild_id == guild_id)
        async with self._sessions.write(deletes=True) as session:
            await lock_guild(session, guild_id)
            remains = GuildRemains(
                voice_ids=tuple(await session.scalars(voices)),
                job_ids=tuple(await session.scalars(jobs)),
                request_ids=(*await session.scalars(requests), *await open_uploads(session, guild_id)),
            )
            await session.execute(delete(GuildRow).where(GuildRow.guild_id == guild_id))
            session.add(ErasureRow(guild_id=guild_id, member_id=None, at=self._clock()))
            return remains


class PronunciationRepository(Repository):
    """The entries of the servers' dictionaries, by their keys. Every method raises Unavailable as Sessions does."""

    async def of_guild(self, guild_id: int) -> list[Pronunciation]:
        """Return all entries of a server, sorted by their keys."""
        here = select(PronunciationRow).where(PronunciationRow.guild_id == guild_id)
        return sorted(await self._sessions.values(Pronunciation, here), key=lambda entry: entry.key)

    async def put(
        self,
        guild_id: int,
        entries: Collection[Pronunciation],
        *,
        limit: int,
        by: int,
        line: AuditLine,
        since: int | None = None,
    ) -> list[Pronunciation]:
        """Upsert entries by their keys, all or none. Return the entries that were replaced.

        `by` and `line`: for the audit log. since: the latest erasure when the request began. Raises LimitReached if the
        server would have more than `limit` entries, and Conflict if the server was deleted since.
        """
        here = PronunciationRow.guild_id == guild_id
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            await check_not_erased(session, guild_id, since)
            keys = {entry.key for entry in entries}
            same = await session.scalars(select(PronunciationRow).where(here, PronunciationRow.key.in_(keys)))
            before = [row.as_value(Pronunciation) for row in same]
            count = await session.scalar(select(func.count()).select_from(PronunciationRow).where(here)) or 0
            if count - len(before) + len(keys) > limit:
                raise LimitReached(
                    f"This server's dictionary has {count} of at most {limit} words. Remove some that are no longer "
                    "needed with /pronounce remove, then try again."
                )
            for entry in entries:
                await session.merge(PronunciationRow(guild_id=guild_id, **asdict(entry)))
            session.add(AuditRow(guild_id=guild_id, actor_id=by, at=self._clock(), **asdict(line)))
            return before

    async def remove(self, guild_id: int, key: str, *, by: int, line: AuditLine) -> bool:
        """Remove an entry; False if there is none with this key. `by` and `line`: for the audit log."""
        this = (PronunciationRow.guild_id == guild_id, PronunciationRow.key == key)
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            gone = await session.scalar(delete(PronunciationRow).where(*this).returning(PronunciationRow.key))
            if gone is None:
                return False
            session.add(AuditRow(guild_id=guild_id, actor_id=by, at=self._clock(), **asdict(line)))
            return True


class SeatRepository:
    """The voice channels that the bot is in, so that it returns to them after a restart: at most one for each server.

    Every method raises Unavailable as Sessions does.
    """

    def __init__(self, sessions: Sessions, shards: Shards) -> None:
        self._sessions = sessions
        self._shards = shards

    async def all(self) -> list[Seat]:
        """Return every seat in the servers of this process."""
        own = select(SeatRow).where(self._shards.matching(SeatRow.guild_id.expression))
        return await self._sessions.values(Seat, own.order_by(SeatRow.guild_id))

    async def find(self, guild_id: int) -> Seat | None:
        """Return the seat in that server, or None."""
        async with self._sessions.read() as session:
            row = await session.get(SeatRow, guild_id)
            return None if row is None else row.as_value(Seat)

    async def take(self, guild_id: int, channel_id: int, since: int | None = None) -> Seat:
        """Upsert the bot's seat in a server, and return it. The channel that is read aloud is kept.

        since: the latest erasure when the request began. Raises Conflict if the server was deleted since.
        """
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            await check_not_erased(session, guild_id, since)
            row = await session.merge(SeatRow(guild_id=guild_id, channel_id=channel_id))
            await session.flush()
            return row.as_value(Seat)

    async def read(self, guild_id: int, channel_id: int | None) -> bool:
        """Store which channel is read aloud in the server's voice channel. Return False if there is no seat."""
        seat = update(SeatRow).where(SeatRow.guild_id == guild_id).values(read_channel_id=channel_id)
        async with self._sessions.write() as session:
            return await session.scalar(seat.returning(SeatRow.guild_id)) is not None

    async def leave(self, guild_id: int) -> None:
        """Delete the seat in that server."""
        async with self._sessions.write() as session:
            await session.execute(delete(SeatRow).where(SeatRow.guild_id == guild_id))
