"""The servers: what their moderators decided, and the end of everything when the bot is removed."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import delete, select

from storage.models import ConsentRequestRow, GuildRow, JobRow, SettingsRow, VoiceRow
from storage.records import GuildSettings
from storage.sessions import Sessions, lock_guild


@dataclass(frozen=True, slots=True)
class GuildRemains:
    """What a deleted server leaves in the file store: numbers of voices, ids of jobs, and of consent requests."""

    voice_ids: tuple[int, ...]
    job_ids: tuple[str, ...]
    request_ids: tuple[str, ...]


class GuildRepository:
    """Servers. Every method raises Unavailable as Sessions does."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def get(self, guild_id: int) -> GuildSettings:
        """What the server's moderators decided; the defaults where they never did."""
        async with self._sessions.read() as session:
            row = await session.get(SettingsRow, guild_id)
            return row.record() if row else GuildSettings(guild_id)

    async def change(self, guild_id: int, **changes: Any) -> tuple[GuildSettings, GuildSettings]:
        """Change these settings and leave the others as they are, also while somebody changes those. Before and after.

        Jobs that were accepted before stay accepted.
        """
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            row = await session.get(SettingsRow, guild_id)
            before = row.record() if row else GuildSettings(guild_id)
            changed = await session.merge(SettingsRow(**asdict(replace(before, **changes))))
            return before, changed.record()

    async def told_gone(self, guild_id: int) -> frozenset[int]:
        """The chosen roles and channels of which moderators were told that they are gone."""
        async with self._sessions.read() as session:
            row = await session.get(SettingsRow, guild_id)
            return row.told_gone_ids or frozenset() if row else frozenset()

    async def note_told_gone(self, guild_id: int, ids: frozenset[int]) -> None:
        """Moderators were told of these, in place of those that were noted before."""
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            if (row := await session.get(SettingsRow, guild_id)) is not None:
                row.told_gone_ids = ids

    async def all_settings(self) -> list[GuildSettings]:
        """What was decided in every server that decided anything."""
        async with self._sessions.read() as session:
            return [row.record() for row in await session.scalars(select(SettingsRow).order_by(SettingsRow.guild_id))]

    async def all_ids(self) -> list[int]:
        """Every server that has anything here."""
        async with self._sessions.read() as session:
            return list(await session.scalars(select(GuildRow.guild_id).order_by(GuildRow.guild_id)))

    async def delete(self, guild_id: int) -> GuildRemains:
        """Delete every row of the server. Remove the files of what is returned next; a sweep does it otherwise."""
        voices = select(VoiceRow.id).where(VoiceRow.guild_id == guild_id).order_by(VoiceRow.id)
        jobs = select(JobRow.id).where(JobRow.guild_id == guild_id).order_by(JobRow.sequence)
        requests = select(ConsentRequestRow.id).where(ConsentRequestRow.guild_id == guild_id)
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            remains = GuildRemains(
                voice_ids=tuple(await session.scalars(voices)),
                job_ids=tuple(await session.scalars(jobs)),
                request_ids=tuple(await session.scalars(requests)),
            )
            await session.execute(delete(GuildRow).where(GuildRow.guild_id == guild_id))
            return remains
