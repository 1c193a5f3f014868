"""Sentences of spoken consent: to be said, attempted, and said."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict, LimitReached, NotAllowed, NotFound
from storage.consent_records import SpokenConsent, SpokenYes
from storage.erasures import check_not_erased
from storage.models import SpokenConsentRow
from storage.sessions import Repository, lock_guild

_OPEN = SpokenConsentRow.given_at.is_(None)
_START_AGAIN = "Start again with /clone, or with Allow."
_GONE = f"This sentence is no longer valid: there is a newer one, or its time is over. {_START_AGAIN}"


class SpokenConsentRepository(Repository):
    """Sentences. Every method raises Unavailable as Sessions does."""

    async def ask(self, asked: SpokenConsent, since: int | None = None) -> list[SpokenConsent]:
        """Store a sentence. It replaces the member's open ones on this server, which are returned.

        since: the latest erasure when the request began. Raises Conflict for a newer one.
        """
        theirs = (
            SpokenConsentRow.guild_id == asked.guild_id,
            SpokenConsentRow.member_id == asked.member_id,
            _OPEN,
        )
        async with self._sessions.write() as session:
            await lock_guild(session, asked.guild_id)
            await check_not_erased(session, asked.guild_id, since, asked.member_id)
            gone = await session.scalars(delete(SpokenConsentRow).where(*theirs).returning(SpokenConsentRow))
            replaced = [row.as_value(SpokenConsent) for row in gone]
            session.add(SpokenConsentRow(**asdict(asked)))
            return replaced

    async def get(self, spoken_id: str) -> SpokenConsent:
        """Return a sentence of any server. Raises NotFound."""
        async with self._sessions.read() as session:
            row = await session.get(SpokenConsentRow, spoken_id)
            if row is None:
                raise NotFound(_GONE)
            return row.as_value(SpokenConsent)

    async def waiting(self, member_id: int, guild_id: int | None) -> list[SpokenConsent]:
        """Return the sentences that a member has to say, newest first: at most one for each server, of one or of all.

        Raises NotFound if there is none.
        """
        theirs = [SpokenConsentRow.member_id == member_id, _OPEN, SpokenConsentRow.expires_at > self._clock()]
        if guild_id is not None:
            theirs.append(SpokenConsentRow.guild_id == guild_id)
        newest_first = select(SpokenConsentRow).where(*theirs).order_by(SpokenConsentRow.created_at.desc())
        found = await self._sessions.values(SpokenConsent, newest_first)
        if not found:
            raise NotFound("There is no sentence that you have to say. Start with /clone, or with Allow.")
        return found

    async def begin_attempt(self, spoken_id: str, by_member: int, limit: int) -> SpokenConsent:
        """Count an attempt. Raises NotFound, NotAllowed for anybody but the member who was asked, Conflict after the
        sentence was said or its time is over, and LimitReached after `limit` attempts.
        """
        mine = (SpokenConsentRow.id == spoken_id, SpokenConsentRow.attempts < limit, _OPEN)
        async with self._sessions.write() as session:
            row = await session.get(SpokenConsentRow, spoken_id)
            if row is None:
                raise NotFound(_GONE)
            if row.member_id != by_member:
                raise NotAllowed("Only the member who was asked for this sentence can say it.")
            if row.given_at is not None:
                raise Conflict("You have already said this sentence.")
            if row.expires_at <= self._clock():
                raise Conflict(f"The time for this sentence is over, and nothing was cloned. {_START_AGAIN}")
            counted = update(SpokenConsentRow).where(*mine).values(attempts=SpokenConsentRow.attempts + 1)
            changed = await session.scalar(
                counted.returning(SpokenConsentRow).execution_options(populate_existing=True)
            )
            if changed is None:
                raise LimitReached(f"You have used all attempts for this sentence. {_START_AGAIN}")
            return changed.as_value(SpokenConsent)

    async def return_attempt(self, spoken_id: str) -> None:
        """Undo `begin_attempt` for a recording that was not checked. Does nothing unless the sentence is open."""
        mine = (SpokenConsentRow.id == spoken_id, SpokenConsentRow.attempts > 0, _OPEN)
        async with self._sessions.write() as session:
            await session.execute(update(SpokenConsentRow).where(*mine).values(attempts=SpokenConsentRow.attempts - 1))

    async def delete(self, spoken_id: str) -> bool:
        """Delete an open sentence. Return whether there was one."""
        mine = (SpokenConsentRow.id == spoken_id, _OPEN)
        async with self._sessions.write(deletes=True) as session:
            gone = await session.scalars(delete(SpokenConsentRow).where(*mine).returning(SpokenConsentRow.id))
            return bool(gone.all())

    async def expired(self, before: datetime) -> list[SpokenConsent]:
        """Return the open sentences of all servers whose time was over before `before`."""
        over = select(SpokenConsentRow).where(_OPEN, SpokenConsentRow.expires_at <= before)
        return await self._sessions.values(SpokenConsent, over)

    async def of_member(self, guild_id: int, member_id: int) -> list[SpokenConsent]:
        """Return a member's sentences, open and said, oldest first."""
        theirs = (SpokenConsentRow.guild_id == guild_id, SpokenConsentRow.member_id == member_id)
        rows = select(SpokenConsentRow).where(*theirs).order_by(SpokenConsentRow.created_at, SpokenConsentRow.id)
        return await self._sessions.values(SpokenConsent, rows)

    async def delete_of_member(self, guild_id: int, member_id: int) -> list[str]:
        """Delete a member's sentences. Return the ids of open ones with an upload, to be deleted next."""
        theirs = (SpokenConsentRow.guild_id == guild_id, SpokenConsentRow.member_id == member_id)
        async with self._sessions.write(deletes=True) as session:
            gone = await session.scalars(delete(SpokenConsentRow).where(*theirs).returning(SpokenConsentRow))
            return [row.id for row in gone if row.order is not None and row.given_at is None]


async def store_yes(session: AsyncSession, yes: SpokenYes, voice_id: int, now: datetime) -> None:
    """Store the measurements and the voice that they allow, once, inside the caller's transaction. Raises Conflict."""
    said = update(SpokenConsentRow).where(SpokenConsentRow.id == yes.id, _OPEN)
    values = {"given_at": now, "words": yes.words, "likeness": yes.likeness, "voice_id": voice_id}
    if await session.scalar(said.values(values).returning(SpokenConsentRow.id)) is None:
        raise Conflict(_GONE)


async def open_uploads(session: AsyncSession, guild_id: int | None = None) -> set[str]:
    """Return the ids of open sentences for members' own recordings, which are stored under these ids."""
    found = select(SpokenConsentRow).where(_OPEN)
    if guild_id is not None:
        found = found.where(SpokenConsentRow.guild_id == guild_id)
    return {row.id for row in await session.scalars(found) if row.order is not None}
