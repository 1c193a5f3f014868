"""Server settings, and the deletion of all data of a server."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import delete, select

from storage.consent_models import ConsentRequestRow
from storage.models import GuildRow, JobRow, SettingsRow, VoiceRow
from storage.records import GuildSettings
from storage.sessions import Sessions, lock_guild
from storage.spoken_consents import open_uploads


@dataclass(frozen=True, slots=True)
class GuildRemains:
    """What a deleted server leaves in the file store: voice ids, job ids, and ids of consent requests and sentences."""

    voice_ids: tuple[int, ...]
    job_ids: tuple[str, ...]
    request_ids: tuple[str, ...]


class GuildRepository:
    """Servers. Every method raises Unavailable as Sessions does."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def get(self, guild_id: int) -> GuildSettings:
        """Return the server's settings, or the defaults if moderators never changed them."""
        async with self._sessions.read() as session:
            row = await session.get(SettingsRow, guild_id)
            return row.record() if row else GuildSettings(guild_id)

    async def change(self, guild_id: int, **changes: Any) -> tuple[GuildSettings, GuildSettings]:
        """Change these settings and keep the others. Return the settings before and after.

        The change is atomic: a concurrent change of other settings is kept. Jobs that were accepted before stay
        accepted.
        """
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            row = await session.get(SettingsRow, guild_id)
            before = row.record() if row else GuildSettings(guild_id)
            changed = await session.merge(SettingsRow(**asdict(replace(before, **changes))))
            return before, changed.record()

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
        async with self._sessions.read() as session:
            return [row.record() for row in await session.scalars(select(SettingsRow).order_by(SettingsRow.guild_id))]

    async def all_ids(self) -> list[int]:
        """Return the id of every server that has rows."""
        async with self._sessions.read() as session:
            return list(await session.scalars(select(GuildRow.guild_id).order_by(GuildRow.guild_id)))

    async def delete(self, guild_id: int) -> GuildRemains:
        """Delete every row of the server. Delete the returned files next; otherwise a sweep removes them."""
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
            return remains
