"""The voices of each server: the rows only, without their files and without checks of rights."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, delete, false, func, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from errors import InvalidInput, NameTaken, NotFound
from storage.columns import Clock
from storage.consents import store_confirmation
from storage.erasures import check_not_erased
from storage.limits import check_voices
from storage.models import MemberRow, SettingsRow, ShareRow, VoiceRow
from storage.names import fold, name_key
from storage.records import NewVoice, Viewer, Visibility, VoiceModels, VoiceRecord, VoiceState, voice_key
from storage.sessions import Sessions, lock_guild
from storage.shards import Notice, NoticeKind, Shards, tell

Voices = list[VoiceRecord]  # the repository's method `list` hides the type inside the class


class VoiceRepository:
    """Voices. Every method raises NotFound for a voice that is not in that server, and Unavailable as Sessions does."""

    def __init__(self, sessions: Sessions, clock: Clock, shards: Shards) -> None:
        self._sessions = sessions
        self._clock = clock
        self._shards = shards

    async def get(self, guild_id: int, voice_id: int) -> VoiceRecord:
        """Return the voice with this id."""
        async with self._sessions.read() as session:
            return _found(await session.scalar(_one(guild_id, voice_id))).as_value(VoiceRecord)

    async def by_id(self, guild_id: int, voice_id: int) -> VoiceRecord | None:
        """Return the voice with this id, or None."""
        async with self._sessions.read() as session:
            row = await session.scalar(_one(guild_id, voice_id))
            return row.as_value(VoiceRecord) if row else None

    async def find(self, guild_id: int, name: str) -> VoiceRecord | None:
        """Return the voice with this name, in any state, or None."""
        async with self._sessions.read() as session:
            row = await session.scalar(
                select(VoiceRow).where(VoiceRow.guild_id == guild_id, VoiceRow.name_key == name_key(name))
            )
            return row.as_value(VoiceRecord) if row else None

    async def list(
        self,
        guild_id: int,
        viewer: Viewer | None,
        *,
        query: str = "",
        owner_id: int | None = None,
        ready_only: bool = True,
        limit: int = 25,
        offset: int = 0,
    ) -> tuple[Voices, int]:
        """Return a page of the voices that `viewer` may speak with, by name, and how many there are on all pages.

        `query` matches anywhere in the name. A viewer of None sees everything (for moderation).
        """
        wanted = [VoiceRow.guild_id == guild_id, _visible(viewer)]
        if query:
            wanted.append(VoiceRow.name_key.contains(name_key(query), autoescape=True))
        if owner_id is not None:
            wanted.append(VoiceRow.owner_id == owner_id)
        if ready_only:
            wanted.append(VoiceRow.state == VoiceState.READY)
        async with self._sessions.read() as session:
            total = await session.scalar(select(func.count()).select_from(VoiceRow).where(*wanted))
            page = select(VoiceRow).where(*wanted).order_by(VoiceRow.name_key, VoiceRow.id).limit(limit).offset(offset)
            return [row.as_value(VoiceRecord) for row in await session.scalars(page)], total or 0

    async def suggest(self, guild_id: int, viewer: Viewer | None, typed: str, limit: int) -> Voices:
        """Return at most `limit` ready voices whose folded names contain `typed`; prefix matches come first."""
        wanted = [*_speaking(guild_id, viewer), VoiceRow.name_folded.contains(typed, autoescape=True)]
        begins = case((VoiceRow.name_folded.startswith(typed, autoescape=True), 0), else_=1)
        page = select(VoiceRow).where(*wanted).order_by(begins, VoiceRow.name_key, VoiceRow.id).limit(limit)
        return await self._sessions.values(VoiceRecord, page)

    async def names(self, guild_id: int, viewer: Viewer | None) -> Sequence[tuple[int, str]]:
        """Return the ids and names of the ready voices that `viewer` may speak with, sorted by name."""
        async with self._sessions.read() as session:
            named = select(VoiceRow.id, VoiceRow.name).where(*_speaking(guild_id, viewer)).order_by(VoiceRow.name_key)
            return [(row.id, row.name) for row in await session.execute(named)]

    async def several(self, guild_id: int, viewer: Viewer | None, voice_ids: Collection[int]) -> Voices:
        """Return those of these voices that are ready and that `viewer` may speak with, sorted by name."""
        wanted = [*_speaking(guild_id, viewer), VoiceRow.id.in_(voice_ids)]
        return await self._sessions.values(VoiceRecord, select(VoiceRow).where(*wanted).order_by(VoiceRow.name_key))

    async def of_person(self, guild_id: int, member_id: int) -> Voices:
        """Return the voices that a member owns or speaks in, in any state, oldest first."""
        about_them = or_(VoiceRow.owner_id == member_id, VoiceRow.speaker_id == member_id)
        theirs = select(VoiceRow).where(VoiceRow.guild_id == guild_id, about_them)
        return await self._sessions.values(VoiceRecord, theirs.order_by(VoiceRow.id))

    async def check_place(self, guild_id: int, owner_id: int, member_limit: int, guild_limit: int) -> None:
        """Raise LimitReached if the member or the server has as many voices as allowed now."""
        async with self._sessions.read() as session:
            await check_voices(session, guild_id, owner_id, member_limit, guild_limit)

    async def add(
        self,
        new: NewVoice,
        models: VoiceModels,
        *,
        has_clip: bool,
        member_limit: int,
        guild_limit: int,
        since: int | None = None,
        policy_version: int | None = None,
        place: Callable[[VoiceRecord], Awaitable[object]] | None = None,
    ) -> VoiceRecord:
        """Add a ready voice (an import).

        since: the latest erasure when the import began.
        policy_version: stores the owner's confirmation that the voice is theirs, under this version of the policy.
        place: stores the voice's files. It runs before the commit, so that no crash leaves a voice without files; if it
        raises, the voice is not added.
        Raises LimitReached when the member or the server has as many voices as allowed, Conflict for a taken name and
        for a newer erasure.
        """
        async with self._sessions.write() as session:
            await lock_guild(session, new.guild_id)
            await check_not_erased(session, new.guild_id, since, new.owner_id, new.speaker_id)
            await check_voices(session, new.guild_id, new.owner_id, member_limit, guild_limit)
            if policy_version is not None:
                await store_confirmation(session, new.guild_id, new.owner_id, policy_version, self._clock())
            row = new_row(new, VoiceState.READY, self._clock())
            _set_models(row, models)
            row.has_clip = has_clip
            await insert_voice(session, row)
            record = row.as_value(VoiceRecord)
            if place is not None:
                await place(record)
            return record

    async def make_ready(
        self, guild_id: int, voice_id: int, models: VoiceModels, report: dict[str, Any] | None, *, has_clip: bool
    ) -> VoiceRecord:
        """Mark a voice as ready once its files are stored. Idempotent."""
        async with self._sessions.write() as session:
            row = await _locked_row(session, guild_id, voice_id)
            row.state = VoiceState.READY
            row.report = report
            row.has_clip = has_clip
            _set_models(row, models)
            return row.as_value(VoiceRecord)

    async def set_models(self, guild_id: int, voice_id: int, models: VoiceModels) -> VoiceRecord:
        """Store which models made the voice's new prompt."""
        async with self._sessions.write() as session:
            row = await _locked_row(session, guild_id, voice_id)
            _set_models(row, models)
            return row.as_value(VoiceRecord)

    async def rename(self, guild_id: int, voice_id: int, name: str) -> VoiceRecord:
        """Rename the voice. Raises Conflict if the name is taken."""
        async with self._sessions.write() as session:
            row = await _locked_row(session, guild_id, voice_id)
            row.name = name
            row.name_key, row.name_folded = name_key(name), fold(name)
            await _flush_name(session, name)
            return row.as_value(VoiceRecord)

    async def describe(self, guild_id: int, voice_id: int, description: str) -> VoiceRecord:
        """Change the voice's description."""
        async with self._sessions.write() as session:
            row = await _locked_row(session, guild_id, voice_id)
            row.description = description
            return row.as_value(VoiceRecord)

    async def share(
        self,
        guild_id: int,
        voice_id: int,
        visibility: Visibility,
        member_ids: frozenset[int] | None,
        role_ids: frozenset[int] | None,
    ) -> VoiceRecord:
        """Set who may speak with the voice. Members and roles replace the earlier choice; None keeps it.

        Raises InvalidInput if the visibility is CHOSEN and no member or role is chosen.
        """
        async with self._sessions.write() as session:
            await lock_guild(session, guild_id)
            row = await _locked_row(session, guild_id, voice_id)
            row.visibility = visibility
            kept = {(share.is_role, share.subject_id): share for share in row.shares}
            chosen = _chosen(kept, False, member_ids) | _chosen(kept, True, role_ids)
            if visibility is Visibility.CHOSEN and not chosen:
                raise InvalidInput("Choose at least one member or role to share the voice with.")
            row.shares = [
                kept.get((is_role, subject_id)) or ShareRow(is_role=is_role, subject_id=subject_id)
                for is_role, subject_id in sorted(chosen)
            ]
            return row.as_value(VoiceRecord)

    async def delete(self, guild_id: int, voice_id: int) -> VoiceRecord:
        """Delete the voice and every default that names it. Return it as it was; delete its files next."""
        async with self._sessions.write(deletes=True) as session:
            row = await _locked_row(session, guild_id, voice_id)
            record = row.as_value(VoiceRecord)
            await session.execute(delete(VoiceRow).where(VoiceRow.guild_id == guild_id, VoiceRow.id == voice_id))
            await session.execute(
                update(MemberRow)
                .where(MemberRow.guild_id == guild_id, MemberRow.default_voice == voice_key(voice_id))
                .values(default_voice=None)
            )
            await session.execute(
                update(SettingsRow)
                .where(SettingsRow.guild_id == guild_id, SettingsRow.default_voice == voice_key(voice_id))
                .values(default_voice=None)
            )
            await tell(session, self._shards, Notice(NoticeKind.VOICE, guild_id, str(voice_id)))
            return record


def new_row(new: NewVoice, state: VoiceState, now: datetime) -> VoiceRow:
    """Return a row for a voice that only its owner may use."""
    return VoiceRow(
        **asdict(new),
        name_key=name_key(new.name),
        name_folded=fold(new.name),
        state=state,
        visibility=Visibility.OWNER,
        has_clip=False,
        created_at=now,
        shares=[],
    )


async def insert_voice(session: AsyncSession, row: VoiceRow) -> None:
    """Insert the row, which assigns its id. Raises Conflict if the name is taken."""
    session.add(row)
    await _flush_name(session, row.name)


def _one(guild_id: int, voice_id: int) -> Select[VoiceRow]:
    return select(VoiceRow).where(VoiceRow.guild_id == guild_id, VoiceRow.id == voice_id)


async def _locked_row(session: AsyncSession, guild_id: int, voice_id: int) -> VoiceRow:
    """Return the row, locked until the transaction ends."""
    return _found(await session.scalar(_one(guild_id, voice_id).with_for_update()))


def _found(row: VoiceRow | None) -> VoiceRow:
    if row is None:
        raise NotFound("There is no such voice here. It may just have been deleted.")
    return row


async def _flush_name(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        raise NameTaken(f"There is already a voice called {name} here. Please choose another name.") from error


def _set_models(row: VoiceRow, models: VoiceModels) -> None:
    row.model = models.model
    row.model_digest = models.digest
    row.hubert = models.hubert
    row.quantizer = models.quantizer


def _chosen(
    kept: Collection[tuple[bool, int]], is_role: bool, subject_ids: frozenset[int] | None
) -> set[tuple[bool, int]]:
    """Return the shares with roles, or with members: these or, for None, the existing ones."""
    if subject_ids is None:
        return {share for share in kept if share[0] == is_role}
    return {(is_role, subject_id) for subject_id in subject_ids}


def _speaking(guild_id: int, viewer: Viewer | None) -> list[ColumnElement[bool]]:
    return [VoiceRow.guild_id == guild_id, VoiceRow.state == VoiceState.READY, _visible(viewer)]


def _visible(viewer: Viewer | None) -> ColumnElement[bool]:
    """Return the rule of Visibility as SQL."""
    if viewer is None:
        return true()
    for_them = VoiceRow.shares.any(
        or_(
            (ShareRow.is_role == false()) & (ShareRow.subject_id == viewer.member_id),
            (ShareRow.is_role == true()) & ShareRow.subject_id.in_(viewer.role_ids),
        )
    )
    return or_(
        VoiceRow.owner_id == viewer.member_id,
        VoiceRow.visibility == Visibility.EVERYONE,
        (VoiceRow.visibility == Visibility.CHOSEN) & for_them,
    )
