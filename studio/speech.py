"""Accepts speech: checks rights, finds the voice and cleans the text."""

from collections.abc import Mapping
from dataclasses import replace

import structlog

from cloning.text.durations import expected_seconds
from cloning.text.readable import readable
from cloning.text.splitting import check_language
from cloning.worker.protocol import Executor
from errors import Conflict, InvalidInput, NotAllowed, NotFound
from storage.database import Storage
from storage.jobs import UNFINISHED
from storage.records import AuditLine, ChannelOutput, GuildSettings, JobKind, JobRecord, NewJob, Origin
from studio import metrics, rights, speech_text
from studio.channel.lines import Line
from studio.channel.rooms import Room
from studio.pronunciations import PronunciationService
from studio.queue.dispatcher import Dispatcher
from studio.queue.job_payload import Reply, SpeechPayload, new_id, words_of
from studio.reading_rules import shortened
from studio.speakers import language_of, languages_read
from studio.values import Actor, Courier, SayOrder, Voice
from studio.voices import VoiceLibrary

MAX_TEMPERATURE = 1.5
"""The highest temperature that is offered; above it Bark mumbles."""
MAX_SEED = 2**31 - 1
"""The largest seed: a signed 32-bit number."""

_ANY_SIZE = 2**31
"""A size limit in bytes for speech that is not sent as a file."""
_NO_RECORDING = "There is no such recording here. It may have been deleted; use /say to have it said again."

_log = structlog.get_logger(__name__)


class SpeechService:
    """Accepts speech jobs."""

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        library: VoiceLibrary,
        pronunciations: PronunciationService,
        dispatcher: Dispatcher,
        courier: Courier,
    ) -> None:
        self._courier = courier
        self._executor = executor
        self._storage = storage
        self._library = library
        self._pronunciations = pronunciations
        self._dispatcher = dispatcher
        self._rooms = dispatcher.rooms

    async def submit(
        self,
        actor: Actor,
        order: SayOrder,
        names: Mapping[str, str],
        origin: Origin | None,
        *,
        max_bytes: int,
        since: int | None = None,
    ) -> JobRecord:
        """Accept a speech job. The job is stored when this returns.

        The speech is also played in the voice channel that the actor shares with the bot, if the server has that
        switched on.

        names: display names by id for what the text mentions (see speech_text.clean). max_bytes: the largest file that
        can be delivered. since: the server's latest erasure before the names were looked up. Raises NotAllowed,
        NotFound and Conflict (voice), Conflict if the actor's data were deleted since, InvalidInput (text, or a
        language that the loaded model does not read), and LimitReached.
        """
        if since is None:
            since = await self._storage.erasures.latest(actor.guild_id)
        settings = await rights.require(self._storage, actor, rights.may_speak)
        _check_numbers(order)
        words = speech_text.in_words(order.text, names, limit=settings.text_length)
        text = await self._pronounced(words, settings)
        speech, voice = await self._payload(actor, order, text, max_bytes=max_bytes)
        speech = replace(speech, words="" if words == text else words)
        room = None if order.private else self._room_for(actor, settings)
        return await self._accept(
            "speech.say", actor, speech, voice, settings, origin, since, private=order.private, room=room
        )

    async def read_aloud(self, actor: Actor, words: str, since: int) -> JobRecord:
        """Accept a message that is only played in the server's voice channel: it gets no answer, and a crash loses it.

        The actor is its author and need not be in the channel. words: as returned by `reading_rules.words_for`. since:
        the server's latest erasure when the message arrived. Raises as `submit` does, and Conflict if the bot is in no
        voice channel.
        """
        room = self._rooms.get(actor.guild_id)
        if room is None:
            raise Conflict("I am not in a voice channel here.")
        settings = await rights.require(self._storage, actor, rights.may_speak)
        dictionary = await self._pronunciations.dictionary(actor.guild_id)
        pronounced = speech_text.with_pictures_named(dictionary.applied(words))
        line = speech_text.spoken(pronounced, limit=speech_text.RAW_LENGTH)  # may be longer than `words`
        text = speech_text.spoken(shortened(line, settings.text_length), limit=settings.text_length)
        speech, voice = await self._payload(actor, SayOrder(words), text, max_bytes=_ANY_SIZE)
        speech = replace(speech, reply=Reply.NOTHING)
        return await self._accept("speech.read", actor, speech, voice, settings, None, since, private=False, room=room)

    async def _payload(
        self, actor: Actor, order: SayOrder, text: str, *, max_bytes: int
    ) -> tuple[SpeechPayload, Voice]:
        """Return the payload and the voice of an order. text: as it is spoken."""
        voice = await self._library.resolve(actor, order.voice)
        speech = SpeechPayload(
            text=text,
            voice=voice.key,
            language=check_language(order.language or language_of(voice)),
            temperature=order.temperature,
            seed=order.seed,
            max_bytes=max_bytes,
            roles=tuple(sorted(actor.role_ids)),
        )
        return speech, voice

    async def repeat(self, actor: Actor, job_id: str, origin: Origin | None, *, max_bytes: int) -> JobRecord:
        """Say the text of a job again with another seed, for any member who may use the voice.

        Applies the server's current dictionary. Raises as `submit` does.
        """
        since = await self._storage.erasures.latest(actor.guild_id)
        settings = await rights.require(self._storage, actor, rights.may_speak)
        job = await self._speech_job(actor, job_id)
        if job.private and job.member_id != actor.member_id:
            raise NotFound(_NO_RECORDING)
        earlier = SpeechPayload.of(job)
        text = await self._pronounced(earlier.words or earlier.text, settings)
        voice = await self._library.resolve(actor, earlier.voice)
        again = replace(
            earlier,
            text=text,
            voice=voice.key,
            words=earlier.words or ("" if text == earlier.text else earlier.text),
            seed=None,
            max_bytes=max_bytes,
            roles=tuple(sorted(actor.role_ids)),
            reply=Reply.FILE,
        )
        room = None if job.private else self._room_for(actor, settings)
        return await self._accept(
            "speech.repeat", actor, again, voice, settings, origin, since, private=job.private, room=room
        )

    async def discard(self, actor: Actor, job_id: str) -> None:
        """Delete a generated recording. Raises NotAllowed for anybody but its member and moderators."""
        job = await self._speech_job(actor, job_id)
        if not actor.is_moderator and job.member_id != actor.member_id:
            raise NotAllowed("Only the member who asked for this recording, or a moderator, can delete it.")
        if job.state in UNFINISHED:
            await self._dispatcher.cancel(job.id)
        self._rooms.drop(job.id)
        await self._storage.files.drop_result(job.id)
        await self._storage.jobs.answered(job.id, None)  # its member no longer waits for it
        await self._storage.audit.write(actor.guild_id, actor.member_id, "speech.discard", job.id)

    async def _pronounced(self, words: str, settings: GuildSettings) -> str:
        """Return the result of `speech_text.in_words` as it is spoken, with the server's pronunciations."""
        dictionary = await self._pronunciations.dictionary(settings.guild_id)
        return speech_text.spoken(dictionary.applied(words), limit=settings.text_length)

    def _room_for(self, actor: Actor, settings: GuildSettings) -> Room | None:
        """Return the room in which the actor's speech is played; None if it is only sent as a file."""
        return None if settings.channel_output is ChannelOutput.FILE else self._rooms.near(actor)

    async def _speech_job(self, actor: Actor, job_id: str) -> JobRecord:
        job = await self._storage.jobs.find(job_id)
        if job is None or job.guild_id != actor.guild_id or job.kind is not JobKind.SPEECH:
            raise NotFound(_NO_RECORDING)
        return job

    async def _accept(
        self,
        action: str,
        actor: Actor,
        order: SpeechPayload,
        voice: Voice,
        settings: GuildSettings,
        origin: Origin | None,
        since: int,
        *,
        private: bool,
        room: Room | None,
    ) -> JobRecord:
        """Store and queue the job. `action`: for the audit log. `room`: where the speech is played, or None."""
        readable(order.text, order.language, languages_read(self._executor))
        if room is not None and order.reply is Reply.FILE and settings.channel_output is ChannelOutput.CHANNEL:
            order = replace(order, reply=Reply.WORDS)
        if voice.record is not None:
            await rights.require_present(self._storage, self._courier, actor, voice.record, settings)
        job = NewJob(
            new_id(),
            JobKind.SPEECH,
            actor.guild_id,
            actor.channel_id,
            actor.member_id,
            order.to_json(),
            private=private,
            voice_id=None if voice.record is None else voice.record.id,
            origin=origin,
            expected_seconds=expected_seconds(order.text, order.language),
            hourly=order.reply is not Reply.NOTHING,  # Reading aloud has its own rate limit, reading_rules.Pace.
            audit=AuditLine(action, voice.name),
            since=since,
        )
        accepted = await self._storage.acceptance.accept_speech(job, settings)
        if room is not None and accepted.id == job.id:
            self._rooms.add(room, Line(job.id, voice.name, words_of(accepted), job=accepted, reply=order.reply))
        self._dispatcher.enqueue(accepted)
        if accepted.id == job.id:
            metrics.ACCEPTED.labels(JobKind.SPEECH.value).inc()
            _log.info("job_accepted", job_id=job.id, guild_id=job.guild_id, kind=JobKind.SPEECH.value)
        return accepted


def _check_numbers(order: SayOrder) -> None:
    if order.temperature is not None and not 0.0 <= order.temperature <= MAX_TEMPERATURE:
        raise InvalidInput(f"Choose a temperature from 0 to {MAX_TEMPERATURE}.")
    if order.seed is not None and not 0 <= order.seed <= MAX_SEED:
        raise InvalidInput(f"Choose a seed from 0 to {MAX_SEED}.")
