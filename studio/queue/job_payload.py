"""Payloads of jobs, stored in the column `order`, and the worker requests that are built from them.

Stored payloads survive upgrades and downgrades: unknown fields are ignored, and missing fields take their default.
Every field that is added needs a default.
"""

import secrets
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from cloning.worker.protocol import CLIP_FILE, PROMPT_FILE, CloneRequest, Request, SpeakRequest
from errors import InvalidInput, NotAllowed, NotFound
from storage.consent_records import ConsentState
from storage.database import Storage
from storage.records import JobKind, JobRecord, VoiceRecord
from studio import rights, speech_text
from studio.speakers import PREFIX, speaker_voice
from studio.values import Actor, CloneOrder

AI_LABEL = "AI-generated speech, made with Bark by Barkeep. No person said this."
"""A tag of every generated file."""


class Reply(StrEnum):
    """The answer to a speech job. FILE: the sound file. WORDS: only text if the speech was played in a voice channel,
    otherwise the file. NOTHING: no answer; the speech is only played.
    """

    FILE = "file"
    WORDS = "words"
    NOTHING = "nothing"


def new_id() -> str:
    """Return an id for a job or a request: 20 random hexadecimal digits, short enough for a Discord nonce."""
    return secrets.token_hex(10)


def reply_of(job: JobRecord) -> Reply:
    """Return how a job is answered, even if its payload was blanked."""
    known = job.order.get("reply")
    return Reply(known) if known in tuple(Reply) else Reply.FILE


@dataclass(frozen=True, slots=True)
class SpeechPayload:
    """The payload of a speech job: the text is already clean, and the voice is stored by its key.

    `roles`: the member's roles at acceptance, for checking the voice again when the job starts. `max_bytes`: the upload
    limit at the destination; the default is Discord's lowest. `words`: the text before the server's dictionary was
    applied and markup removed, if that differs; "Another take" starts from it.
    """

    text: str
    voice: str
    language: str = "en"
    temperature: float | None = None
    seed: int | None = None
    max_bytes: int = 10 * 1024 * 1024
    roles: tuple[int, ...] = ()
    words: str = ""
    reply: Reply = Reply.FILE

    def to_json(self) -> dict[str, Any]:
        """Return the payload as JSON."""
        return {**asdict(self), "roles": list(self.roles)}

    @classmethod
    def of(cls, job: JobRecord) -> "SpeechPayload":
        """Return the payload of a speech job. Raises InvalidInput if its text or voice is missing."""
        known = _known(cls, job.order)
        if not known.keys() >= {"text", "voice"}:
            raise InvalidInput("This request was stored by another version of Barkeep. Please try again.")
        return cls(**{**known, "roles": tuple(known.get("roles", ())), "reply": reply_of(job)})

    def actor(self, job: JobRecord) -> Actor:
        """Return the member with the roles at acceptance. Moderators have no special right to use a voice."""
        return Actor(job.guild_id, job.member_id, job.channel_id, frozenset(self.roles), is_moderator=False)


def words_of(job: JobRecord) -> str:
    """Return the text of speech as its member wrote it, without markup; "" for other jobs and after retention."""
    text = str(job.order.get("text", ""))
    if not (words := job.order.get("words")):
        return text
    try:
        return speech_text.spoken(str(words), limit=speech_text.RAW_LENGTH)
    except InvalidInput:  # The member wrote only emoji, which have entries in the dictionary.
        return text


def clone_to_json(order: CloneOrder) -> dict[str, Any]:
    """Return the payload of a clone job as JSON."""
    return asdict(order)


def clone_of(order: dict[str, Any]) -> CloneOrder:
    """Return the clone order from a payload. Raises InvalidInput if its name is missing."""
    known = _known(CloneOrder, order)
    if "name" not in known:
        raise InvalidInput("This request was stored by another version of Barkeep. Please try again.")
    return CloneOrder(**known)


def _known(kind: type[SpeechPayload] | type[CloneOrder], stored: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}


async def request_for(storage: Storage, job: JobRecord) -> Request:
    """Return the worker request for a claimed job that may still run, and create its folder for results.

    Blocks, consents and sharing are checked as they are now, roles as they were at acceptance.
    Raises Unavailable if storage cannot be used, and another BarkeepError, with its message, if the job has to fail.
    """
    rights.must_not_be_blocked(await storage.members.get(job.guild_id, job.member_id))
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
        if not rights.may_use(order.actor(job), voice):
            raise NotAllowed("This voice is no longer shared with you. Choose another one.")
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
