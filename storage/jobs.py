"""Durable jobs: claim, finish, answer, find, delete. `storage.acceptance` accepts them.

Every transition is a compare-and-set of the state and the lease owner. A late event of a job that was cancelled or
taken over changes nothing and returns None.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from storage.columns import Clock
from storage.group_commit import GroupCommit, Statement
from storage.job_statements import ANSWERED, FIND, RECORD, UNANSWERED, lease_answer, move, record_of
from storage.limits import delete_jobs, prune_spent
from storage.models import WITHOUT_ANSWER, JobRow, VoiceRow
from storage.records import JobKind, JobRecord, JobState, Usage, VoiceState, WaitingJob
from storage.sessions import Sessions
from storage.shards import Notice, NoticeKind, Shards, tell
from storage.usage import usage

UNFINISHED = (JobState.QUEUED, JobState.RUNNING)
UNWANTED = (JobState.FAILED, JobState.CANCELLED)
"""States in which the worker's output is deleted."""
FINISHED = (*UNANSWERED, JobState.DELIVERED)
BATCH = 500
"""How many old jobs are deleted in one transaction."""


class JobRepository:
    """Jobs. Every method raises Unavailable as Sessions does.

    shards: the servers of this process. "All servers" below means all of these.
    """

    def __init__(self, sessions: Sessions, clock: Clock, shards: Shards) -> None:
        self._sessions = sessions
        self._clock = clock
        self._shards = shards
        self._own = shards.matching(JobRow.guild_id.expression)
        self._found = GroupCommit(partial(self._run, FIND, writes=False))
        self._changed: dict[Statement, GroupCommit[str, dict[str, Any], JobRecord]] = {}

    async def find(self, job_id: str) -> JobRecord | None:
        """Return the job with this id, of any server, or None."""
        return await self._found.do(job_id, {"job_id": job_id})

    async def queued(self, *, after: int = 0, limit: int | None = None) -> list[WaitingJob]:
        """Return the queued jobs of all servers, in order of acceptance, with a sequence above `after`."""
        fields = [getattr(JobRow, name) for name in WaitingJob.__dataclass_fields__]
        waiting = select(*fields).where(JobRow.state == JobState.QUEUED, JobRow.sequence > after, self._own)
        async with self._sessions.read() as session:
            return [WaitingJob(*row) for row in await session.execute(waiting.order_by(JobRow.sequence).limit(limit))]

    async def of_ids(self, job_ids: Collection[str]) -> list[JobRecord]:
        """Return those of these jobs that still exist, of any server."""
        return await self._select(JobRow.id.in_(job_ids))

    async def running(self) -> list[JobRecord]:
        """Return the running jobs of all servers."""
        return await self._select(JobRow.state == JobState.RUNNING, self._own)

    async def expired(self, now: datetime) -> list[JobRecord]:
        """Return the running jobs of all servers whose lease has expired."""
        return await self._select(JobRow.state == JobState.RUNNING, JobRow.lease_until <= now, self._own)

    async def reserving(self) -> list[JobRecord]:
        """Return the failed and cancelled clones of all servers that still reserve the name of a voice."""
        reserved = select(VoiceRow.id).where(VoiceRow.state == VoiceState.CLONING)
        return await self._select(
            JobRow.kind == JobKind.CLONE, JobRow.state.in_(UNWANTED), JobRow.voice_id.in_(reserved), self._own
        )

    async def done_last(self, limit: int) -> list[JobRecord]:
        """Return the latest successful jobs of all servers, oldest first."""
        succeeded = JobRow.state.in_((JobState.READY, JobState.DELIVERED))
        return (await self._select(succeeded, newest_first=True, limit=limit))[::-1]

    async def unanswered(self) -> list[str]:
        """Return the ids of finished jobs, of all servers, whose answer has not been delivered, oldest first."""
        waiting = select(JobRow.id).where(*WITHOUT_ANSWER, self._own).order_by(JobRow.sequence)
        async with self._sessions.read() as session:
            return list(await session.scalars(waiting))

    async def of_member(
        self,
        guild_id: int,
        member_id: int,
        *,
        states: Collection[JobState] = tuple(JobState),
        unanswered: bool = False,
        limit: int | None = 25,
    ) -> list[JobRecord]:
        """Return a member's jobs in these states, newest first. `unanswered`: only those without a delivered answer."""
        theirs = [JobRow.guild_id == guild_id, JobRow.member_id == member_id, JobRow.state.in_(states)]
        if unanswered:
            theirs.append(JobRow.answered_at.is_(None))
        return await self._select(*theirs, newest_first=True, limit=limit)

    async def count_of_member(self, guild_id: int, member_id: int) -> int:
        """Return how many jobs of a member are stored, in any state."""
        theirs = (JobRow.guild_id == guild_id, JobRow.member_id == member_id)
        async with self._sessions.read() as session:
            return await session.scalar(select(func.count()).select_from(JobRow).where(*theirs)) or 0

    async def of_guild(
        self, guild_id: int, states: Collection[JobState], *, limit: int | None = None
    ) -> list[JobRecord]:
        """Return a server's jobs in these states, in order of acceptance."""
        return await self._select(JobRow.guild_id == guild_id, JobRow.state.in_(states), limit=limit)

    async def of_voice(self, guild_id: int, voice_id: int, states: Collection[JobState]) -> list[JobRecord]:
        """Return the jobs that make or use a voice, in these states, in order of acceptance."""
        return await self._select(JobRow.guild_id == guild_id, JobRow.voice_id == voice_id, JobRow.state.in_(states))

    async def claim(self, job_id: str, owner: str, lease: timedelta) -> JobRecord | None:
        """Lease a queued job to `owner`. Return None if another process has it or it is finished.

        A crash of PostgreSQL can undo this: the job is then queued again, and `owner` cannot end it.
        """
        until = self._clock() + lease
        return await self._move(
            job_id, (JobState.QUEUED,), waits=False, state=JobState.RUNNING, lease_owner=owner, lease_until=until
        )

    async def begun(self, job_id: str, owner: str) -> JobRecord | None:
        """Count an attempt: a worker began a job that `owner` holds. Return None if `owner` no longer holds it.

        A crash of PostgreSQL can undo this: the attempt is then not counted.
        """
        values: dict[str, Any] = {"attempts": 1, "started_at": self._clock()}
        return await self._move(job_id, (JobState.RUNNING,), owner, waits=False, **values)

    async def renew(self, job_ids: Collection[str], owner: str, lease: timedelta) -> set[str]:
        """Renew the lease of these jobs. Return the ids that `owner` still holds."""
        held = (JobRow.id.in_(job_ids), JobRow.state == JobState.RUNNING, JobRow.lease_owner == owner)
        async with self._sessions.once(writes=True) as connection:
            renewed = update(JobRow).where(*held).values(lease_until=self._clock() + lease).returning(JobRow.id)
            return set(await connection.scalars(renewed))

    async def ready(
        self, job_id: str, result: dict[str, Any], owner: str, *, lease: timedelta | None = None
    ) -> JobRecord | None:
        """Mark a job that `owner` holds as done. `result["seconds"]`, if present, counts as generated audio.

        lease: `owner` also leases the answer, as by `claim_answer`.
        """
        values: dict[str, Any] = {"result": result, "audio_seconds": float(result.get("seconds", 0.0))}
        if lease is not None:
            values |= {"lease_owner": owner, "lease_until": self._clock() + lease}
        return await self._finish(job_id, (JobState.RUNNING,), JobState.READY, owner, **values)

    async def fail(
        self, job_id: str, kind: str, message: str, *, owner: str | None, until: datetime | None = None
    ) -> JobRecord | None:
        """Mark a job as failed: a running one that `owner` holds or, with None, a queued one.

        `kind`: a key of errors.KINDS, or another word; `message`: a sentence for the member. `until` as in `requeue`.
        """
        before = (JobState.QUEUED,) if owner is None else (JobState.RUNNING,)
        values = {"error_kind": kind, "error_message": message, "audio_seconds": 0.0}
        return await self._finish(job_id, before, JobState.FAILED, owner, until, **values)

    async def cancel(self, job_id: str) -> JobRecord | None:
        """Cancel a queued or running job. Return None if it has finished."""
        return await self._finish(job_id, UNFINISHED, JobState.CANCELLED, audio_seconds=0.0)

    async def requeue(
        self, job_id: str, owner: str | None, *, refund_attempt: bool = False, until: datetime | None = None
    ) -> JobRecord | None:
        """Put a job that `owner` holds back to its place in the queue.

        until: the end of the lease, if another process takes the job from `owner`. If the lease has been renewed in the
        meantime, `owner` is alive and keeps the job. refund_attempt: the job had begun and its worker was stopped on
        purpose, which does not count as an attempt.
        """
        return await self._move(
            job_id,
            (JobState.RUNNING,),
            owner,
            until,
            state=JobState.QUEUED,
            attempts=-int(refund_attempt),
            started_at=None,
            lease_owner=None,
            lease_until=None,
        )

    async def claim_answer(self, job_id: str, owner: str, lease: timedelta, *, held_by: str | None) -> JobRecord | None:
        """Lease the answer of a finished job, to send it. `held_by`: the expected lease owner; None for no owner.

        Returns None if the job is deleted or answered, or if another process has leased the answer.
        """
        leased = lease_answer(held=held_by is not None)
        return await self._change(leased, job_id, owner=owner, until=self._clock() + lease, held_by=held_by)

    async def answered(self, job_id: str, message_id: int | None) -> JobRecord | None:
        """Record that the answer was delivered.

        A ready job becomes delivered; a failed or cancelled one keeps its state. The interaction token is deleted, as
        it is not needed any more. Returns None if it was answered before.
        """
        return await self._change(ANSWERED, job_id, now=self._clock(), message=message_id)

    async def forget_text(self, job_id: str) -> None:
        """Delete the text of a speech job from its order, and the list of left-out words from its result."""
        async with self._sessions.write(deletes=True) as session:
            row = await session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update())
            if row is not None:
                row.order = {name: value for name, value in row.order.items() if name not in ("text", "words")}
                row.result = row.result and {name: value for name, value in row.result.items() if name != "left_out"}

    async def usage(self, guild_id: int, since: datetime, *, member_id: int | None = None) -> Usage:
        """Return the usage of a server, or of one of its members, since `since`. See storage.usage."""
        async with self._sessions.read() as session:
            return await usage(session, guild_id, since, member_id)

    async def delete_finished(self, before_by_guild: Mapping[int, datetime], *, limit: int = BATCH) -> list[str]:
        """Delete jobs that finished before their server's cutoff, delivered or not. Return their ids.

        Deletes at most `limit` in one transaction, so that other writers do not wait long; call it until it returns
        none.
        """
        guilds_by_moment: defaultdict[datetime, list[int]] = defaultdict(list)
        for guild_id, before in before_by_guild.items():
            guilds_by_moment[before].append(guild_id)
        deleted: list[str] = []
        async with self._sessions.write(deletes=True) as session:
            await prune_spent(session, self._clock())
            for before, guild_ids in guilds_by_moment.items():
                old = (JobRow.guild_id.in_(guild_ids), JobRow.state.in_(FINISHED), JobRow.finished_at < before)
                some = list(await session.scalars(select(JobRow.sequence).where(*old).limit(limit - len(deleted))))
                if some:
                    deleted += await delete_jobs(session, self._clock(), JobRow.sequence.in_(some))
        return deleted

    async def forget_voice(self, guild_id: int, voice_id: int) -> None:
        """Blank the payloads of the clone jobs of a deleted voice, which hold its name and its speaker."""
        clones = (JobRow.guild_id == guild_id, JobRow.voice_id == voice_id, JobRow.kind == JobKind.CLONE)
        async with self._sessions.write(deletes=True) as session:
            await session.execute(update(JobRow).where(*clones, JobRow.state.in_(FINISHED)).values(order={}))

    async def delete_of_member(self, guild_id: int, member_id: int) -> list[str]:
        """Delete all jobs of a member, finished or not; their usage still counts. Return their ids."""
        theirs = (JobRow.guild_id == guild_id, JobRow.member_id == member_id)
        async with self._sessions.write(deletes=True) as session:
            await prune_spent(session, self._clock())
            deleted = await delete_jobs(session, self._clock(), *theirs)
            await tell(session, self._shards, Notice(NoticeKind.MEMBER, guild_id, str(member_id)))
            return deleted

    async def _select(
        self, *conditions: ColumnElement[bool], newest_first: bool = False, limit: int | None = None
    ) -> list[JobRecord]:
        order = JobRow.sequence.desc() if newest_first else JobRow.sequence.asc()
        async with self._sessions.once(writes=False) as connection:
            rows = await connection.execute(select(*RECORD).where(*conditions).order_by(order).limit(limit))
            return [record_of(row) for row in rows]

    async def _finish(
        self,
        job_id: str,
        before: Collection[JobState],
        after: JobState,
        owner: str | None = None,
        until: datetime | None = None,
        **values: Any,
    ) -> JobRecord | None:
        ended: dict[str, Any] = {"state": after, "finished_at": self._clock(), "lease_owner": None, "lease_until": None}
        return await self._move(job_id, before, owner, until, **(ended | values))

    async def _move(
        self,
        job_id: str,
        before: Collection[JobState],
        owner: str | None = None,
        until: datetime | None = None,
        *,
        waits: bool = True,
        **values: Any,
    ) -> JobRecord | None:
        """Compare and set in one statement.

        owner: only if it holds the job. until: only if the lease ends then. waits: wait until the change is on disk.
        values: the new values by column; `attempts` is added to the old value.
        """
        waits = waits or self._sessions.engine.dialect.name == "sqlite"
        moved = move(tuple(before), tuple(values), owned=owner is not None, until=until is not None, waits=waits)
        given = {f"new_{name}": value for name, value in values.items()} | {"held_by": owner, "leased_until": until}
        if values.get("state") is not JobState.CANCELLED:
            return await self._change(moved, job_id, **given)
        async with self._sessions.write(deletes=True) as session:
            found = await moved.run(await session.connection(), [given | {"job_id": job_id}])
            for row in found:
                await tell(session, self._shards, Notice(NoticeKind.JOB, row.guild_id, row.id))
            return record_of(found[0]) if found else None

    async def _change(self, statement: Statement, job_id: str, **given: Any) -> JobRecord | None:
        """Run a statement that changes the job, in a batch with the same change of other jobs."""
        if statement not in self._changed:
            self._changed[statement] = GroupCommit(partial(self._run, statement, writes=True))
        return await self._changed[statement].do(job_id, given | {"job_id": job_id})

    async def _run(
        self, statement: Statement, given: Mapping[str, Mapping[str, Any]], *, writes: bool
    ) -> dict[str, JobRecord]:
        async with self._sessions.once(writes=writes) as connection:
            return {row.id: record_of(row) for row in await statement.run(connection, list(given.values()))}
