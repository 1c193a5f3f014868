"""Expires consent requests and deletes texts and recordings after each server's retention."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import structlog

from errors import BarkeepError, Conflict, NotFound
from storage.consent_records import ConsentState
from storage.database import Storage

RETENTION_EVERY = timedelta(hours=1)
"""How often each server's retention is applied."""
AUDIT_KEPT = timedelta(days=365)
"""The least time that audit lines and answered requests are kept, whatever a server's retention."""
LISTENING = timedelta(minutes=5)
"""How long a sentence is kept after it expires: a recording that arrived in time may still be checked."""

_log = structlog.get_logger(__name__)


async def run_step(step: str, work: Awaitable[object], *, event: str = "upkeep_failed") -> None:
    """Await one step. An error is logged as `event`, so that the next steps run."""
    try:
        await work
    except BarkeepError as error:
        _log.warning(event, step=step, reason=error.message)
    except Exception:
        _log.exception(event, step=step)


async def delete_finished(storage: Storage, before_by_guild: Mapping[int, datetime]) -> int:
    """Delete the jobs that finished before their server's cutoff, with their recordings. Return their number."""
    count = 0
    while deleted := await storage.jobs.delete_finished(before_by_guild):
        await storage.files.drop_many(deleted)
        count += len(deleted)
    return count


class Housekeeping:
    """Periodic deletion; called every half minute."""

    def __init__(self, storage: Storage, *, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._clock = clock
        self._last_retention: datetime | None = None

    async def run(self) -> None:
        """Expire requests, and once an hour delete what is older than its server's retention.

        Of several processes, one leads and does this for all servers; each process cleans up its own disk.
        """
        now = self._clock()
        await run_step("reserve", self._storage.keep_room())
        await run_step("copies", self._storage.drop_copies())
        if not await self._storage.leads():
            return
        await run_step("questions", self._expire_questions(now))
        await run_step("sentences", self._expire_sentences(now))
        if self._last_retention is None or abs(now - self._last_retention) >= RETENTION_EVERY:  # a clock may go back
            await run_step("retention", self._apply_retention(now))

    async def _expire_questions(self, now: datetime) -> None:
        for request in await self._storage.consents.expired(now):
            try:
                await self._storage.consents.answer(request.id, request.author_id, ConsentState.EXPIRED)
            except (Conflict, NotFound):
                continue  # answered or withdrawn in the meantime
            await self._storage.files.drop_upload(request.id)
            await self._storage.audit.write(request.guild_id, request.requester_id, "consent.expire")

    async def _expire_sentences(self, now: datetime) -> None:
        for asked in await self._storage.spoken_consents.expired(now - LISTENING):
            if await self._storage.spoken_consents.delete(asked.id) and asked.order is not None:
                await self._storage.files.drop_upload(asked.id)

    async def _apply_retention(self, now: datetime) -> None:
        before: dict[int, datetime] = {}
        for guild_id in await self._storage.guilds.all_ids():
            retention = timedelta(days=(await self._storage.guilds.get(guild_id)).retention_days)
            before[guild_id] = now - retention
            kept = now - max(retention, AUDIT_KEPT)
            await self._storage.audit.prune(guild_id, kept)
            await self._storage.consents.prune_requests(guild_id, kept)
        if deleted := await delete_finished(self._storage, before):
            _log.info("retention_applied", jobs=deleted)
        await self._storage.hourly.prune()
        await self._storage.erasures.prune()
        await self._storage.finish_deleting()
        await self._storage.empty_trash()
        self._last_retention = now
