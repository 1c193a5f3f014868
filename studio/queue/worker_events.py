"""An active job, and the updates for its member that follow from the worker's events."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cloning.worker.protocol import PartSpoken, Progress, part_file
from storage.records import JobRecord
from studio.queue.estimates import seconds_left
from studio.values import Update

LONG_TEXT = 3
"""From this many sentences on, the first is sent ahead; in shorter texts the rest follows too soon."""


@dataclass(slots=True)
class ActiveJob:
    """A job that this process holds. `folder`: where the worker writes, once the job is submitted."""

    job: JobRecord
    folder: Path | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    begun: bool = False
    """The worker has begun the job."""
    ending: bool = False
    """The worker has finished with the job; this process stores the result."""
    stage: str | None = None
    fraction: float = 0.0
    beginning: Path | None = None
    """The first sentence of a long text, once its file exists."""
    expected: float | None = None
    """Estimated seconds of work; None without an estimate."""

    def update_for(self, event: Progress | PartSpoken, now: datetime) -> Update | None:
        """Record how far the job is. Return the update for its member, if there is one.

        Every update after the first sentence of a long text carries that sentence.
        """
        if isinstance(event, Progress):
            self.stage, self.fraction = event.stage, event.fraction
        elif event.number == 0 and event.of >= LONG_TEXT and self.folder is not None:
            self.beginning = self.folder / part_file(event.number)
        else:
            return None
        if self.cancelled.is_set():
            return None
        return Update(
            stage=self.stage,
            fraction=self.fraction,
            beginning=self.beginning,
            seconds_left=seconds_left(self.expected, self.job.started_at, now),
        )
