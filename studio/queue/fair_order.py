"""Whose turn it is. Pure: fair between servers, then between the members of a server, then by age.

Whoever has the fewest jobs at work goes first; among equals, whoever was served longest ago; then the oldest job. With
one place at the worker this is a round robin: between two jobs of a waiting server, every other one gets one at most.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from storage.records import JobRecord

_NEVER = -1


@dataclass(slots=True)
class Served:
    """When each server and member was last served, as a count of jobs served. Kept only while there is work."""

    guilds: dict[int, int] = field(default_factory=dict)
    members: dict[tuple[int, int], int] = field(default_factory=dict)
    count: int = 0

    def note(self, job: JobRecord) -> None:
        """The job was taken to the worker."""
        self.count += 1
        self.guilds[job.guild_id] = self.count
        self.members[job.guild_id, job.member_id] = self.count

    def forget(self) -> None:
        """All is done: everybody is equal again."""
        self.guilds.clear()
        self.members.clear()
        self.count = 0

    def copy(self) -> "Served":
        """The same, to think ahead with."""
        return Served(dict(self.guilds), dict(self.members), self.count)


def order(queued: Iterable[JobRecord], running: Iterable[JobRecord], served: Served) -> list[JobRecord]:
    """The queued jobs in the order in which they will be taken if nothing else arrives. `served` is not changed."""
    ahead = served.copy()
    at_work = Counter[int | tuple[int, int]]()
    for job in running:
        at_work.update((job.guild_id, (job.guild_id, job.member_id)))
    waiting: dict[int, dict[int, list[JobRecord]]] = {}
    for job in sorted(queued, key=_age, reverse=True):
        waiting.setdefault(job.guild_id, {}).setdefault(job.member_id, []).append(job)
    ordered: list[JobRecord] = []
    while waiting:
        job = _take_next(waiting, at_work, ahead)
        ahead.note(job)
        at_work.update((job.guild_id, (job.guild_id, job.member_id)))
        ordered.append(job)
    return ordered


def position(job_id: str, ordered: Sequence[JobRecord], free: int) -> int:
    """The place of a queued job: 0 starts now, 1 is next. A job that is not in `ordered` no longer waits: 0.

    ordered: what `order` returned. free: how many jobs the worker takes at this moment.
    """
    places = {job.id: index for index, job in enumerate(ordered)}
    return max(0, places.get(job_id, 0) - max(0, free) + 1) if job_id in places else 0


def _take_next(
    waiting: dict[int, dict[int, list[JobRecord]]], at_work: Counter[int | tuple[int, int]], served: Served
) -> JobRecord:
    """Remove and return the next job. Each member's jobs are stored newest first, so the oldest is popped."""
    guild_id = min(
        waiting,
        key=lambda guild: (
            at_work[guild],
            served.guilds.get(guild, _NEVER),
            min(_age(jobs[-1]) for jobs in waiting[guild].values()),
        ),
    )
    members = waiting[guild_id]
    member_id = min(
        members,
        key=lambda member: (
            at_work[guild_id, member],
            served.members.get((guild_id, member), _NEVER),
            _age(members[member][-1]),
        ),
    )
    job = members[member_id].pop()
    if not members[member_id]:
        del members[member_id]
    if not members:
        del waiting[guild_id]
    return job


def _age(job: JobRecord) -> tuple[float, str]:
    return job.created_at.timestamp(), job.id
