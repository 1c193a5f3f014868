"""The members of each server: default voices, blocks, absences, and exclusions from being read aloud."""

from datetime import timedelta

from sqlalchemy import BigInteger, delete, exists, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import NotFound
from storage.columns import Clock
from storage.group_commit import GroupCommit, Statement
from storage.models import (
    AuditRow,
    ConsentRequestRow,
    ConsentRow,
    GuildRow,
    JobRow,
    MemberRow,
    ShareRow,
    SpokenConsentRow,
    VoiceRow,
)
from storage.records import MemberRecord
from storage.sessions import Repository, Sessions, lock_guild

_COLUMNS = MemberRow.__mapper__.columns
_FIND = Statement(
    lambda given: select(*(_COLUMNS[name] for name in MemberRecord.__dataclass_fields__)).where(
        _COLUMNS["guild_id"] == given["in_guild"], _COLUMNS["member_id"] == given["member"]
    ),
    {"in_guild": BigInteger(), "member": BigInteger()},
)
"""The member `member` of the server `in_guild`."""


class MemberRepository(Repository):
    """Members. Every method raises Unavailable as Sessions does."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        super().__init__(sessions, clock)
        self._found = GroupCommit(self._find)

    async def get(self, guild_id: int, member_id: int) -> MemberRecord:
        """Return the member's record; a blank one for an unknown member."""
        found = await self._found.do((guild_id, member_id), {"in_guild": guild_id, "member": member_id})
        return found or MemberRecord(guild_id, member_id)

    async def servers_of(self, member_id: int) -> list[int]:
        """Return the servers that store anything about the member, besides the usage of deleted jobs.

        Every table is searched by its index on the server, so that none needs another index for this.
        """
        here = GuildRow.guild_id
        shared = select(VoiceRow.guild_id).join(ShareRow, ShareRow.voice_id == VoiceRow.id)
        named = (
            exists().where(MemberRow.guild_id == here, MemberRow.member_id == member_id),
            exists().where(ConsentRow.guild_id == here, ConsentRow.member_id == member_id),
            exists().where(VoiceRow.guild_id == here, VoiceRow.owner_id == member_id),
            exists().where(VoiceRow.guild_id == here, VoiceRow.speaker_id == member_id),
            exists().where(JobRow.guild_id == here, JobRow.member_id == member_id),
            exists().where(ConsentRequestRow.guild_id == here, ConsentRequestRow.requester_id == member_id),
            exists().where(ConsentRequestRow.guild_id == here, ConsentRequestRow.author_id == member_id),
            exists().where(SpokenConsentRow.guild_id == here, SpokenConsentRow.member_id == member_id),
            exists().where(AuditRow.guild_id == here, AuditRow.actor_id == member_id),
            here.in_(shared.where(ShareRow.is_role == false(), ShareRow.subject_id == member_id)),
        )
        async with self._sessions.read() as session:
            return list(await session.scalars(select(here).where(or_(*named)).order_by(here)))

    async def set_default_voice(self, guild_id: int, member_id: int, key: str | None) -> MemberRecord:
        """Store the voice that the member speaks with when none is named. `key`: a studio voice key."""
        return await self._set(guild_id, member_id, default_voice=key)

    async def block(self, guild_id: int, member_id: int, by: int, reason: str = "") -> MemberRecord:
        """Block the member from using Barkeep in this server. A second block replaces the reason."""
        return await self._set(guild_id, member_id, blocked_at=self._clock(), blocked_by=by, block_reason=reason)

    async def unblock(self, guild_id: int, member_id: int) -> MemberRecord:
        """Unblock the member."""
        return await self._set(guild_id, member_id, blocked_at=None, blocked_by=None, block_reason="")

    async def note_presence(self, guild_id: int, member_id: int, *, left: bool) -> timedelta | None:
        """Record whether the member has left the server. Return how long that has been known; None if they are there.

        Raises NotFound for a member who has no voice there, who may just have had their data deleted.
        """
        if (await self.get(guild_id, member_id)).away_since is None and not left:
            return None
        theirs = or_(VoiceRow.owner_id == member_id, VoiceRow.speaker_id == member_id)
        async with self._sessions.write() as session:
            row = await _row(session, guild_id, member_id)
            if not await session.scalar(select(exists().where(VoiceRow.guild_id == guild_id, theirs))):
                raise NotFound("That voice has just been deleted. Please choose another one.")
            now = self._clock()
            row.away_since = (row.away_since or now) if left else None
            return None if row.away_since is None else max(timedelta(0), now - row.away_since)

    async def blocked(self, guild_id: int) -> list[MemberRecord]:
        """Return the blocked members of the server, the latest first."""
        blocked = select(MemberRow).where(MemberRow.guild_id == guild_id, MemberRow.blocked_at.is_not(None))
        latest_first = blocked.order_by(MemberRow.blocked_at.desc(), MemberRow.member_id)
        return await self._sessions.values(MemberRecord, latest_first)

    async def set_unread(self, guild_id: int, member_id: int, *, unread: bool) -> MemberRecord:
        """Store whether the member excludes their messages from being read aloud."""
        return await self._set(guild_id, member_id, unread=unread)

    async def set_ignored(self, guild_id: int, member_id: int, *, ignored: bool) -> MemberRecord:
        """Store whether moderators exclude the member's messages from being read aloud."""
        return await self._set(guild_id, member_id, ignored=ignored)

    async def ignored(self, guild_id: int) -> list[int]:
        """Return the members whose messages moderators excluded from being read aloud."""
        async with self._sessions.read() as session:
            theirs = select(MemberRow.member_id).where(MemberRow.guild_id == guild_id, MemberRow.ignored)
            return list(await session.scalars(theirs.order_by(MemberRow.member_id)))

    async def forget(self, guild_id: int, member_id: int) -> None:
        """Delete the member's data, and the shares of other members' voices with them.

        A block stays, and so do exclusions from being read aloud: deleting data must not lift these decisions.
        """
        shared_with_them = (
            ShareRow.is_role == false(),
            ShareRow.subject_id == member_id,
            ShareRow.voice_id.in_(select(VoiceRow.id).where(VoiceRow.guild_id == guild_id)),
        )
        async with self._sessions.write(deletes=True) as session:
            row = await _row(session, guild_id, member_id)
            await session.execute(delete(ShareRow).where(*shared_with_them))
            row.default_voice = row.away_since = None
            if row.blocked_at is None and not row.unread and not row.ignored:
                await session.delete(row)

    async def _set(self, guild_id: int, member_id: int, **columns: object) -> MemberRecord:
        async with self._sessions.write() as session:
            row = await _row(session, guild_id, member_id)
            for name, value in columns.items():
                setattr(row, name, value)
            return row.as_value(MemberRecord)

    async def _find(self, given: dict[tuple[int, int], dict[str, int]]) -> dict[tuple[int, int], MemberRecord]:
        async with self._sessions.once(writes=False) as connection:
            found = [MemberRecord(*tuple(row)) for row in await _FIND.run(connection, list(given.values()))]
        return {(member.guild_id, member.member_id): member for member in found}


async def _row(session: AsyncSession, guild_id: int, member_id: int) -> MemberRow:
    """Return the member's row, and create it if needed. Holds the server's lock, so that two commands cannot both
    create it.
    """
    await lock_guild(session, guild_id)
    row = await session.get(MemberRow, (guild_id, member_id))
    if row is None:
        row = MemberRow(
            guild_id=guild_id, member_id=member_id, default_voice=None, block_reason="", unread=False, ignored=False
        )
        session.add(row)
        await session.flush()
    return row
