"""The fair queue: servers take turns, then the members of a server, then jobs go by age.

First comes the party with the fewest active jobs, then the one that was served longest ago, then the oldest job. With
one place at the worker this is a round robin: between two jobs of a waiting server, every other server gets at most
one. The order is updated at every change, so that neither a new job nor a free place needs a pass over all waiting
jobs.
"""

from bisect import bisect_left, insort
from collections import Counter

from storage.records import JobRecord, WaitingJob

_NEVER = -1

Age = tuple[float, str]
"""The time when a job was accepted, in seconds, and its id."""
Waiting = JobRecord | WaitingJob
"""A waiting job. If `attempts` is above 0, a worker died while it had the job."""


class FairQueue:
    """Queued and active jobs, in fair order.

    A job that was active when its worker died is a suspect. Suspects run first, one at a time and alone, so that the
    next death has one possible cause, and a job that succeeds is cleared.
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

    @property
    def at_work(self) -> int:
        """The number of active jobs."""
        return len(self._at_work)

    def ids(self) -> list[str]:
        """Return the ids of the queued jobs, in no order."""
        return list(self._jobs)

    def add(self, job: Waiting) -> None:
        """Queue a job. Idempotent."""
        if job.id in self._jobs or job.id in self._at_work:
            return
        self._jobs[job.id] = job
        if job.attempts:
            insort(self._suspects, _age(job))
            return
        self._guilds.add(job.guild_id, _age(job))
        self._members.setdefault(job.guild_id, _Turns()).add(job.member_id, _age(job))

    def remove(self, job_id: str) -> None:
        """Remove a queued job. Unknown ids are ignored."""
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
        """Return the next job; None if there is none, or if a suspect has to wait until it is alone."""
        if self._suspects:
            return None if self._at_work else self._suspects[0][1]
        if any(job.attempts for job in self._at_work.values()) or not self._jobs:
            return None
        return self._first()

    def begin(self, job_id: str) -> None:
        """Move a queued job to the active ones."""
        job = self._jobs[job_id]
        self._at_work[job_id] = job
        self.remove(job_id)
        self._count += 1
        self._guilds.begin(job.guild_id, self._count)
        self._members.setdefault(job.guild_id, _Turns()).begin(job.member_id, self._count)

    def end(self, job_id: str) -> None:
        """Remove an active job. When no job is left, the turns are reset. Unknown ids are ignored."""
        job = self._at_work.pop(job_id, None)
        if job is None:
            return
        self._guilds.end(job.guild_id)
        self._members[job.guild_id].end(job.member_id)
        self._forget_turns()

    def before(self, job_id: str) -> int | None:
        """Return how many jobs go before a queued one, if no job is added or ends. None if it is not queued."""
        job = self._jobs.get(job_id)
        if job is None:
            return None
        if job.attempts:
            return bisect_left(self._suspects, _age(job))
        members = self._members[job.guild_id]
        in_guild = members.before(job.member_id, members.index(job.member_id, _age(job)))
        return len(self._suspects) + self._guilds.before(job.guild_id, in_guild)

    def first(self, count: int) -> list[str]:
        """Return the ids of the first `count` jobs, in order, if no job is added or ends."""
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
        """Take the next job provisionally. Return it, and when its server and its member were last served."""
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
        """The waiting parties in order, as (active jobs, last served, oldest job, party)."""

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
        """Remove a job and begin it. Return when the party was last served, for `give_back`."""
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
        """Return the party whose turn it is."""
        return self._order[0][-1]

    def oldest(self, party: int) -> str:
        """Return the id of a party's oldest job."""
        return self._ages[party][0][1]

    def index(self, party: int, age: Age) -> int:
        """Return how many jobs of the party are older."""
        return bisect_left(self._ages[party], age)

    def before(self, party: int, index: int) -> int:
        """Return how many jobs, of all parties, go before the party's job with this index (0 is its first)."""
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
        """Return the sort key among equals: the party that just reached their number of active jobs, then `_order`."""
        return -self._at_work[party], self._served.get(party, _NEVER), self._ages[party][0]

    def _key(self, party: int) -> tuple[int, int, Age, int]:
        return self._at_work[party], self._served.get(party, _NEVER), self._ages[party][0], party

    def _leave(self, party: int) -> None:
        """Take a party out of the order before it changes."""
        if party in self._ages:
            del self._order[bisect_left(self._order, self._key(party))]

    def _line_up(self, party: int) -> None:
        if party in self._ages:
            insort(self._order, self._key(party))


def _age(job: Waiting) -> Age:
    return job.created_at.timestamp(), job.id
