"""The usage of a server or a member, and how long their jobs took."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from statistics import median

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.models import JobRow
from storage.records import JobKind, JobState, Usage

TIMED_JOBS = 1000
"""The medians use the latest jobs, at most this many: more would take longer and change little."""

_SUCCEEDED = (JobState.READY, JobState.DELIVERED)


async def usage(session: AsyncSession, guild_id: int, since: datetime, member_id: int | None) -> Usage:
    """Return the usage by jobs accepted since `since`.

    `clones` and `speeches` count the accepted jobs of each kind, including failed and cancelled ones; `by_member`
    counts each member's accepted jobs. Waiting time runs from acceptance to the (last) start, work from there to
    success; both are medians in seconds, or None without data.
    """
    wanted = [JobRow.guild_id == guild_id, JobRow.created_at >= since]
    if member_id is not None:
        wanted.append(JobRow.member_id == member_id)
    groups = (JobRow.kind, JobRow.state, JobRow.member_id)
    totals = select(*groups, func.count(), func.sum(JobRow.audio_seconds)).where(*wanted).group_by(*groups)
    kinds: Counter[JobKind] = Counter()
    states: Counter[JobState] = Counter()
    members: Counter[int] = Counter()
    audio_seconds = 0.0
    for kind, state, member, jobs, seconds in await session.execute(totals):
        kinds[kind] += jobs
        states[state] += jobs
        members[member] += jobs
        audio_seconds += seconds if state in _SUCCEEDED else 0.0
    times = select(JobRow.state, JobRow.created_at, JobRow.started_at, JobRow.finished_at).where(*wanted)
    timed = (await session.execute(times.order_by(JobRow.created_at.desc()).limit(TIMED_JOBS))).all()
    return Usage(
        clones=kinds[JobKind.CLONE],
        speeches=kinds[JobKind.SPEECH],
        failed=states[JobState.FAILED],
        audio_seconds=audio_seconds,
        wait_seconds_median=_median((job.created_at, job.started_at) for job in timed),
        work_seconds_median=_median((job.started_at, job.finished_at) for job in timed if job.state in _SUCCEEDED),
        by_member=dict(members),
    )


def _median(spans: Iterable[tuple[datetime | None, datetime | None]]) -> float | None:
    seconds = [(end - start).total_seconds() for start, end in spans if start is not None and end is not None]
    return median(seconds) if seconds else None
