"""How much a server or a member has used, and how long they waited. It knows no limits."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from statistics import median

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.models import JobRow
from storage.records import JobKind, JobState, Usage

_SUCCEEDED = (JobState.READY, JobState.DELIVERED)


async def usage(session: AsyncSession, guild_id: int, since: datetime, member_id: int | None) -> Usage:
    """The jobs accepted since then.

    `clones` and `speeches` are the accepted jobs of each kind, the failed and cancelled ones too; `by_member` is how
    many each member had accepted. Waiting is the time from acceptance to the (last) start, work that from there to
    success; both are medians in seconds, None where there is nothing to measure.
    """
    columns = (
        JobRow.kind,
        JobRow.state,
        JobRow.member_id,
        JobRow.audio_seconds,
        JobRow.created_at,
        JobRow.started_at,
        JobRow.finished_at,
    )
    wanted = [JobRow.guild_id == guild_id, JobRow.created_at >= since]
    if member_id is not None:
        wanted.append(JobRow.member_id == member_id)
    jobs = (await session.execute(select(*columns).where(*wanted))).all()
    succeeded = [job for job in jobs if job.state in _SUCCEEDED]
    kinds = Counter(job.kind for job in jobs)
    return Usage(
        clones=kinds[JobKind.CLONE],
        speeches=kinds[JobKind.SPEECH],
        failed=sum(job.state == JobState.FAILED for job in jobs),
        audio_seconds=sum(job.audio_seconds for job in succeeded),
        wait_seconds_median=_median((job.created_at, job.started_at) for job in jobs),
        work_seconds_median=_median((job.started_at, job.finished_at) for job in succeeded),
        by_member=dict(Counter(job.member_id for job in jobs)),
    )


def _median(spans: Iterable[tuple[datetime | None, datetime | None]]) -> float | None:
    seconds = [(end - start).total_seconds() for start, end in spans if start is not None and end is not None]
    return median(seconds) if seconds else None
