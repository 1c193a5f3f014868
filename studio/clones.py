"""Accepts clones: checks rights, names and consent. `clone_requests` asks other members for their voice.

Whether a recording contains speech is checked by the worker.
"""

from dataclasses import replace

import structlog

from cloning.consent.packages import NOT_INSTALLED
from cloning.text.readable import check_model_reads
from cloning.text.splitting import check_language
from cloning.worker.protocol import Executor
from errors import InvalidInput, NameTaken, NotAllowed, Unavailable
from storage.consent_records import ConsentKind, SpokenYes
from storage.database import Storage
from storage.records import AuditLine, GuildSettings, JobKind, JobRecord, NewJob, NewVoice, Origin
from studio import metrics, rights
from studio.names import clean_description, clean_name
from studio.queue.dispatcher import Dispatcher
from studio.queue.job_payload import clone_to_json, new_id
from studio.speakers import languages_read
from studio.values import POLICY_VERSION, Actor, CloneOrder

MAX_RECORDING_BYTES = 50 * 1024 * 1024
"""The largest recording that is accepted, in bytes, whatever Discord allows."""

_log = structlog.get_logger(__name__)


class CloneService:
    """Accepts clones."""

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        dispatcher: Dispatcher,
        *,
        consent: ConsentKind,
    ) -> None:
        self._consent = consent
        self._storage = storage
        self._executor = executor
        self._dispatcher = dispatcher

    def check_order(self, order: CloneOrder, size: int) -> CloneOrder:
        """Run the checks that need no database, and return the order in its stored form.

        size: of the recording, in bytes. Raises InvalidInput (name, description, size, a language that the loaded
        model does not read).
        """
        order = cleaned(order)
        check_model_reads(order.language, languages_read(self._executor))
        check_size(size)
        return order

    async def asks_for_speech(self, guild_id: int) -> bool:
        """Return whether members of this server agree by saying a sentence.

        Raises Unavailable if they do and there is no recogniser: a checkbox does not replace spoken consent.
        """
        return self._asks_for_speech(await self._storage.guilds.get(guild_id))

    async def check(self, actor: Actor, order: CloneOrder, size: int) -> int:
        """Run all checks that do not need the recording; `size` in bytes.

        Return the server's latest erasure. Pass it on when the recording is stored, which is refused if data were
        deleted in between. Raises NotAllowed, InvalidInput as `check_order` does, Conflict for a taken name,
        LimitReached, and Unavailable as `asks_for_speech` does.
        """
        since = await self._storage.erasures.latest(actor.guild_id)
        settings = await rights.require(self._storage, actor, rights.may_clone)
        self._asks_for_speech(settings)
        order = self.check_order(order, size)
        if await self._storage.voices.find(actor.guild_id, order.name) is not None:
            raise NameTaken(f"There is already a voice called {order.name}. Please choose another name.")
        await self._storage.voices.check_place(
            actor.guild_id, actor.member_id, settings.voices_per_member, settings.voices_per_guild
        )
        return since

    async def submit(
        self,
        actor: Actor,
        order: CloneOrder,
        audio: bytes,
        origin: Origin | None,
        *,
        attested: bool,
        since: int | None = None,
    ) -> JobRecord:
        """Accept a clone of the actor's own voice. The job is stored when this returns.

        attested: the actor has just confirmed that this recording is their own voice and that they agree to the copy;
        the confirmation is stored together with the job. since: as `check` returned it before the recording was read.
        Raises as `check` does, Conflict if the actor's data were deleted since, and NotAllowed without `attested`, for
        somebody else's voice, and where the server asks for spoken consent.
        """
        own = own_order(actor, order)
        if not attested:
            raise NotAllowed("Please confirm first that the voice is your own: use /clone and fill in its form.")
        if await self.asks_for_speech(actor.guild_id):
            raise NotAllowed("On this server you agree to a clone by saying a sentence. Use /clone, and say it.")
        checked = await self.check(actor, own, len(audio))
        job_id = new_id()
        await self._storage.files.put_upload(job_id, audio)
        try:
            since = checked if since is None else since
            accepted = await self._accept_own(job_id, actor, own, origin, since=since)
        except Exception:  # not on cancellation: the clone may have been accepted
            await self._storage.files.drop_upload(job_id)
            raise
        if accepted.id != job_id:  # the interaction was delivered twice
            await self._storage.files.drop_upload(job_id)
        self._dispatcher.enqueue(accepted)
        return accepted

    async def submit_spoken(self, actor: Actor, order: CloneOrder, spoken: SpokenYes) -> JobRecord:
        """Accept a clone of the actor's own voice after they said the sentence for it.

        The upload is stored under the sentence's id, which becomes the job's. Raises NotAllowed by current rights and
        for somebody else's voice, LimitReached, and Conflict for a taken name or a sentence that is no longer open.
        """
        own = own_order(actor, order)
        await rights.require(self._storage, actor, rights.may_clone)
        accepted = await self._accept_own(spoken.id, actor, own, None, spoken)
        self._dispatcher.enqueue(accepted)
        return accepted

    async def _accept_own(
        self,
        job_id: str,
        actor: Actor,
        own: CloneOrder,
        origin: Origin | None,
        spoken: SpokenYes | None = None,
        since: int | None = None,
    ) -> JobRecord:
        """Store voice, job and consent of a stored upload in one transaction."""
        job = NewJob(
            job_id,
            JobKind.CLONE,
            actor.guild_id,
            actor.channel_id,
            actor.member_id,
            clone_to_json(own),
            origin=origin,
            audit=AuditLine(
                "voice.clone", own.name, f"own voice, policy {POLICY_VERSION}, {manner(spoken, 'by a box')}"
            ),
            since=since,
        )
        return await self.reserve(job, own, policy_version=POLICY_VERSION, spoken=spoken)

    async def reserve(
        self,
        job: NewJob,
        order: CloneOrder,
        *,
        policy_version: int | None = None,
        allowed_by: int | None = None,
        spoken: SpokenYes | None = None,
    ) -> JobRecord:
        """Store voice, job and consent in one transaction: `policy_version` for the member's own voice, `allowed_by`
        for somebody else's. Raises NameTaken, LimitReached, and Conflict if data were deleted after `job.since`.
        """
        settings = await self._storage.guilds.get(job.guild_id)
        voice = NewVoice(job.guild_id, job.member_id, order.speaker_id, order.name, order.language, order.description)
        _, accepted = await self._storage.acceptance.accept_clone(
            voice, job, settings, policy_version=policy_version, allowed_by=allowed_by, spoken=spoken
        )
        if accepted.id == job.id:
            metrics.ACCEPTED.labels(JobKind.CLONE.value).inc()
            _log.info("job_accepted", job_id=job.id, guild_id=job.guild_id, kind=JobKind.CLONE.value)
        return accepted

    def _asks_for_speech(self, settings: GuildSettings) -> bool:
        is_spoken = rights.consent_of(settings, self._consent) is ConsentKind.SPOKEN
        if is_spoken and not self._executor.consent_languages:
            raise Unavailable(f"This server asks for spoken consent, so nothing can be cloned now. {NOT_INSTALLED}")
        return is_spoken


def manner(spoken: SpokenYes | None, otherwise: str) -> str:
    """Return how consent was given, for the audit log."""
    if spoken is None:
        return otherwise
    return f"spoken: {spoken.words} of {spoken.of} words, likeness {spoken.likeness:.2f}"


def own_order(actor: Actor, order: CloneOrder) -> CloneOrder:
    """Return the stored form of an order for the actor's own voice. Raises NotAllowed, and InvalidInput."""
    if order.speaker_id not in (None, actor.member_id):
        raise NotAllowed("This is someone else's voice. They have to agree first.")
    return replace(cleaned(order), speaker_id=actor.member_id)


def cleaned(order: CloneOrder) -> CloneOrder:
    """Return an order in its stored form. Raises InvalidInput."""
    return replace(
        order,
        name=clean_name(order.name),
        description=clean_description(order.description),
        language=check_language(order.language),
    )


def check_size(size: int) -> None:
    """Raise InvalidInput for an empty recording, or one over MAX_RECORDING_BYTES."""
    if size == 0:
        raise InvalidInput("That file is empty. Upload a recording of a few seconds of speech.")
    if size > MAX_RECORDING_BYTES:
        limit = MAX_RECORDING_BYTES // (1024 * 1024)
        raise InvalidInput(f"That file is larger than {limit} MB. About ten seconds of speech are enough.")
