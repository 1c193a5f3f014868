"""Accepts clones: checks rights, names and consent, and asks another member for their voice.

The worker finds out whether a recording contains speech.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from cloning.consent.packages import NOT_INSTALLED
from cloning.text.readable import check_model_reads
from cloning.text.splitting import check_language
from cloning.worker.protocol import Executor
from errors import BarkeepError, Conflict, InvalidInput, LimitReached, NameTaken, NotAllowed, NotFound, Unavailable
from storage.consent_records import ConsentKind, ConsentRequest, ConsentState, SpokenYes
from storage.database import Storage
from storage.records import AuditLine, GuildSettings, JobKind, JobRecord, NewJob, NewVoice
from studio import metrics, policy
from studio.names import clean_description, clean_name
from studio.queue.dispatcher import Dispatcher
from studio.queue.job_payload import clone_of, clone_to_json, new_id
from studio.speakers import languages_read
from studio.values import POLICY_VERSION, Actor, CloneOrder, Courier, Origin, Receipt
from studio.voice_deletion import remove_voice

MAX_RECORDING_BYTES = 50 * 1024 * 1024
"""The largest recording that is accepted, in bytes, whatever Discord allows."""
ANSWER_WITHIN = timedelta(hours=48)
"""How long a member has to answer whether their voice may be cloned."""
OPEN_QUESTIONS = 3
"""How many open requests a member may have at once; each stores a recording and bothers somebody."""

_log = structlog.get_logger(__name__)


class CloneService:
    """Accepts clones."""

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        dispatcher: Dispatcher,
        courier: Courier,
        *,
        consent: ConsentKind,
        clock: Callable[[], datetime],
    ) -> None:
        self._consent = consent
        self._storage = storage
        self._executor = executor
        self._courier = courier
        self._dispatcher = dispatcher
        self._clock = clock

    def check_order(self, order: CloneOrder, size: int) -> CloneOrder:
        """Check what needs no database, and return the order as it is stored; `size` of the recording in bytes.

        Raises InvalidInput (name, description, size, a language that the loaded model does not read).
        """
        order = _cleaned(order)
        check_model_reads(order.language, languages_read(self._executor))
        check_size(size)
        return order

    async def asks_for_speech(self, guild_id: int) -> bool:
        """Return whether members of this server agree by saying a sentence. Raises Unavailable if it would not be
        recognised: a box in a form does not take its place.
        """
        return self._asks_for_speech(await self._storage.guilds.get(guild_id))

    async def check(self, actor: Actor, order: CloneOrder, size: int) -> int:
        """Check all that can be checked before the recording is read; `size` in bytes.

        Return the server's latest erasure, to be handed on with the recording: if more is deleted until it is stored,
        it is refused. Raises NotAllowed, InvalidInput as `check_order`, Conflict for a taken name, LimitReached, and
        Unavailable as `asks_for_speech` does.
        """
        since = await self._storage.erasures.latest(actor.guild_id)
        settings = await policy.require(self._storage, actor, policy.may_clone)
        self._asks_for_speech(settings)
        order = self.check_order(order, size)
        if await self._storage.voices.find(actor.guild_id, order.name) is not None:
            raise NameTaken(f"There is already a voice called {order.name}. Please choose another name.")
        _, mine = await self._storage.voices.list(
            actor.guild_id, None, owner_id=actor.member_id, ready_only=False, limit=1
        )
        if mine >= settings.voices_per_member:
            raise LimitReached(f"You already have {mine} voices, which is the limit here. Delete one first.")
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
    ) -> Receipt:
        """Accept a clone of the actor's own voice. It is stored when this returns.

        attested: the actor has just confirmed that this recording is their own voice and that they agree to the copy;
        this is stored together with the job. since: as `check` returned it before the recording was read. Raises as
        `check` does, Conflict if the actor's data were deleted since, and NotAllowed without attested, for somebody
        else's voice, and where the server asks for spoken consent.
        """
        own = own_order(actor, order)
        if not attested:
            raise NotAllowed("Please confirm first that the voice is your own: use /clone and fill in its form.")
        if await self.asks_for_speech(actor.guild_id):
            raise NotAllowed("On this server you agree to a clone by saying a sentence. Use /clone, and say it.")
        checked = await self.check(actor, own, len(audio))
        job_id = new_id()
        await self._storage.files.put_upload(job_id, audio)
        accepted: JobRecord | None = None
        try:
            since = checked if since is None else since
            accepted = await self._accept_own(job_id, actor, own, origin, since=since)
        finally:
            if accepted is None or accepted.id != job_id:  # refused, or the interaction came twice
                await self._storage.files.drop_upload(job_id)
        return Receipt(accepted, self._dispatcher.enqueue(accepted))

    async def submit_spoken(self, actor: Actor, order: CloneOrder, spoken: SpokenYes) -> Receipt:
        """Accept a clone of the actor's own voice after they said the sentence for it.

        The upload is stored under the sentence's id, which becomes the job's. Raises NotAllowed by current rights and
        for somebody else's voice, LimitReached, and Conflict for a taken name or a sentence that is no longer open.
        """
        own = own_order(actor, order)
        await policy.require(self._storage, actor, policy.may_clone)
        accepted = await self._accept_own(spoken.id, actor, own, None, spoken)
        return Receipt(accepted, self._dispatcher.enqueue(accepted))

    async def ask_author(
        self, actor: Actor, author_id: int, order: CloneOrder, audio: bytes, *, since: int | None = None
    ) -> ConsentRequest:
        """Store another member's recording and ask them. Nothing is cloned before they agree.

        since: as for `submit`. Raises as `check` does; Conflict while an earlier request to this member is open, and if
        data of one of the two were deleted since; LimitReached while too many requests of the actor are open;
        NotAllowed if this member refused the actor before or is blocked here.
        """
        if author_id == actor.member_id:
            raise InvalidInput("This is your own recording. You can clone it with /clone.")
        checked = await self.check(actor, order, len(audio))
        if (await self._storage.members.get(actor.guild_id, author_id)).blocked_at is not None:
            raise NotAllowed("This member's voice can't be cloned here.")
        now = self._clock()
        request = ConsentRequest(
            new_id(),
            actor.guild_id,
            actor.channel_id,
            actor.member_id,
            author_id,
            clone_to_json(replace(_cleaned(order), speaker_id=author_id)),
            ConsentState.PENDING,
            now,
            now + ANSWER_WITHIN,
        )
        await self._storage.files.put_upload(request.id, audio)
        try:
            since = checked if since is None else since
            request = await self._storage.consents.request(request, limit=OPEN_QUESTIONS, since=since)
        except BarkeepError:
            await self._storage.files.drop_upload(request.id)
            raise
        await self._storage.audit.write(actor.guild_id, actor.member_id, "consent.ask", str(author_id))
        return request

    async def withdraw(self, request: ConsentRequest) -> None:
        """Withdraw a request that could not be sent to its author, with its stored recording."""
        with contextlib.suppress(Conflict, NotFound):
            await self._storage.consents.answer(request.id, request.author_id, ConsentState.EXPIRED)
            await self._storage.files.drop_upload(request.id)

    async def answer(
        self, request_id: str, member_id: int, allow: bool, spoken: SpokenYes | None = None
    ) -> tuple[ConsentRequest, Receipt | None]:
        """Store the author's answer, once. `spoken`: what was measured when they said the sentence for it.

        A yes covers this recording and is stored together with the clone that it allows.
        Raises NotAllowed for anybody but the author, for the yes of a blocked author, and without a sentence where the
        server asks for spoken consent; Conflict when the request was answered or has expired, and any error that keeps
        the requester from cloning now; the request then stays open until it expires.
        """
        if not allow:
            return await self._refuse(request_id, member_id), None
        request = await self._storage.consents.get_request(request_id)
        if request.author_id == member_id:
            await self._check_parties(request)
            if spoken is None and await self.asks_for_speech(request.guild_id):
                raise NotAllowed("On that server you agree to a clone by saying a sentence. Press Allow, and say it.")
        accepted = await self._accept_for(request, member_id, spoken)
        request = await self._storage.consents.get_request(request_id)
        detail = f"{clone_of(request.order).name}, {_manner(spoken, 'by a button')}"
        await self._storage.audit.write(request.guild_id, member_id, "consent.allow", str(request.requester_id), detail)
        return request, Receipt(accepted, self._dispatcher.enqueue(accepted))

    async def question(self, request_id: str, member_id: int) -> ConsentRequest:
        """Return a request to the author who was asked. Raises NotFound, and NotAllowed for anybody else."""
        request = await self._storage.consents.get_request(request_id)
        if request.author_id != member_id:
            raise NotAllowed("Only the member whose voice is in that message can answer this.")
        return request

    async def take_back(self, request_id: str, member_id: int) -> ConsentRequest:
        """Withdraw the author's yes: the voice made from it is deleted, or its clone is cancelled.

        A second time finishes what an error interrupted. Raises NotFound, NotAllowed for anybody but the author, and
        Conflict if there is nothing to take back.
        """
        before = await self._storage.consents.get_request(request_id)
        request = await self._storage.consents.withdraw(request_id, member_id)
        removed = await self._unmake(request)
        await self._storage.finish_deleting()
        if removed or before.state is ConsentState.ALLOWED:
            await self._storage.audit.write(
                request.guild_id, member_id, "consent.withdraw", str(request.requester_id), clone_of(request.order).name
            )
        return request

    async def _refuse(self, request_id: str, member_id: int) -> ConsentRequest:
        request = await self._storage.consents.answer(request_id, member_id, ConsentState.DENIED)
        await self._unmake(request)  # an earlier version wrote the clone first and the yes after it
        await self._storage.files.drop_upload(request_id)
        await self._storage.audit.write(request.guild_id, member_id, "consent.deny", str(request.requester_id))
        return request

    async def _unmake(self, request: ConsentRequest) -> bool:
        """Cancel the clone of a request and delete the voice that it made. Return whether there was a voice."""
        await self._dispatcher.cancel(request.id)
        job = await self._storage.jobs.find(request.id)
        voice_id = request.voice_id if job is None else job.voice_id
        voice = None if voice_id is None else await self._storage.voices.by_id(request.guild_id, voice_id)
        if voice is None or voice.speaker_id != request.author_id:
            return False
        await remove_voice(self._storage, self._dispatcher, voice)
        return True

    async def _check_parties(self, request: ConsentRequest) -> None:
        """Check the current rights of the author and of the member who asked.

        Raises NotAllowed and Unavailable in words for the author.
        """
        if (await self._storage.members.get(request.guild_id, request.author_id)).blocked_at is not None:
            raise NotAllowed("A moderator has blocked you from using voices there, so you can only say no.")
        try:
            await policy.require_later(
                self._storage,
                self._courier,
                policy.may_clone,
                guild_id=request.guild_id,
                channel_id=request.channel_id,
                member_id=request.requester_id,
            )
        except NotAllowed as error:
            raise NotAllowed("The member who asked can no longer clone voices there, so nothing was cloned.") from error

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
        manner = _manner(spoken, "by a box")
        job = NewJob(
            job_id,
            JobKind.CLONE,
            actor.guild_id,
            actor.channel_id,
            actor.member_id,
            clone_to_json(own),
            interaction_id=None if origin is None else origin.interaction_id,
            interaction_token=None if origin is None else origin.token,
            token_expires_at=None if origin is None else origin.expires_at,
            line=AuditLine("voice.clone", own.name, f"own voice, policy {POLICY_VERSION}, {manner}"),
        )
        return await self._reserve(job, own, policy_version=POLICY_VERSION, spoken=spoken, since=since)

    async def _accept_for(self, request: ConsentRequest, member_id: int, spoken: SpokenYes | None) -> JobRecord:
        """Accept what an author allows. The job has the request's id, and so finds the stored recording."""
        job = NewJob(
            request.id,
            JobKind.CLONE,
            request.guild_id,
            request.channel_id,
            request.requester_id,
            request.order,
        )
        order = clone_of(request.order)
        taken = await self._storage.voices.find(request.guild_id, order.name) is not None
        if taken and request.state is ConsentState.PENDING:
            raise Conflict(f"Another voice is now called {order.name}. They can ask you again with another name.")
        try:
            return await self._reserve(job, order, allowed_by=member_id, spoken=spoken)
        except LimitReached as error:  # its sentence is written for the requester, but the author reads this one
            raise LimitReached(
                "The member who asked cannot have another voice right now. You can allow it later."
            ) from error

    async def _reserve(
        self,
        job: NewJob,
        order: CloneOrder,
        *,
        policy_version: int | None = None,
        allowed_by: int | None = None,
        spoken: SpokenYes | None = None,
        since: int | None = None,
    ) -> JobRecord:
        settings = await self._storage.guilds.get(job.guild_id)
        voice = NewVoice(job.guild_id, job.member_id, order.speaker_id, order.name, order.language, order.description)
        _, accepted = await self._storage.acceptance.accept_clone(
            voice, job, settings, policy_version=policy_version, allowed_by=allowed_by, spoken=spoken, since=since
        )
        if accepted.id == job.id:
            metrics.ACCEPTED.labels(JobKind.CLONE.value).inc()
            _log.info("job_accepted", job_id=job.id, guild_id=job.guild_id, kind=JobKind.CLONE.value)
        return accepted

    def _asks_for_speech(self, settings: GuildSettings) -> bool:
        is_spoken = policy.consent_of(settings, self._consent) is ConsentKind.SPOKEN
        if is_spoken and not self._executor.consent_languages:
            raise Unavailable(f"This server asks for spoken consent, so nothing can be cloned now. {NOT_INSTALLED}")
        return is_spoken


def _manner(spoken: SpokenYes | None, otherwise: str) -> str:
    """Return how consent was given, for the audit log."""
    if spoken is None:
        return otherwise
    return f"spoken: {spoken.words} of {spoken.of} words, likeness {spoken.likeness:.2f}"


def own_order(actor: Actor, order: CloneOrder) -> CloneOrder:
    """Return the stored form of an order for the actor's own voice. Raises NotAllowed, and InvalidInput."""
    if order.speaker_id not in (None, actor.member_id):
        raise NotAllowed("This is someone else's voice. They have to agree first.")
    return replace(_cleaned(order), speaker_id=actor.member_id)


def _cleaned(order: CloneOrder) -> CloneOrder:
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
