"""Stores the outcome of a job: its files and rows. `endings` decides how a job ends and starts its delivery.

Each step is idempotent, so that it can be repeated after a crash. The order matters: files first, then the row that
refers to them, then the job, then the clean-up.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from cloning.worker.protocol import CLIP_FILE, PROMPT_FILE, SPEECH_FILE, Cloned, Spoken
from errors import BarkeepError, NotFound, Unavailable
from storage.jobs import UNWANTED
from storage.records import JobKind, JobRecord, JobState, VoiceModels, VoiceState
from studio import metrics
from studio.channel.lines import Fate
from studio.queue.context import QueueContext
from studio.queue.lease import LEASE

UNKNOWN = "Unknown"
"""The kind of an unexpected error."""
DONE = (JobState.READY, JobState.DELIVERED)
"""States of a job whose outcome is stored completely."""

_log = structlog.get_logger(__name__)


class OutcomeStorage:
    """Stores the outcomes of jobs that this process holds.

    Every method returns the job as it ended, or None if it had ended before or another process holds it.
    """

    def __init__(self, context: QueueContext) -> None:
        self._context = context

    async def cloned(self, job: JobRecord, event: Cloned) -> JobRecord | None:
        """Store the voice that the worker made: first its files and row, then the job."""
        if not await self._still_held(job):
            return None
        storage = self._context.storage
        voice_id = _voice_id(job)
        await storage.files.adopt_voice(
            job.guild_id, voice_id, storage.files.staging_folder(job.id), (PROMPT_FILE, CLIP_FILE)
        )
        report = asdict(event.report)
        models = VoiceModels(**asdict(event.models))
        try:
            await storage.voices.make_ready(job.guild_id, voice_id, models, report, has_clip=True)
        except NotFound:
            await storage.files.drop_voice(job.guild_id, voice_id)
            raise NotFound("The voice was deleted before it was finished.") from None
        return await self._clone_ready(job)

    async def cloned_before(self, job: JobRecord) -> JobRecord | None:
        """Complete a clone whose voice was stored before a crash. Return None if there is still work to do."""
        if job.kind is not JobKind.CLONE or job.voice_id is None:
            return None
        try:
            voice = await self._context.storage.voices.get(job.guild_id, job.voice_id)
        except NotFound:
            return None
        return await self._clone_ready(job) if voice.state is VoiceState.READY else None

    async def spoken(self, job: JobRecord, event: Spoken) -> JobRecord | None:
        """Store the generated speech and, if the voice was cloned again, its new prompt."""
        if not await self._still_held(job):
            return None
        storage = self._context.storage
        staging = storage.files.staging_folder(job.id)
        if event.refreshed is not None and job.voice_id is not None:
            await self._refresh(job, job.voice_id, VoiceModels(**asdict(event.refreshed)))
        await self._complete_line(job, staging / SPEECH_FILE)
        await storage.files.keep_result(job.id, staging / SPEECH_FILE)
        result: dict[str, Any] = {"seconds": event.seconds, "seed": event.seed, "sentences": event.sentences}
        if event.left_out:
            result["left_out"] = list(event.left_out)
        if event.speaker is not None:
            result["speaker"] = event.speaker
        done = await storage.jobs.ready(job.id, result, self._context.owner, lease=LEASE)
        if done is None:
            if await self._is_unwanted(job):
                await storage.files.drop_staging(job.id)
                await storage.files.drop_result(job.id)
            return None
        await self._tidy(job)
        metrics.AUDIO_SECONDS.inc(event.seconds)
        _count(done)
        return done

    async def failed(
        self, job: JobRecord, kind: str, message: str, *, until: datetime | None = None
    ) -> JobRecord | None:
        """Mark the job as failed. `kind`: a key of errors.KINDS or UNKNOWN; `message`: a sentence for the member.

        `job.lease_owner`: this process, one that has ended, or None for a queued job. `until`: the end of the lease, if
        that process may have renewed it in the meantime; the job is then left alone.
        """
        done = await self._context.storage.jobs.fail(job.id, kind, message, owner=job.lease_owner, until=until)
        if done is None:
            if await self._is_unwanted(job):
                await self.clear(job)
            return None
        self._context.rooms.drop(job.id, Fate.LOST)
        with _logged_errors(job):
            await self.clear(job)
        _count(done)
        return done

    async def cancelled(self, job: JobRecord) -> None:
        """Clean up after a cancelled job."""
        _count(job)
        self._context.rooms.drop(job.id)
        with _logged_errors(job):
            await self.clear(job)

    async def clear_reserving(self) -> None:
        """Clean up after failed and cancelled clones whose clean-up failed, or for which a database reply was lost."""
        for job in await self._context.storage.jobs.reserving():
            with _logged_errors(job):
                await self.clear(job)

    async def clear(self, job: JobRecord) -> None:
        """Remove what an unsuccessful job holds: a reserved voice, its upload, its work in progress."""
        files = self._context.storage.files
        if job.kind is JobKind.CLONE and job.voice_id is not None:
            with contextlib.suppress(NotFound):  # The voice has been deleted already.
                await self._context.storage.voices.delete(job.guild_id, job.voice_id)
            await files.drop_voice(job.guild_id, job.voice_id)
        await files.drop_upload(job.id)
        await files.drop_staging(job.id)

    async def _clone_ready(self, job: JobRecord) -> JobRecord | None:
        done = await self._context.storage.jobs.ready(job.id, {}, self._context.owner, lease=LEASE)
        if done is None:
            if await self._is_unwanted(job):
                await self.clear(job)
            return None
        await self._tidy(job)
        _count(done)
        return done

    async def _complete_line(self, job: JobRecord, file: Path) -> None:
        """Complete the job's line in its voice channel. An error there does not fail the job."""
        try:
            await self._context.rooms.whole(job.id, file)
        except BarkeepError as error:
            _log.warning("line_not_kept", job_id=job.id, reason=error.message)
            self._context.rooms.drop(job.id, Fate.LOST)

    async def _refresh(self, job: JobRecord, voice_id: int, models: VoiceModels) -> None:
        """Replace a voice's prompt by the one made for the models in use. Does nothing if the voice is deleted."""
        storage = self._context.storage
        staging = storage.files.staging_folder(job.id)
        try:
            await storage.voices.get(job.guild_id, voice_id)
            await storage.files.adopt_voice(job.guild_id, voice_id, staging, (PROMPT_FILE,))
            await storage.voices.set_models(job.guild_id, voice_id, models)
        except NotFound:
            await storage.files.drop_voice(job.guild_id, voice_id)

    async def _still_held(self, job: JobRecord) -> bool:
        """Return whether this process still holds the job. Files of an unwanted job are deleted."""
        current = await self._context.storage.jobs.find(job.id)
        if current is None or current.state in UNWANTED:
            await self.clear(job)
            return False
        if current.state in DONE:  # stored by an earlier attempt whose database reply was lost
            await self._tidy(job)
        return current.state is JobState.RUNNING and current.lease_owner == self._context.owner

    async def _tidy(self, job: JobRecord) -> None:
        """Remove what a successful job no longer needs: its work in progress and a clone's recording."""
        with _logged_errors(job):
            await self._context.storage.files.drop_staging(job.id)
        if job.kind is JobKind.CLONE:
            with _logged_errors(job):
                await self._context.storage.files.drop_upload(job.id)

    async def _is_unwanted(self, job: JobRecord) -> bool:
        """Return whether the job was deleted, cancelled or given up, possibly by another process."""
        current = await self._context.storage.jobs.find(job.id)
        return current is None or current.state in UNWANTED


@contextlib.contextmanager
def _logged_errors(job: JobRecord) -> Iterator[None]:
    """Log errors while cleaning up after a job: they must not block the answer.

    Upkeep frees a reserved name later, and the next start removes files.
    """
    try:
        yield
    except Unavailable as error:
        _log.error("left_behind", job_id=job.id, reason=error.message)


def _voice_id(job: JobRecord) -> int:
    if job.voice_id is None:
        raise NotFound("The voice was deleted before it was finished.")
    return job.voice_id


def _count(job: JobRecord) -> None:
    metrics.FINISHED.labels(job.kind.value, job.state.value).inc()
    if job.finished_at is not None and job.started_at is not None:
        metrics.WORK_SECONDS.labels(job.kind.value).observe((job.finished_at - job.started_at).total_seconds())
