"""From a recording to an accepted clone: consent, rights, names, and the question to somebody else whose voice it is.

Knows nothing of audio: whether there is speech in a recording is found out by the worker.
"""

import contextlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from cloning.text.readable import check_model_reads
from cloning.text.splitting import check_language
from cloning.worker.protocol import Executor
from errors import BarkeepError, Conflict, InvalidInput, LimitReached, NotAllowed, NotFound
from storage.database import Storage
from storage.records import AuditLine, ConsentRequest, ConsentState, JobKind, JobRecord, NewJob, NewVoice
from studio import metrics, policy, rights
from studio.queue.dispatcher import Dispatcher
from studio.queue.job_payload import clone_of, clone_to_json
from studio.speakers import languages_read
from studio.values import POLICY_VERSION, Actor, CloneOrder, Courier, Origin, Receipt
from studio.voice_deletion import remove_voice

MAX_RECORDING_BYTES = 50 * 1024 * 1024
"""The largest recording that is taken, whatever Discord allows."""
ANSWER_WITHIN = timedelta(hours=48)
"""How long somebody may think about whether their voice may be cloned."""
OPEN_QUESTIONS = 3
"""How many questions of one member may wait at once: each keeps a recording, and troubles somebody."""

_log = structlog.get_logger(__name__)


class CloneService:
    """Accepts clones."""

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        dispatcher: Dispatcher,
        courier: Callable[[], Courier],
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._storage = storage
        self._executor = executor
        self._courier = courier
        self._dispatcher = dispatcher
        self._clock = clock

    async def knows_policy(self, actor: Actor) -> bool:
        """Whether the actor has agreed to today's policy before. Each recording needs their word all the same."""
        return policy.has_consented(await self._storage.consents.get(actor.guild_id, actor.member_id))

    async def check(self, actor: Actor, order: CloneOrder, size: int) -> None:
        """Everything that can be known before the recording is read; `size` in bytes.

        Raises NotAllowed, InvalidInput (name, description, size, a language that the model in use does not read),
        Conflict for a taken name, LimitReached.
        """
        settings = await rights.require(self._storage, actor, policy.may_clone)
        order = _cleaned(order)
        check_model_reads(order.language, languages_read(self._executor))
        _check_size(size)
        if await self._storage.voices.find(actor.guild_id, order.name) is not None:
            raise Conflict(f"There is a voice called {order.name} already. Choose another name.")
        _, mine = await self._storage.voices.list(
            actor.guild_id, None, owner_id=actor.member_id, ready_only=False, limit=1
        )
        if mine >= settings.voices_per_member:
            raise LimitReached(f"You have {mine} voices, as many as a member may have here. Delete one first.")

    async def submit(
        self, actor: Actor, order: CloneOrder, audio: bytes, origin: Origin | None, *, attested: bool
    ) -> Receipt:
        """Accept a clone of the actor's own voice. When this returns, no crash loses it.

        attested: the actor has just said that this recording is of their own voice, and that they agree to the copy;
        that is kept together with the job. Raises as `check`, and NotAllowed without it or for somebody else's voice.
        """
        if order.speaker_id not in (None, actor.member_id):
            raise NotAllowed("This is somebody else's voice. They have to agree first.")
        if not attested:
            raise NotAllowed("First confirm that the voice is your own: use /clone and read what it asks.")
        await self.check(actor, order, len(audio))
        own = replace(_cleaned(order), speaker_id=actor.member_id)
        return await self._accept(actor, own, audio, origin)

    async def ask_author(self, actor: Actor, author_id: int, order: CloneOrder, audio: bytes) -> ConsentRequest:
        """Keep the recording of another member and a question for them. Nothing is cloned before they agree.

        Raises as `check`; Conflict while they think about an earlier question of this actor; LimitReached while too
        many questions of this actor wait; NotAllowed if they said no to this actor before, or are blocked here.
        """
        if author_id == actor.member_id:
            raise InvalidInput("This is your own recording: clone it without asking.")
        await self.check(actor, order, len(audio))
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
            request = await self._storage.consents.request(request, limit=OPEN_QUESTIONS)
        except BarkeepError:
            await self._storage.files.drop_upload(request.id)
            raise
        await self._storage.audit.write(actor.guild_id, actor.member_id, "consent.ask", str(author_id))
        return request

    async def withdraw(self, request: ConsentRequest) -> None:
        """Take a question back that could not be put to its author, with the recording that was kept for it."""
        with contextlib.suppress(Conflict, NotFound):
            await self._storage.consents.answer(request.id, request.author_id, ConsentState.EXPIRED)
            await self._storage.files.drop_upload(request.id)

    async def answer(self, request_id: str, member_id: int, allow: bool) -> tuple[ConsentRequest, Receipt | None]:
        """The author's answer, once. A yes is for this recording: it is kept together with the clone that it allows.

        Raises NotAllowed for anybody but the author and for the yes of a blocked author, Conflict when it was answered
        or its time is over, and whatever keeps the requester from cloning now; then the question stays open until its
        time is over.
        """
        if not allow:
            return await self._refuse(request_id, member_id), None
        request = await self._storage.consents.get_request(request_id)
        if request.author_id == member_id:
            await self._check_parties(request)
        accepted = await self._accept_for(request, member_id)
        request = await self._storage.consents.get_request(request_id)
        await self._storage.audit.write(
            request.guild_id, member_id, "consent.allow", str(request.requester_id), clone_of(request.order).name
        )
        return request, Receipt(accepted, self._dispatcher.enqueue(accepted))

    async def take_back(self, request_id: str, member_id: int) -> ConsentRequest:
        """The author takes their yes back: the voice that was made of it is deleted at once, or not finished.

        Raises NotFound, NotAllowed for anybody but the author, and Conflict if there is nothing to take back.
        """
        request = await self._storage.consents.withdraw(request_id, member_id)
        await self._unmake(request)
        await self._storage.finish_deleting()
        await self._storage.audit.write(
            request.guild_id, member_id, "consent.withdraw", str(request.requester_id), clone_of(request.order).name
        )
        return request

    async def _refuse(self, request_id: str, member_id: int) -> ConsentRequest:
        request = await self._storage.consents.answer(request_id, member_id, ConsentState.DENIED)
        await self._unmake(request)  # An earlier version wrote the clone first, and the yes after it.
        await self._storage.files.drop_upload(request_id)
        await self._storage.audit.write(request.guild_id, member_id, "consent.deny", str(request.requester_id))
        return request

    async def _unmake(self, request: ConsentRequest) -> None:
        """Stop the clone of a question and delete the voice that it made."""
        await self._dispatcher.cancel(request.id)
        job = await self._storage.jobs.find(request.id)
        voice_id = request.voice_id if job is None else job.voice_id
        voice = None if voice_id is None else await self._storage.voices.by_id(request.guild_id, voice_id)
        if voice is not None and voice.speaker_id == request.author_id:
            await remove_voice(self._storage, self._dispatcher, voice)

    async def _check_parties(self, request: ConsentRequest) -> None:
        """A yes counts with the rights of its own moment: those of the author, and of the member who asked.

        Raises NotAllowed and Unavailable in words for the author.
        """
        if (await self._storage.members.get(request.guild_id, request.author_id)).blocked_at is not None:
            raise NotAllowed("A moderator has blocked you from using voices there, so only a no counts.")
        try:
            await rights.require_later(
                self._storage,
                self._courier(),
                policy.may_clone,
                guild_id=request.guild_id,
                channel_id=request.channel_id,
                member_id=request.requester_id,
            )
        except NotAllowed as fault:
            raise NotAllowed("The member who asked may not clone voices there any more: nothing is made.") from fault

    async def _accept(self, actor: Actor, order: CloneOrder, audio: bytes, origin: Origin | None) -> Receipt:
        """The recording first, then voice and job in one transaction."""
        job = NewJob(
            new_id(),
            JobKind.CLONE,
            actor.guild_id,
            actor.channel_id,
            actor.member_id,
            clone_to_json(order),
            interaction_id=None if origin is None else origin.interaction_id,
            interaction_token=None if origin is None else origin.token,
            token_expires_at=None if origin is None else origin.expires_at,
            line=AuditLine("voice.clone", order.name, f"own voice, policy {POLICY_VERSION}"),
        )
        await self._storage.files.put_upload(job.id, audio)
        accepted: JobRecord | None = None
        try:
            accepted = await self._reserve(job, order, policy_version=POLICY_VERSION)
        finally:
            if accepted is None or accepted.id != job.id:  # Refused, or the interaction came twice.
                await self._storage.files.drop_upload(job.id)
        return Receipt(accepted, self._dispatcher.enqueue(accepted))

    async def _accept_for(self, request: ConsentRequest, member_id: int) -> JobRecord:
        """Accept what an author allows. The job has the question's id, and with it the recording that waits there."""
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
            raise Conflict(
                f"By now another voice here is called {order.name}. They can ask you again with another name."
            )
        try:
            return await self._reserve(job, order, allowed_by=member_id)
        except LimitReached as fault:  # Its sentence is for the requester, and it is the author who reads this one.
            raise LimitReached(
                "The member who asked has no room for another voice at present. You can allow it later."
            ) from fault

    async def _reserve(
        self, job: NewJob, order: CloneOrder, *, policy_version: int | None = None, allowed_by: int | None = None
    ) -> JobRecord:
        settings = await self._storage.guilds.get(job.guild_id)
        voice = NewVoice(job.guild_id, job.member_id, order.speaker_id, order.name, order.language, order.description)
        _, accepted = await self._storage.jobs.accept_clone(
            voice, job, settings, policy_version=policy_version, allowed_by=allowed_by
        )
        if accepted.id == job.id:
            metrics.ACCEPTED.labels(JobKind.CLONE.value).inc()
            _log.info("job_accepted", job_id=job.id, guild_id=job.guild_id, kind=JobKind.CLONE.value)
        return accepted


def new_id() -> str:
    """An id for a job or a question: 20 hexadecimal digits, not to be guessed, short enough for a Discord nonce."""
    return secrets.token_hex(10)


def _cleaned(order: CloneOrder) -> CloneOrder:
    return replace(
        order,
        name=policy.clean_name(order.name),
        description=policy.clean_description(order.description),
        language=check_language(order.language),
    )


def _check_size(size: int) -> None:
    if size == 0:
        raise InvalidInput("That file is empty. Upload a recording of a few seconds of speech.")
    if size > MAX_RECORDING_BYTES:
        limit = MAX_RECORDING_BYTES // (1024 * 1024)
        raise InvalidInput(f"That file has more than {limit} MB. About ten seconds of speech are enough.")
