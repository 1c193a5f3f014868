"""Asks another member whether their voice may be cloned, and clones it when they agree."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from errors import BarkeepError, Conflict, InvalidInput, LimitReached, NotAllowed, NotFound
from storage.consent_records import ConsentRequest, ConsentState, SpokenYes
from storage.database import Storage
from storage.records import JobKind, JobRecord, NewJob
from studio import rights
from studio.clones import CloneService, cleaned, manner
from studio.queue.dispatcher import Dispatcher
from studio.queue.job_payload import clone_of, clone_to_json, new_id
from studio.values import Actor, CloneOrder, Courier
from studio.voice_deletion import remove_voice

ANSWER_WITHIN = timedelta(hours=48)
"""How long a member has to answer whether their voice may be cloned."""
OPEN_QUESTIONS = 3
"""How many open requests a member may have at once; each stores a recording and bothers somebody."""


class CloneRequestService:
    """Asks authors of recordings, and stores their answers."""

    def __init__(
        self,
        storage: Storage,
        clones: CloneService,
        dispatcher: Dispatcher,
        courier: Courier,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._storage = storage
        self._clones = clones
        self._dispatcher = dispatcher
        self._courier = courier
        self._clock = clock

    async def ask_author(
        self, actor: Actor, author_id: int, order: CloneOrder, audio: bytes, *, since: int | None = None
    ) -> ConsentRequest:
        """Store another member's recording and ask them. Nothing is cloned before they agree.

        since: as for `CloneService.submit`. Raises as its `check` does; Conflict while an earlier request to this
        member is open, and if data of one of the two were deleted since; LimitReached while too many requests of the
        actor are open; NotAllowed if this member refused the actor before or is blocked here.
        """
        if author_id == actor.member_id:
            raise InvalidInput("This is your own recording. You can clone it with /clone.")
        checked = await self._clones.check(actor, order, len(audio))
        if (await self._storage.members.get(actor.guild_id, author_id)).blocked_at is not None:
            raise NotAllowed("This member's voice can't be cloned here.")
        now = self._clock()
        request = ConsentRequest(
            new_id(),
            actor.guild_id,
            actor.channel_id,
            actor.member_id,
            author_id,
            clone_to_json(replace(cleaned(order), speaker_id=author_id)),
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
            with contextlib.suppress(BarkeepError):  # it may be stored, if only the database's answer was lost
                await self.withdraw(request)
            raise
        await self._storage.audit.write(actor.guild_id, actor.member_id, "consent.ask", str(author_id))
        return request

    async def withdraw(self, request: ConsentRequest) -> None:
        """Withdraw a request that could not be sent to its author, and delete its recording."""
        with contextlib.suppress(Conflict, NotFound):
            await self._storage.consents.answer(request.id, request.author_id, ConsentState.EXPIRED)
            await self._storage.files.drop_upload(request.id)

    async def answer(
        self, request_id: str, member_id: int, allow: bool, spoken: SpokenYes | None = None
    ) -> tuple[ConsentRequest, JobRecord | None]:
        """Store the author's answer, once. `spoken`: the measurements of the sentence that they said.

        A yes covers this recording and is stored together with the clone that it allows.
        Raises NotAllowed for anybody but the author, for the yes of a blocked author, and without a sentence where the
        server asks for spoken consent; Conflict when the request was answered or has expired; and any error that keeps
        the requester from cloning now, after which the request stays open until it expires.
        """
        if not allow:
            return await self._refuse(request_id, member_id), None
        request = await self._storage.consents.get_request(request_id)
        since = await self._storage.erasures.latest(request.guild_id)
        if request.author_id == member_id:
            await self._check_parties(request)
            if spoken is None and await self._clones.asks_for_speech(request.guild_id):
                raise NotAllowed("On that server you agree to a clone by saying a sentence. Press Allow, and say it.")
        accepted = await self._accept(request, member_id, spoken, since)
        request = await self._storage.consents.get_request(request_id)
        detail = f"{clone_of(request.order).name}, {manner(spoken, 'by a button')}"
        await self._storage.audit.write(request.guild_id, member_id, "consent.allow", str(request.requester_id), detail)
        self._dispatcher.enqueue(accepted)
        return request, accepted

    async def question(self, request_id: str, member_id: int) -> ConsentRequest:
        """Return a request to the author whom it asks. Raises NotFound, and NotAllowed for anybody else."""
        request = await self._storage.consents.get_request(request_id)
        if request.author_id != member_id:
            raise NotAllowed("Only the member whose voice is in that message can answer this.")
        return request

    async def take_back(self, request_id: str, member_id: int) -> ConsentRequest:
        """Withdraw the author's yes: the voice made from it is deleted, or its clone is cancelled.

        Idempotent: a second call finishes what an error interrupted. Raises NotFound, NotAllowed for anybody but the
        author, and Conflict if there is nothing to take back.
        """
        before = await self._storage.consents.get_request(request_id)
        request = await self._storage.consents.withdraw(request_id, member_id)
        removed = await self._undo_clone(request)
        await self._storage.finish_deleting()
        if removed or before.state is ConsentState.ALLOWED:
            await self._storage.audit.write(
                request.guild_id, member_id, "consent.withdraw", str(request.requester_id), clone_of(request.order).name
            )
        return request

    async def _refuse(self, request_id: str, member_id: int) -> ConsentRequest:
        request = await self._storage.consents.answer(request_id, member_id, ConsentState.DENIED)
        await self._undo_clone(request)  # an earlier version wrote the clone first and the yes after it
        await self._storage.files.drop_upload(request_id)
        await self._storage.audit.write(request.guild_id, member_id, "consent.deny", str(request.requester_id))
        return request

    async def _undo_clone(self, request: ConsentRequest) -> bool:
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
            await rights.require_later(
                self._storage,
                self._courier,
                rights.may_clone,
                guild_id=request.guild_id,
                channel_id=request.channel_id,
                member_id=request.requester_id,
            )
        except NotAllowed as error:
            raise NotAllowed("The member who asked can no longer clone voices there, so nothing was cloned.") from error

    async def _accept(self, request: ConsentRequest, member_id: int, spoken: SpokenYes | None, since: int) -> JobRecord:
        """Accept the clone that an author allows. The job has the request's id, so that it finds the recording."""
        job = NewJob(
            request.id,
            JobKind.CLONE,
            request.guild_id,
            request.channel_id,
            request.requester_id,
            request.order,
            since=since,
        )
        order = clone_of(request.order)
        taken = await self._storage.voices.find(request.guild_id, order.name) is not None
        if taken and request.state is ConsentState.PENDING:
            raise Conflict(f"Another voice is now called {order.name}. They can ask you again with another name.")
        try:
            return await self._clones.reserve(job, order, allowed_by=member_id, spoken=spoken)
        except LimitReached as error:  # its message is written for the requester, but the author reads this one
            raise LimitReached(
                "The member who asked cannot have another voice right now. You can allow it later."
            ) from error
