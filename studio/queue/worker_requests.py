"""Turns a stored job into a request to the speech worker, after checking that it may still run.

Checks blocks, consents and sharing as they are now. Roles are those at acceptance.
"""

from pathlib import Path

from cloning.worker.protocol import CLIP_FILE, PROMPT_FILE, CloneRequest, Request, SpeakRequest
from errors import NotAllowed, NotFound
from storage.consent_records import ConsentState
from storage.database import Storage
from storage.records import JobKind, JobRecord, VoiceRecord
from studio import policy
from studio.queue.job_payload import SpeechPayload, words_of
from studio.speakers import PREFIX, speaker_voice

AI_LABEL = "AI-generated speech, made with Bark by Barkeep. No person said this."
"""A tag of every generated file."""


async def request_for(storage: Storage, job: JobRecord) -> Request:
    """Return the worker request for a claimed job, and create its folder for results.

    Raises Unavailable if storage cannot be used, and another BarkeepError with the sentence that the job fails with.
    """
    member = await storage.members.get(job.guild_id, job.member_id)
    if member.blocked_at is not None:
        raise NotAllowed("A moderator has blocked you from using voices on this server.")
    if job.kind is JobKind.CLONE:
        return await _clone_request(storage, job)
    return await _speak_request(storage, job)


async def _clone_request(storage: Storage, job: JobRecord) -> CloneRequest:
    voice = await _voice(storage, job)
    if not await _consented(storage, job, voice):
        raise NotAllowed("The consent to clone this voice was withdrawn, so it was not made.")
    staging = await storage.files.staging(job.id)
    try:
        source = await storage.files.upload_for_job(job.id)
    except NotFound:
        raise NotFound("The recording was lost before it could be cloned. Please upload it again.") from None
    return CloneRequest(job.id, source, staging, voice.language, alone=job.attempts > 0)


async def _consented(storage: Storage, job: JobRecord, voice: VoiceRecord) -> bool:
    """Return whether the speaker still agrees: by the owner's confirmation, or by the answered consent request."""
    if voice.speaker_id in (None, job.member_id):
        return await storage.consents.get(job.guild_id, job.member_id) is not None
    question = await storage.consents.find_request(job.id)
    return question is not None and question.state is ConsentState.ALLOWED


async def _speak_request(storage: Storage, job: JobRecord) -> SpeakRequest:
    order = SpeechPayload.of(job)
    staging = await storage.files.staging(job.id)
    artist = speaker_voice(order.voice.removeprefix(PREFIX)).name
    voice: VoiceRecord | None = None
    prompt: Path | None = None
    clip: Path | None = None
    if job.voice_id is not None:
        voice = await _voice(storage, job)
        artist = voice.name
        if not policy.may_use(order.actor(job), voice):
            raise NotAllowed("This voice is no longer shared with you.")
        prompt, clip = await _files(storage, job, voice)
    return SpeakRequest(
        job.id,
        order.text,
        staging,
        prompt=prompt,
        prompt_model=None if voice is None else voice.model,
        prompt_digest=None if voice is None else voice.model_digest,
        speaker=order.voice.removeprefix(PREFIX) if job.voice_id is None else None,
        clip=clip,
        clip_language=order.language if voice is None else voice.language,
        language=order.language,
        temperature=order.temperature,
        seed=order.seed,
        max_bytes=order.max_bytes,
        tags={
            "title": words_of(job)[:100],
            "artist": f"{artist} (AI-generated voice)",
            "comment": AI_LABEL,
            "ai_generated": "true",
            "job": job.id,
        },
        alone=job.attempts > 0,
    )


async def _voice(storage: Storage, job: JobRecord) -> VoiceRecord:
    try:
        if job.voice_id is None:
            raise NotFound("No voice.")
        return await storage.voices.get(job.guild_id, job.voice_id)
    except NotFound:
        raise NotFound("The voice was deleted before your request started.") from None


async def _files(storage: Storage, job: JobRecord, voice: VoiceRecord) -> tuple[Path | None, Path | None]:
    """Return a voice's prompt and clip, None for a missing one. The worker needs one of them."""
    prompt, clip = [await _file(storage, job, voice, name) for name in (PROMPT_FILE, CLIP_FILE)]
    if prompt is None and clip is None:
        raise NotFound(f"The files of the voice {voice.name} are missing. Please delete it and clone it again.")
    return prompt, clip


async def _file(storage: Storage, job: JobRecord, voice: VoiceRecord, name: str) -> Path | None:
    try:
        return await storage.files.voice_file_for_job(job.id, voice.guild_id, voice.id, name)
    except NotFound:
        return None
