"""Follows what other bot processes change on the servers of this one, as soon as they tell."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from errors import BarkeepError
from storage.shards import Notice, NoticeKind
from studio.queue.dispatcher import Dispatcher

_log = structlog.get_logger(__name__)


class Neighbours:
    """Hears the notices of other processes."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, notice: Notice | None) -> None:
        """Follow a notice. None: some may have been missed, so everything is read again."""
        if notice is None:
            self._begin(self._dispatcher.upkeep())
        elif notice.kind is NoticeKind.JOB:
            self._begin(self._dispatcher.look(notice.id))
        elif notice.kind is NoticeKind.MEMBER:
            self._dispatcher.rooms.drop_member(notice.guild_id, int(notice.id))
        else:
            self._dispatcher.rooms.drop_voice(notice.guild_id, int(notice.id))

    async def close(self) -> None:
        """Wait for what was begun: an interrupted transaction can leave the database locked."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._run(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except BarkeepError as error:
            _log.warning("notice_not_followed", reason=error.message)  # upkeep finds it
        except Exception:
            _log.exception("notice_not_followed")
