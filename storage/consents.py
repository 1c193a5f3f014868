"""Members' consents, and requests to clone somebody else's voice."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from errors import Conflict, LimitReached, NotAllowed, NotFound
from storage.consent_records import Consent, ConsentRequest, ConsentState
from storage.erasures import check_not_erased
from storage.models import ConsentRequestRow, ConsentRow, VoiceRow
from storage.sessions import Repository, lock_guild


class ConsentRepository(Repository):
    """Consents. Every method raises Unavailable as Sessions does."""

    async def get(self, guild_id: int, member_id: int) -> Consent | None:
        """Return what the member agreed to, or None."""
        async with self._sessions.read() as session:
            row = await session.get(ConsentRow, (guild_id, member_id))
            return row.as_value(Consent) if row else None

    async def revoke(self, guild_id: int, member_id: int) -> int:
        """Delete the member's consent and withdraw the requests that they allowed. Return the number of both."""
        theirs = (ConsentRow.guild_id == guild_id, ConsentRow.member_id == member_id)
        allowed = (
            ConsentRequestRow.guild_id == guild_id,
            ConsentRequestRow.author_id == member_id,
            ConsentRequestRow.state == ConsentState.ALLOWED,
        )
        taken_back = update(ConsentRequestRow).where(*allowed).values(state=ConsentState.WITHDRAWN)
        async with self._sessions.write(deletes=True) as session:
            gone = await session.scalars(delete(ConsentRow).where(*theirs).returning(ConsentRow.member_id))
            back = await session.scalars(taken_back.returning(ConsentRequestRow.id))
            return len(gone.all()) + len(back.all())

    async def request(self, request: ConsentRequest, *, limit: int, since: int | None = None) -> ConsentRequest:
        """Store a request until its author answers or it expires. since: the latest erasure when it began.

        Raises NotAllowed if this author refused this requester before, Conflict if an earlier request to this author is
        still open and for a newer erasure, and LimitReached if `limit` requests of this requester are open.
        """
        async with self._sessions.write() as session:
            await lock_guild(session, request.guild_id)
            await check_not_erased(session, request.guild_id, since, request.requester_id, request.author_id)
            await self._check_earlier(session, request, limit)
            session.add(ConsentRequestRow(**asdict(request)))
        return request

    async def find_request(self, request_id: str) -> ConsentRequest | None:
        """Return the request with this id, of any server, or None."""
        async with self._sessions.read() as session:
            row = await session.get(ConsentRequestRow, request_id)
            return row.as_value(ConsentRequest) if row else None

    async def get_request(self, request_id: str) -> ConsentRequest:
        """Return the request with this id, of any server. Raises NotFound."""
        async with self._sessions.read() as session:
            row = await session.get(ConsentRequestRow, request_id)
            if row is None:
                raise NotFound(_UNKNOWN)
            return row.as_value(ConsentRequest)

    async def answer(self, request_id: str, by_author: int, state: ConsentState) -> ConsentRequest:
        """Refuse a pending request, once; EXPIRED closes a request whose time is over.

        JobAcceptance.accept_clone writes a yes, together with the job that it allows. Raises NotFound, NotAllowed if
        `by_author` is not the member who was asked, and Conflict if the request was answered before or its time is
        over.
        """
        async with self._sessions.write(deletes=True) as session:
            return (await answer_once(session, request_id, by_author, state, self._clock())).as_value(ConsentRequest)

    async def withdraw(self, request_id: str, by_author: int) -> ConsentRequest:
        """Withdraw a permission. Idempotent.

        Raises NotFound, NotAllowed for other members, and Conflict if nothing was allowed.
        """
        allowed = (ConsentRequestRow.id == request_id, ConsentRequestRow.state == ConsentState.ALLOWED)
        async with self._sessions.write(deletes=True) as session:
            row = await _asked(session, request_id, by_author)
            if row.state is ConsentState.WITHDRAWN:
                return row.as_value(ConsentRequest)
            taken_back = update(ConsentRequestRow).where(*allowed).values(state=ConsentState.WITHDRAWN)
            changed = await session.scalar(
                taken_back.returning(ConsentRequestRow).execution_options(populate_existing=True)
            )
            if changed is None:
                raise Conflict(_ANSWERED.get(row.state, "You have not allowed this, so there is nothing to take back."))
            return changed.as_value(ConsentRequest)

    async def expired(self, now: datetime) -> list[ConsentRequest]:
        """Return the pending requests of all servers whose time is over."""
        over = (ConsentRequestRow.state == ConsentState.PENDING, ConsentRequestRow.expires_at <= now)
        rows = select(ConsentRequestRow).where(*over).order_by(ConsentRequestRow.expires_at)
        return await self._sessions.values(ConsentRequest, rows)

    async def requests_of(self, guild_id: int, member_id: int) -> list[ConsentRequest]:
        """Return the requests that a member made or was asked to answer, in any state, oldest first."""
        theirs = select(ConsentRequestRow).where(ConsentRequestRow.guild_id == guild_id, _about(member_id))
        oldest_first = theirs.order_by(ConsentRequestRow.created_at, ConsentRequestRow.id)
        return await self._sessions.values(ConsentRequest, oldest_first)

    async def delete_requests_of(self, guild_id: int, member_id: int) -> list[str]:
        """Delete the requests that a member made or was asked to answer. Return their ids; delete their uploads next.

        Refusals of the member's own requests stay, without the payload: otherwise, after deleting their data, they
        could ask the same author again.
        """
        here = ConsentRequestRow.guild_id == guild_id
        refused = (ConsentRequestRow.requester_id == member_id) & ConsentRequestRow.state.in_(REFUSED)
        asked_of_them = ConsentRequestRow.author_id == member_id
        gone = (here, _about(member_id), or_(asked_of_them, ~refused))
        async with self._sessions.write(deletes=True) as session:
            await session.execute(update(ConsentRequestRow).where(here, refused).values(order={}))
            return list(await session.scalars(delete(ConsentRequestRow).where(*gone).returning(ConsentRequestRow.id)))

    async def prune_requests(self, guild_id: int, before: datetime) -> int:
        """Delete the answered and expired requests made before `before`. Return their number.

        A yes stays as long as the voice that was made from it, because its author needs it to take the yes back.
        """
        in_use = (ConsentRequestRow.state == ConsentState.ALLOWED) & exists().where(
            VoiceRow.guild_id == ConsentRequestRow.guild_id, VoiceRow.id == ConsentRequestRow.voice_id
        )
        old = (
            ConsentRequestRow.guild_id == guild_id,
            ConsentRequestRow.state != ConsentState.PENDING,
            ConsentRequestRow.created_at < before,
            ~in_use,
        )
        async with self._sessions.write(deletes=True) as session:
            gone = await session.scalars(delete(ConsentRequestRow).where(*old).returning(ConsentRequestRow.id))
            return len(gone.all())

    async def _check_earlier(self, session: AsyncSession, request: ConsentRequest, limit: int) -> None:
        """Check earlier requests of the same member. Call it while holding the server's write lock."""
        here, theirs = (
            ConsentRequestRow.guild_id == request.guild_id,
            ConsentRequestRow.requester_id == request.requester_id,
        )
        earlier = list(await session.scalars(select(ConsentRequestRow).where(here, theirs)))
        same = [row for row in earlier if row.author_id == request.author_id]
        now = self._clock()
        open_ = [row for row in earlier if row.state is ConsentState.PENDING and row.expires_at > now]
        if any(row.state is ConsentState.WITHDRAWN for row in same):
            raise NotAllowed("This member took back what they allowed you, so you can't ask them again.")
        if any(row.state in REFUSED for row in same):
            raise NotAllowed("This member has already said no to you, so you can't ask them again.")
        if any(row in open_ for row in same):
            raise Conflict("You have already asked this member. Please wait for their answer.")
        if len(open_) >= limit:
            raise LimitReached(
                f"{limit} of your requests are still waiting for an answer. Please wait for one before you ask again."
            )


async def store_confirmation(
    session: AsyncSession, guild_id: int, member_id: int, policy_version: int, now: datetime
) -> None:
    """Upsert the member's confirmation that a recording is their own, with its policy version.

    Call it while holding the server's write lock.
    """
    await session.merge(ConsentRow(guild_id=guild_id, member_id=member_id, policy_version=policy_version, given_at=now))


async def answer_once(
    session: AsyncSession, request_id: str, by_author: int, state: ConsentState, now: datetime
) -> ConsentRequestRow:
    """Answer a pending request inside the caller's transaction. Raises as ConsentRepository.answer does."""
    pending = [ConsentRequestRow.id == request_id, ConsentRequestRow.state == ConsentState.PENDING]
    if state is not ConsentState.EXPIRED:
        pending.append(ConsentRequestRow.expires_at > now)
    row = await _asked(session, request_id, by_author)
    answered = update(ConsentRequestRow).where(*pending).values(state=state)
    changed = await session.scalar(answered.returning(ConsentRequestRow).execution_options(populate_existing=True))
    if changed is None:
        raise Conflict(_TOO_LATE if row.state is ConsentState.PENDING else _ANSWERED[row.state])
    return changed


async def _asked(session: AsyncSession, request_id: str, by_author: int) -> ConsentRequestRow:
    row = await session.get(ConsentRequestRow, request_id)
    if row is None:
        raise NotFound(_UNKNOWN)
    if row.author_id != by_author:
        raise NotAllowed("Only the member whose voice is in that message can answer this.")
    return row


REFUSED = (ConsentState.DENIED, ConsentState.WITHDRAWN)
"""Final answers: the requester cannot ask this author again."""

_UNKNOWN = "That request no longer exists. It may have been withdrawn."
_TOO_LATE = "This request has expired. Nothing was cloned."
_ANSWERED = {
    ConsentState.ALLOWED: "This request was already allowed.",
    ConsentState.DENIED: "This request was already denied.",
    ConsentState.EXPIRED: _TOO_LATE,
    ConsentState.WITHDRAWN: "You have already taken this back, and the voice was deleted.",
}


def _about(member_id: int) -> ColumnElement[bool]:
    return or_(ConsentRequestRow.requester_id == member_id, ConsentRequestRow.author_id == member_id)
