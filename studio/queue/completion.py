"""What the end of a job does to rows and files. Each step may be repeated after a crash; nothing here answers anybody.

The order of steps is the contract: files first, then the row that speaks of them, then the job, then what is left over.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import structlog

from cloning.worker.protocol import CLIP_FILE, PROMPT_FILE, SPEECH_FILE, Cloned, Spoken
from errors import NotFound, Unavailable
from storage.database import Storage
from storage.records import JobKind, JobRecord, JobState, VoiceModels, VoiceState
from studio import metrics

UNKNOWN = "Unknown"
"""The kind of a fault that nobody expected."""

_log = structlog.get_logger(__name__)


class Completion:
    """Brings jobs that `owner` holds to their end.

    Every method returns the job as it ended, or None if it had ended already or is held by another process.
    """

    def __init__(self, storage: Storage, owner: str) -> None:
        self._storage = storage
        self._owner = owner

    async def cloned(self, job: JobRecord, event: Cloned) -> JobRecord | None:
        """The worker made the voice: its files and row become ready, then the job."""
        if not await self._still_held(job):
            return None
        voice_id = _voice_id(job)
        await self._storage.files.adopt_voice(
            job.guild_id, voice_id, await self._storage.files.staging(job.id), (PROMPT_FILE, CLIP_FILE)
        )
        report = asdict(event.report)
        models = VoiceModels(event.model, event.hubert, event.quantizer, event.digest)
        try:
            await self._storage.voices.make_ready(job.guild_id, voice_id, models, report, has_clip=True)
        except NotFound:
            await self._storage.files.drop_voice(job.guild_id, voice_id)
            raise NotFound("The voice was deleted before it was finished.") from None
        return await self._clone_ready(job)

    async def cloned_before(self, job: JobRecord) -> JobRecord | None:
        """Finish a clone whose voice was ready when a crash came between. None if there is still work to do."""
        if job.kind is not JobKind.CLONE or job.voice_id is None:
            return None
        try:
            voice = await self._storage.voices.get(job.guild_id, job.voice_id)
        except NotFound:
            return None
        return await self._clone_ready(job) if voice.state is VoiceState.READY else None

    async def spoken(self, job: JobRecord, event: Spoken, *, hubert: str) -> JobRecord | None:
        """The worker spoke: the sound waits for delivery. A prompt that was made anew replaces the voice's.

        hubert: the feature model in use, for the voice's row if its prompt was made anew.
        """
        if not await self._still_held(job):
            return None
        staging = await self._storage.files.staging(job.id)
        if event.refreshed_model is not None and job.voice_id is not None:
            quantizer = event.refreshed_quantizer or ""
            models = VoiceModels(event.refreshed_model, hubert, quantizer, event.refreshed_digest)
            await self._refresh(job, job.voice_id, models)
        await self._storage.files.keep_result(job.id, staging / SPEECH_FILE)
        result: dict[str, Any] = {"seconds": event.seconds, "seed": event.seed, "sentences": event.sentences}
        if event.left_out:
            result["left_out"] = list(event.left_out)
        done = await self._storage.jobs.ready(job.id, result, self._owner)
        if done is None:
            if await self._is_unwanted(job):
                await self._storage.files.drop_staging(job.id)
                await self._storage.files.drop_result(job.id)
            return None
        with _told(job):
            await self._storage.files.drop_staging(job.id)
        metrics.AUDIO_SECONDS.inc(event.seconds)
        _count(done)
        return done

    async def failed(self, job: JobRecord, kind: str, message: str) -> JobRecord | None:
        """The job cannot be done. `kind`: a key of errors.KINDS or UNKNOWN; `message`: a sentence for the member.

        `job` names who holds it: this process, one that is gone, or nobody if it still waits.
        """
        done = await self._storage.jobs.fail(job.id, kind, message, owner=job.lease_owner)
        if done is None:
            if await self._is_unwanted(job):
                await self._storage.files.drop_staging(job.id)
            return None
        with _told(job):
            await self.clear(job)
        _count(done)
        return done

    async def cancelled(self, job: JobRecord) -> None:
        """Somebody cancelled the job: it leaves nothing behind."""
        _count(job)
        with _told(job):
            await self.clear(job)

    async def clear(self, job: JobRecord) -> None:
        """Remove what an unsuccessful job holds: a reserved voice, its upload, its work in progress."""
        files = self._storage.files
        if job.kind is JobKind.CLONE and job.voice_id is not None:
            with contextlib.suppress(NotFound):  # Whoever deleted the voice was faster.
                await self._storage.voices.delete(job.guild_id, job.voice_id)
            await files.drop_voice(job.guild_id, job.voice_id)
        await files.drop_upload(job.id)
        await files.drop_staging(job.id)

    async def _clone_ready(self, job: JobRecord) -> JobRecord | None:
        done = await self._storage.jobs.ready(job.id, {}, self._owner)
        if done is None:
            if await self._is_unwanted(job):
                await self.clear(job)
            return None
        with _told(job):
            await self._storage.files.drop_staging(job.id)
        with _told(job):
            await self._storage.files.drop_upload(job.id)
        _count(done)
        return done

    async def _refresh(self, job: JobRecord, voice_id: int, models: VoiceModels) -> None:
        """Replace a voice's prompt by the one made for today's models. Not worth failing for if the voice is gone."""
        staging = await self._storage.files.staging(job.id)
        try:
            voice = await self._storage.voices.get(job.guild_id, voice_id)
            await self._storage.files.adopt_voice(job.guild_id, voice_id, staging, (PROMPT_FILE,))
            kept = replace(models, hubert=models.hubert or voice.hubert or "")
            await self._storage.voices.set_models(job.guild_id, voice_id, kept)
        except NotFound:
            await self._storage.files.drop_voice(job.guild_id, voice_id)

    async def _still_held(self, job: JobRecord) -> bool:
        """Whether this process still holds the job. What the worker left of one that is not wanted is removed."""
        if await self._is_unwanted(job):
            await self._storage.files.drop_staging(job.id)
            return False
        current = await self._storage.jobs.get(job.id)
        return current.state is JobState.RUNNING and current.lease_owner == self._owner

    async def _is_unwanted(self, job: JobRecord) -> bool:
        """Whether the job was deleted, cancelled or given up. Another process may have done it, or may be at it."""
        try:
            return (await self._storage.jobs.get(job.id)).state in (JobState.FAILED, JobState.CANCELLED)
        except NotFound:
            return True


@contextlib.contextmanager
def _told(job: JobRecord) -> Iterator[None]:
    """Tidying after a job that has ended: a fault keeps nobody from the answer, and the next start tidies again."""
    try:
        yield
    except Unavailable as fault:
        _log.error("left_behind", job_id=job.id, reason=fault.message)


def _voice_id(job: JobRecord) -> int:
    if job.voice_id is None:
        raise NotFound("The voice was deleted before it was finished.")
    return job.voice_id


def _count(job: JobRecord) -> None:
    metrics.FINISHED.labels(job.kind.value, job.state.value).inc()
    if job.finished_at is not None and job.started_at is not None:
        metrics.WORK_SECONDS.labels(job.kind.value).observe((job.finished_at - job.started_at).total_seconds())
