"""Brings each finished job's answer to its member, once: with patience where the platform fails for a moment.

What cannot be brought stays to be fetched. Does not know Discord: a courier carries.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from errors import NotFound, Unavailable
from storage.database import Storage
from storage.records import JobKind, JobRecord, JobState
from studio import metrics
from studio.queue.job_payload import SpeechOrder
from studio.speakers import PREFIX, speaker_voice, voice_of
from studio.values import Courier, Outcome, Voice

PAUSES = (5.0, 20.0, 60.0, 180.0)
"""Seconds between attempts to deliver."""
GRACE = 1.0
"""Seconds that answers under way have when the studio closes."""

_log = structlog.get_logger(__name__)

T = TypeVar("T")

Sleep = Callable[[float], Awaitable[Any]]


class Answers:
    """Delivers outcomes in tasks of their own; `sleep` is called between attempts."""

    def __init__(self, storage: Storage, courier: Callable[[], Courier], sleep: Sleep) -> None:
        self._storage = storage
        self._courier = courier
        self._sleep = sleep
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._resting: set[str] = set()

    def begin(self, job: JobRecord) -> None:
        """Start to deliver the answer to a finished job, unless that is under way."""
        if job.id not in self._tasks:
            self._tasks[job.id] = asyncio.create_task(self._answer(job))
            self._tasks[job.id].add_done_callback(lambda _: self._tasks.pop(job.id, None))

    async def close(self) -> None:
        """Stop. What is not delivered yet is delivered after the next start.

        What is on its way has a moment to arrive and to be noted, so that it is not sent again.
        """
        for job_id in self._resting:
            self._tasks[job_id].cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=GRACE)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def outcome(self, job: JobRecord) -> Outcome:
        """What a finished job is answered with."""
        audio = None
        if job.kind is JobKind.SPEECH and job.state in (JobState.READY, JobState.DELIVERED):
            audio = await self._storage.files.result(job.id)
        return Outcome(job, await self._voice(job), audio)

    async def _answer(self, job: JobRecord) -> None:
        with structlog.contextvars.bound_contextvars(job_id=job.id, guild_id=job.guild_id):
            try:
                await self._deliver(job)
            except Exception:
                _log.exception("answer_failed")

    async def _deliver(self, job: JobRecord) -> None:
        try:
            outcome = await self._patiently(job.id, lambda: self.outcome(job))
            delivery = await self._patiently(job.id, lambda: self._courier().deliver(outcome))
        except Unavailable:
            delivery = None
        if delivery is None:
            metrics.ANSWERED.labels("none").inc()
            _log.warning("answer_left_to_fetch")
            return
        message_id = delivery.message_id
        await self._patiently(job.id, lambda: self._storage.jobs.answered(job.id, message_id))
        await self._storage.files.drop_result(job.id)
        metrics.ANSWERED.labels(delivery.way).inc()
        _log.info("answered", way=delivery.way, state=job.state.value)

    async def _patiently(self, job_id: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of the first attempt that works. Raises the last Unavailable when patience is at its end."""
        for pause in PAUSES:
            try:
                return await attempt()
            except Unavailable as fault:
                _log.warning("answer_delayed", reason=fault.message, pause=pause)
                await self._rest(job_id, pause)
        return await attempt()

    async def _rest(self, job_id: str, seconds: float) -> None:
        self._resting.add(job_id)
        try:
            await self._sleep(seconds)
        finally:
            self._resting.discard(job_id)

    async def _voice(self, job: JobRecord) -> Voice | None:
        if job.voice_id is None:
            key = SpeechOrder.of(job).voice if job.kind is JobKind.SPEECH else ""
            return speaker_voice(key.removeprefix(PREFIX)) if key.startswith(PREFIX) else None
        try:
            return voice_of(await self._storage.voices.get(job.guild_id, job.voice_id))
        except NotFound:
            return None
