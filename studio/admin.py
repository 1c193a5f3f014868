"""What moderators can see and change. Every method checks that the actor is a moderator."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from cloning.consent.packages import NOT_INSTALLED
from cloning.worker.protocol import Executor, NodeState
from errors import Conflict, InvalidInput, NotAllowed, NotFound, Unavailable
from storage.consent_records import ConsentKind
from storage.database import Storage
from storage.jobs import UNFINISHED
from storage.records import (
    AuditEntry,
    AuditQuery,
    ChannelOutput,
    GuildSettings,
    JobRecord,
    JobState,
    MemberRecord,
    VoiceRecord,
)
from studio import rights
from studio.housekeeping import delete_finished
from studio.names import one_line
from studio.privacy import PrivacyService
from studio.queue.dispatcher import Dispatcher
from studio.values import Actor, Erased, Page, QueueEntry, Stats, Voice, nearest_page
from studio.voices import VoiceLibrary

MAX_DAYS = 3650
"""The longest span of days that can be requested: ten years."""
RANGES: dict[str, tuple[int, int]] = {
    "voices_per_member": (0, 1000),
    "voices_per_guild": (0, 5000),
    "jobs_per_hour_per_member": (0, 10_000),
    "jobs_per_hour_per_guild": (0, 100_000),
    "seconds_per_day_per_member": (0, 86_400),
    "seconds_per_day_per_guild": (0, 864_000),
    "text_length": (1, 4000),
    "retention_days": (0, MAX_DAYS),
    "away_days": (0, MAX_DAYS),
    "channel_idle_minutes": (1, 1440),
    "read_length": (20, 1000),
    "read_per_minute": (1, 60),
}
"""Setting -> its lowest and highest value. A limit of 0 allows none; 0 days of retention are one hour at most."""
NO_VOICE = "-"
"""Typed in place of a voice to mean no voice. No voice can have this name."""
REASON_LENGTH = 200
"""The longest reason for a block, in characters."""

_AUDIT_LINES = 10
_VOICES = 10
_ID_SETS = ("clone_role_ids", "speak_role_ids", "channel_ids")

_log = structlog.get_logger(__name__)


class AdminService:
    """Moderation of a server."""

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        library: VoiceLibrary,
        privacy: PrivacyService,
        dispatcher: Dispatcher,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._storage = storage
        self._executor = executor
        self._library = library
        self._privacy = privacy
        self._dispatcher = dispatcher
        self._clock = clock

    async def settings(self, actor: Actor) -> GuildSettings:
        """Return the server's settings."""
        rights.must_moderate(actor)
        return await self._storage.guilds.get(actor.guild_id)

    async def change(self, actor: Actor, **changes: Any) -> GuildSettings:
        """Change settings by the names of GuildSettings.

        Raises InvalidInput for a value out of range, and Unavailable for spoken consent without its recogniser.
        """
        rights.must_moderate(actor)
        checked = {name: _checked(name, value) for name, value in changes.items()}
        if checked.get("consent") is ConsentKind.SPOKEN and not self._executor.consent_languages:
            raise Unavailable(f"{NOT_INSTALLED} Nothing was changed.")
        before, after = await self._storage.guilds.change(actor.guild_id, **checked)
        for name in checked:
            old, new = getattr(before, name), getattr(after, name)
            if old != new:
                await self._audit(actor, "settings.change", name, f"{_shown(old)} to {_shown(new)}")
        return after

    async def default_voice(self, actor: Actor, typed: str | None) -> Voice | None:
        """Set the voice that speaks for members without one, and return it. `typed`: NO_VOICE for none.

        With None, only return the current one. Raises as VoiceLibrary.info does, NotAllowed for a voice that is not
        shared with everyone, and VoiceUnavailable if the current one can no longer speak.
        """
        rights.must_moderate(actor)
        if typed is None:
            return await self._library.required_of_server(actor.guild_id)
        voice = None if typed == NO_VOICE else await self._library.info(actor, typed)
        if voice is not None and voice.record is not None and not rights.is_for_everyone(voice.record):
            raise NotAllowed("Not everyone can use this voice. Its owner has to share it with everyone first.")
        await self._storage.guilds.change(actor.guild_id, default_voice=None if voice is None else voice.key)
        await self._audit(actor, "settings.voice", "" if voice is None else voice.name)
        return voice

    async def lost_choices(self, guild_id: int, existing_ids: frozenset[int]) -> tuple[str, ...]:
        """Return the names of settings whose chosen roles or channels were all deleted, unless moderators were told.

        existing_ids: the server's roles and channels. The names are those of GuildSettings.
        """
        settings = await self._storage.guilds.get(guild_id)
        chosen = {name: getattr(settings, name) for name in _ID_SETS}
        lost = {name: ids for name, ids in chosen.items() if rights.are_gone(ids, existing_ids)}
        told = await self._storage.guilds.told_gone(guild_id) if lost else frozenset()
        return tuple(name for name, ids in lost.items() if not ids <= told)

    async def told_of_lost(self, guild_id: int, names: tuple[str, ...]) -> None:
        """Record that moderators were told about these settings, so that they are not told again."""
        settings = await self._storage.guilds.get(guild_id)
        chosen = frozenset[int]().union(*(getattr(settings, name) for name in _ID_SETS))
        told = await self._storage.guilds.told_gone(guild_id)
        now = told.union(*(getattr(settings, name) for name in names))
        await self._storage.guilds.note_told_gone(guild_id, now & chosen)

    async def voices(self, actor: Actor, query: str, number: int) -> Page[Voice]:
        """Return a page of all voices of the server."""
        rights.must_moderate(actor)
        return await self._library.page_for(actor.guild_id, None, query, number, _VOICES)

    async def remove_voice(self, actor: Actor, typed: str) -> VoiceRecord:
        """Delete any voice of the server."""
        rights.must_moderate(actor)
        return await self._library.delete(actor, typed)

    async def block(self, actor: Actor, member_id: int, reason: str) -> MemberRecord:
        """Block a member from cloning and speaking, and cancel their jobs. Their voices stay."""
        rights.must_moderate(actor)
        if member_id == actor.member_id:
            raise InvalidInput("You can't block yourself.")
        reason = one_line(reason)
        if len(reason) > REASON_LENGTH:
            raise InvalidInput(f"Shorten the reason to at most {REASON_LENGTH} characters.")
        blocked = await self._storage.members.block(actor.guild_id, member_id, actor.member_id, reason)
        for job in await self._storage.jobs.of_member(actor.guild_id, member_id, states=UNFINISHED, limit=None):
            await self._dispatcher.cancel(job.id)
        self._dispatcher.rooms.drop_member(actor.guild_id, member_id)
        await self._audit(actor, "member.block", str(member_id), reason)
        return blocked

    async def unblock(self, actor: Actor, member_id: int) -> MemberRecord:
        """Unblock a member. Raises NotFound if they were not blocked."""
        rights.must_moderate(actor)
        if (await self._storage.members.get(actor.guild_id, member_id)).blocked_at is None:
            raise NotFound("That member is not blocked here.")
        unblocked = await self._storage.members.unblock(actor.guild_id, member_id)
        await self._audit(actor, "member.unblock", str(member_id))
        return unblocked

    async def blocked(self, actor: Actor) -> list[MemberRecord]:
        """Return the blocked members."""
        rights.must_moderate(actor)
        return await self._storage.members.blocked(actor.guild_id)

    async def queue(self, actor: Actor) -> list[QueueEntry]:
        """Return the server's jobs: running ones, queued ones in order, then those whose answer could not be
        delivered.
        """
        rights.must_moderate(actor)
        jobs = await self._storage.jobs.of_guild(actor.guild_id, (*UNFINISHED, JobState.READY))
        entries = [
            QueueEntry(job, None if job.state is JobState.READY else self._dispatcher.position(job.id)) for job in jobs
        ]
        return sorted(entries, key=_queue_order)

    def nodes(self, actor: Actor) -> tuple[NodeState, ...]:
        """Return the speech workers of a cluster; () on a single machine."""
        rights.must_moderate(actor)
        return self._executor.health().nodes

    async def cancel(self, actor: Actor, job_id: str) -> JobRecord:
        """Cancel any job of the server. Raises Conflict when it has ended."""
        rights.must_moderate(actor)
        job = await self._storage.jobs.find(job_id)
        if job is None or job.guild_id != actor.guild_id:
            raise NotFound("There is no such job here. See all with /admin queue.")
        cancelled = await self._dispatcher.cancel(job_id)
        if cancelled is None:
            raise Conflict("That job has ended already.")
        await self._audit(actor, "job.cancel", job_id, f"of {job.member_id}")
        return cancelled

    async def audit(self, actor: Actor, number: int, query: AuditQuery | None = None) -> Page[AuditEntry]:
        """Return a page of the audit entries that match the query; a number outside it gives the nearest page."""
        rights.must_moderate(actor)
        number = max(1, number)
        entries, total = await self._audit_lines(actor, number, query)
        nearest, pages = nearest_page(number, total, _AUDIT_LINES)
        if nearest != number:
            number = nearest
            entries, total = await self._audit_lines(actor, number, query)
        return Page(tuple(entries), number, pages, total)

    async def stats(self, actor: Actor, days: int) -> Stats:
        """Return usage and latency over the last `days`, and the current state."""
        rights.must_moderate(actor)
        if not 1 <= days <= MAX_DAYS:
            raise InvalidInput(f"Choose between 1 and {MAX_DAYS} days.")
        active = await self._storage.jobs.of_guild(actor.guild_id, UNFINISHED)
        _, voices = await self._storage.voices.list(actor.guild_id, None, limit=1)
        running = sum(job.state is JobState.RUNNING for job in active)
        return Stats(
            days,
            await self._storage.jobs.usage(actor.guild_id, self._clock() - timedelta(days=days)),
            voices,
            len(active) - running,
            running,
            self._executor.health(),
        )

    async def purge(self, actor: Actor, *, older_than_days: int | None = None, member_id: int | None = None) -> Erased:
        """Delete finished jobs older than some days, with texts and recordings; or everything about one member."""
        rights.must_moderate(actor)
        if (older_than_days is None) == (member_id is None):
            raise InvalidInput("Choose either a number of days or a member.")
        if member_id is not None:
            return await self._privacy.forget_member(actor.guild_id, member_id, by=actor.member_id)
        days = max(0, older_than_days or 0)
        if days > MAX_DAYS:
            raise InvalidInput(f"Choose at most {MAX_DAYS:,} days.")
        jobs = await delete_finished(self._storage, {actor.guild_id: self._clock() - timedelta(days=days)})
        age = f"older than {days} {'day' if days == 1 else 'days'}" if days else "of any age"
        await self._audit(actor, "purge", f"{jobs} {'job' if jobs == 1 else 'jobs'}", age)
        return Erased(voices=0, jobs=jobs)

    async def guild_removed(self, guild_id: int) -> None:
        """Delete everything of a server that removed the bot, including files, and stop its jobs."""
        await self._dispatcher.rooms.close(guild_id)
        for job in await self._storage.jobs.of_guild(guild_id, UNFINISHED):
            await self._dispatcher.cancel(job.id)
        remains = await self._storage.guilds.delete(guild_id)
        for voice_id in remains.voice_ids:
            await self._storage.files.drop_voice(guild_id, voice_id)
        await self._storage.files.drop_many((*remains.job_ids, *remains.request_ids))
        _log.info("guild_removed", guild_id=guild_id, voices=len(remains.voice_ids), jobs=len(remains.job_ids))

    async def _audit_lines(self, actor: Actor, number: int, query: AuditQuery | None) -> tuple[list[AuditEntry], int]:
        offset = (number - 1) * _AUDIT_LINES
        return await self._storage.audit.read(actor.guild_id, limit=_AUDIT_LINES, offset=offset, query=query)

    async def _audit(self, actor: Actor, action: str, target: str = "", detail: str = "") -> None:
        await self._storage.audit.write(actor.guild_id, actor.member_id, action, target, detail)


def _checked(name: str, value: Any) -> Any:
    if name in ("default_voice", "consent") and value is None:  # a voice is set by default_voice()
        return None
    if name == "consent":
        return ConsentKind(value)
    if name in (*_ID_SETS, "read_ignored_role_ids"):
        return frozenset(int(each) for each in value)
    if name == "channel_output":
        return ChannelOutput(value)
    if name in ("channel_notice", "read_names"):
        return bool(value)
    if name not in RANGES:
        raise InvalidInput(f"There is no setting called {name}.")
    least, greatest = RANGES[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= greatest:
        raise InvalidInput(f"Choose a whole number from {least:,} to {greatest:,} for {name.replace('_', ' ')}.")
    return value


def _shown(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(map(str, sorted(value))) or "everybody"
    return "none" if value is None else str(value)


def _queue_order(entry: QueueEntry) -> tuple[int, int]:
    waits = {JobState.RUNNING: 0, JobState.QUEUED: 1}.get(entry.job.state, 2)
    return waits, entry.position or 0
