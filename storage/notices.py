"""What a process tells the others after it changed something of a server that is not its own.

Sent in the transaction of the change by PostgreSQL's NOTIFY, so that nothing is told that did not happen. A notice only
makes it faster: a process that misses one finds the change when it next reads the rows.
"""

import re
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.shards import Shards

CHANNEL = "barkeep"
"""The name of PostgreSQL's channel."""

_PAYLOAD = re.compile(r"(job|member|voice) (0|[1-9]\d{0,18}) ([A-Za-z0-9_-]{1,64})", re.ASCII)


class Subject(Enum):
    """What was changed."""

    JOB = "job"
    """A job was accepted or cancelled."""
    MEMBER = "member"
    """The jobs of a member were deleted."""
    VOICE = "voice"
    """A voice was deleted."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One change. `id`: of the job, the member or the voice."""

    subject: Subject
    guild_id: int
    id: str

    def payload(self) -> str:
        """Return it as text."""
        return f"{self.subject.value} {self.guild_id} {self.id}"


def notice_of(payload: str) -> Notice | None:
    """Return what `Notice.payload` wrote; None for any other text, as another version may send it."""
    match = _PAYLOAD.fullmatch(payload)
    return None if match is None else Notice(Subject(match[1]), int(match[2]), match[3])


async def tell(session: AsyncSession, shards: Shards, notice: Notice) -> None:
    """Tell the process that serves the server, once the transaction is committed, unless this process serves it."""
    if not shards.own(notice.guild_id):
        await session.execute(select(func.pg_notify(CHANNEL, notice.payload())))
