"""Counts what members ask for within an hour, in memory only."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

_HOUR = timedelta(hours=1)


class HourlyCount:
    """The requests of each member in the last hour, in all servers together; at most `limit`."""

    def __init__(self, limit: int, clock: Callable[[], datetime]) -> None:
        self._limit = limit
        self._clock = clock
        self._asked: dict[int, deque[datetime]] = {}

    def minutes_to_wait(self, member_id: int) -> int:
        """Return after how many minutes the member may ask again; 0: now."""
        self._forget()
        asked = self._asked.get(member_id, deque())
        if len(asked) < self._limit:
            return 0
        return max(1, round((asked[0] + _HOUR - self._clock()).total_seconds() / 60))

    def note(self, member_id: int) -> None:
        """Count a request."""
        self._asked.setdefault(member_id, deque()).append(self._clock())

    def _forget(self) -> None:
        """Drop all requests that are older than an hour."""
        since = self._clock() - _HOUR
        for asked in self._asked.values():
            while asked and asked[0] <= since:
                asked.popleft()
        self._asked = {member: asked for member, asked in self._asked.items() if asked}
