"""Whose turn it is: fair between servers, then between the members of a server, then by age.

Whoever has the fewest jobs at work goes first; among equals, whoever was served longest ago; then the oldest job. With
one place at the worker this is a round robin: between two jobs of a waiting server, every other one gets one at most.
The order is kept up to date at every change, so that neither a new job nor a free place costs a look at all that wait.
"""

from bisect import bisect_left, insort
from collections import Counter
from datetime import datetime
from typing import Protocol

_NEVER = -1

Age = tuple[float, str]
"""When a job was accepted, in seconds, and its id."""


class Waiting(Protocol):
    """What the order has to know of a job."""

    @property
    def id(self) -> str:
        """Of the job."""

    @property
    def guild_id(self) -> int:
        """Of the server."""

    @property
    def member_id(self) -> int:
        """Of who waits."""

    @property
    def created_at(self) -> datetime:
        """When it was accepted."""

    @property
    def attempts(self) -> int:
        """How often a worker has begun it: if it did before, that worker was lost."""


class FairQueue:
    """The jobs that wait and those at work, in fair turn.

    A job that was at work when its worker died is a suspect. Suspects go first, one at a time and each alone: whatever
    dies with them is no other's doing, and who ends well was not the reason.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Waiting] = {}
        self._at_work: dict[str, Waiting] = {}
        self._suspects: list[Age] = []
        self._guilds = _Turns()
        self._members: dict[int, _Turns] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._jobs

    def ids(self) -> list[str]:
        """The ids of the jobs that wait, in no order."""
        return list(self._jobs)

    def add(self, job: Waiting) -> None:
        """A job waits. Harmless to do again."""
        if job.id in self._jobs or job.id in self._at_work:
            return
        self._jobs[job.id] = job
        if job.attempts:
            insort(self._suspects, _age(job))
            return
        self._guilds.add(job.guild_id, _age(job))
        self._members.setdefault(job.guild_id, _Turns()).add(job.member_id, _age(job))

    def remove(self, job_id: str) -> None:
        """A job waits no more. Unknown ids are ignored."""
        job = self._jobs.pop(job_id, None)
        if job is None:
            return
        if job.attempts:
            self._suspects.remove(_age(job))
        else:
            self._guilds.remove(job.guild_id, _age(job))
            self._members[job.guild_id].remove(job.member_id, _age(job))
        self._forget_turns()

    def next(self) -> str | None:
        """The job whose turn it is; None if there is none, or if a suspect has to be alone with the worker."""
        if self._suspects:
            return None if self._at_work else self._suspects[0][1]
        if any(job.attempts for job in self._at_work.values()) or not self._jobs:
            return None
        return self._first()

    def begin(self, job_id: str) -> None:
        """A job that waits goes to the worker."""
        job = self._jobs[job_id]
        self._at_work[job_id] = job
        self.remove(job_id)
        self._count += 1
        self._guilds.begin(job.guild_id, self._count)
        self._members.setdefault(job.guild_id, _Turns()).begin(job.member_id, self._count)

    def end(self, job_id: str) -> None:
        """A job is at work no more. When all is done, turns are forgotten. Unknown ids are ignored."""
        job = self._at_work.pop(job_id, None)
        if job is None:
            return
        self._guilds.end(job.guild_id)
        self._members[job.guild_id].end(job.member_id)
        self._forget_turns()

    def before(self, job_id: str) -> int | None:
        """How many jobs go before a waiting one, if nothing else comes or ends. None if it does not wait."""
        job = self._jobs.get(job_id)
        if job is None:
            return None
        if job.attempts:
            return bisect_left(self._suspects, _age(job))
        members = self._members[job.guild_id]
        in_guild = members.before(job.member_id, members.index(job.member_id, _age(job)))
        return len(self._suspects) + self._guilds.before(job.guild_id, in_guild)

    def first(self, count: int) -> list[str]:
        """The ids of the jobs whose turn comes first, in order, if nothing else comes or ends."""
        ids = [job_id for _, job_id in self._suspects[:count]]
        ahead = [self._take_ahead() for _ in range(min(count, len(self._jobs)) - len(ids))]
        for job, guild_served, member_served in reversed(ahead):
            self._guilds.give_back(job.guild_id, _age(job), guild_served)
            self._members[job.guild_id].give_back(job.member_id, _age(job), member_served)
        self._count -= len(ahead)
        return ids + [job.id for job, _, _ in ahead]

    def _first(self) -> str:
        guild_id = self._guilds.first()
        members = self._members[guild_id]
        return members.oldest(members.first())

    def _take_ahead(self) -> tuple[Waiting, int, int]:
        """Take the next job in thought. The job, and when its server and its member were served before."""
        job = self._jobs[self._first()]
        self._count += 1
        guild_served = self._guilds.take(job.guild_id, _age(job), self._count)
        return job, guild_served, self._members[job.guild_id].take(job.member_id, _age(job), self._count)

    def _forget_turns(self) -> None:
        if not self._jobs and not self._at_work:
            self._guilds, self._members, self._count = _Turns(), {}, 0


class _Turns:
    """Parties that take turns: the servers, or the members of one server."""

    def __init__(self) -> None:
        self._at_work: Counter[int] = Counter()
        self._served: dict[int, int] = {}
        self._ages: dict[int, list[Age]] = {}
        self._order: list[tuple[int, int, Age, int]] = []
        """The parties that wait, whose turn it is first, as (at work, last served, oldest job, party)."""

    def add(self, party: int, age: Age) -> None:
        self._leave(party)
        insort(self._ages.setdefault(party, []), age)
        self._line_up(party)

    def remove(self, party: int, age: Age) -> None:
        self._leave(party)
        del self._ages[party][self.index(party, age)]
        if not self._ages[party]:
            del self._ages[party]
        self._line_up(party)

    def begin(self, party: int, count: int) -> None:
        self._leave(party)
        self._at_work[party] += 1
        self._served[party] = count
        self._line_up(party)

    def end(self, party: int) -> None:
        self._leave(party)
        self._at_work[party] -= 1
        if not self._at_work[party]:
            del self._at_work[party]
        self._line_up(party)

    def take(self, party: int, age: Age, count: int) -> int:
        """Remove a job and begin it. When the party was served before, for `give_back`."""
        served = self._served.get(party, _NEVER)
        self.remove(party, age)
        self.begin(party, count)
        return served

    def give_back(self, party: int, age: Age, served: int) -> None:
        """Undo `take`."""
        self.end(party)
        self._leave(party)
        self._served[party] = served
        self._line_up(party)
        self.add(party, age)

    def first(self) -> int:
        """The party whose turn it is."""
        return self._order[0][-1]

    def oldest(self, party: int) -> str:
        """The id of a party's oldest job."""
        return self._ages[party][0][1]

    def index(self, party: int, age: Age) -> int:
        """How many jobs of the party are older."""
        return bisect_left(self._ages[party], age)

    def before(self, party: int, index: int) -> int:
        """How many jobs, of all parties, go before the party's job with this index (0 is its first)."""
        turn = self._at_work[party] + index
        if turn == 0:
            return bisect_left(self._order, self._key(party))
        mine = self._precedence(party)
        count = index
        for other, ages in self._ages.items():
            if other != party:
                earlier = turn - self._at_work[other]
                count += min(max(0, earlier), len(ages))
                count += 0 <= earlier < len(ages) and self._precedence(other) < mine
        return count

    def _precedence(self, party: int) -> tuple[int, int, Age]:
        """Who goes first among those with equally many jobs at work: who joins them just now, then as in `_order`."""
        return -self._at_work[party], self._served.get(party, _NEVER), self._ages[party][0]

    def _key(self, party: int) -> tuple[int, int, Age, int]:
        return self._at_work[party], self._served.get(party, _NEVER), self._ages[party][0], party

    def _leave(self, party: int) -> None:
        """Take a party out of the order before anything about it changes."""
        if party in self._ages:
            del self._order[bisect_left(self._order, self._key(party))]

    def _line_up(self, party: int) -> None:
        if party in self._ages:
            insort(self._order, self._key(party))


def _age(job: Waiting) -> Age:
    return job.created_at.timestamp(), job.id
