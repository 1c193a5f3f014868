"""The servers of a bot process, where several processes share one database, and their notices to each other.

A notice reports that a process changed the data of another process's server. PostgreSQL's NOTIFY sends it in the
transaction of the change, so that only committed changes are reported. Notices only save time: a process that misses
one finds the change when it next reads the rows.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Integer, func, literal, select, true
from sqlalchemy.ext.asyncio import AsyncSession

CHANNEL = "barkeep"
"""The name of PostgreSQL's channel."""

_PAYLOAD = re.compile(r"(job|member|voice) (0|[1-9]\d{0,18}) ([A-Za-z0-9_-]{1,64})", re.ASCII)

_GUILD_BITS = 22
"""Discord takes the shard of a server from its id without these lowest bits."""


@dataclass(frozen=True, slots=True)
class Shards:
    """Some of Discord's shards: `ids`, of `count` in all. Direct messages belong to shard 0."""

    ids: tuple[int, ...]
    count: int

    def own(self, guild_id: int) -> bool:
        """Return whether the server belongs to one of these shards."""
        return self._all or (guild_id >> _GUILD_BITS) % self.count in self.ids

    def matching(self, guild_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return `own` as a condition on a column of server ids."""
        if self._all:
            return true()
        return (guild_id.bitwise_rshift(literal(_GUILD_BITS, Integer)) % self.count).in_(self.ids)

    @property
    def _all(self) -> bool:
        return len(self.ids) == self.count


ALL = Shards((0,), 1)
"""Every server."""


class NoticeKind(Enum):
    """The kind of a change."""

    JOB = "job"
    """A job was accepted or cancelled."""
    MEMBER = "member"
    """The jobs of a member were deleted."""
    VOICE = "voice"
    """A voice was deleted."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One change. `id`: of the job, the member or the voice."""

    kind: NoticeKind
    guild_id: int
    id: str

    def payload(self) -> str:
        """Return the notice as the text that is sent."""
        return f"{self.kind.value} {self.guild_id} {self.id}"


def notice_of(payload: str) -> Notice | None:
    """Return the notice with this `payload`; None for any other text, which another version may send."""
    match = _PAYLOAD.fullmatch(payload)
    return None if match is None else Notice(NoticeKind(match[1]), int(match[2]), match[3])


async def tell(session: AsyncSession, shards: Shards, notice: Notice) -> None:
    """Notify the process that serves the server when the transaction commits, unless it is this process."""
    if not shards.own(notice.guild_id):
        await session.execute(select(func.pg_notify(CHANNEL, notice.payload())))
