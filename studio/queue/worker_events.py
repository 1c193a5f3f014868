"""A job at work: what the worker tells of it, as news for its member."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cloning.worker.protocol import PartSpoken, Progress, part_file
from storage.records import JobRecord
from studio.queue.pace import left
from studio.values import Update

LONG_TEXT = 3
"""Sentences from which on a text's beginning is sent ahead: of two, the whole follows too soon."""


@dataclass(slots=True)
class Active:
    """A job that this process holds. `folder`: where the worker writes, once it was asked."""

    job: JobRecord
    folder: Path | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    begun: bool = False
    """The worker has told of it."""
    ending: bool = False
    """The worker is done with it; what follows is for this process to do."""
    stage: str | None = None
    fraction: float = 0.0
    beginning: Path | None = None
    """The first sentence of a long text, once it can be heard."""
    expected: float | None = None
    """Seconds of work by the pace of other jobs; None if there is no estimate."""

    def news_of(self, event: Progress | PartSpoken, now: datetime) -> Update | None:
        """Note how far the job is. The news for its member, if there are any.

        Of the sentences, the first of a long text goes along with the news from then on.
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
            seconds_left=left(self.expected, self.job.started_at, now),
        )
