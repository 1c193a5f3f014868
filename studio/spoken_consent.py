"""Spoken consent: a sentence made for one clone, which the member says in the voice that is to be cloned.

The recording of the sentence is deleted after the check. The measurements are stored with the voice.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from cloning.consent.answer import SpokenAnswer
from cloning.consent.sentences import new_sentence
from cloning.worker.protocol import Executor
from errors import BarkeepError, Conflict, InvalidInput, NotAllowed, Unavailable
from storage.consent_records import ConsentRequest, ConsentState, SpokenConsent, SpokenYes
from storage.database import Storage
from storage.records import Asked, JobRecord
from studio.clone_requests import CloneRequestService
from studio.clones import CloneService, check_size, own_order
from studio.queue.job_payload import clone_of, clone_to_json, new_id
from studio.values import Actor, CloneOrder, Courier

SAY_WITHIN = timedelta(minutes=10)
"""How long a sentence is valid."""
ATTEMPTS = 3
"""The number of attempts for one sentence."""
SENTENCES_PER_HOUR = 12
"""Sentences an hour of one member, in all servers together."""
_TEXT_SHOWN = 200
_ANSWERED = "This request has expired or was already answered."

_log = structlog.get_logger(__name__)


class SpokenConsentService:
    """Asks members to say a sentence, has their recordings checked by the worker, and clones after a yes."""

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        clones: CloneService,
        requests: CloneRequestService,
        courier: Courier,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._storage = storage
        self._executor = executor
        self._clones = clones
        self._requests = requests
        self._courier = courier
        self._clock = clock
        self._listening: set[str] = set()
        """Sentences with a recording that this process is checking. Another recording is refused meanwhile: it could
        use up the last attempt, which deletes the sentence, and a yes would be lost. The attempts themselves are
        counted in the database, for all processes together.
        """

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which sentences are recognised, ISO 639-1; () without the recogniser."""
        return self._executor.consent_languages

    async def ask(self, actor: Actor, order: CloneOrder, audio: bytes, *, since: int | None = None) -> SpokenConsent:
        """Store a recording of the actor's own voice, and return the sentence to say for it.

        It replaces an earlier sentence of the actor. since: as CloneService.check returned it before the recording was
        read. Raises as CloneService.check does, Conflict if the actor's data were deleted since, LimitReached after
        SENTENCES_PER_HOUR, and NotAllowed for somebody else's voice.
        """
        own = own_order(actor, order)
        checked = await self._clones.check(actor, own, len(audio))
        asked = await self._new(new_id(), actor.guild_id, actor.channel_id, actor.member_id)
        await self._storage.files.put_upload(asked.id, audio)
        try:
            return await self._put(replace(asked, order=clone_to_json(own)), checked if since is None else since)
        except BarkeepError:
            await self._storage.files.drop_upload(asked.id)
            raise

    async def ask_author(self, request_id: str, member_id: int) -> SpokenConsent | None:
        """Return the sentence that an author has to say to allow a consent request; it replaces an earlier one.

        None where a button is enough. Raises NotFound, NotAllowed for anybody but the author, Conflict when the request
        was answered or has expired, LimitReached after SENTENCES_PER_HOUR, and Unavailable without the recogniser.
        """
        request = await self._storage.consents.get_request(request_id)
        since = await self._storage.erasures.latest(request.guild_id)
        if not await self._clones.asks_for_speech(request.guild_id):
            return None
        self._check_open(await self._storage.consents.get_request(request_id), member_id)  # it may be deleted already
        return await self._put(await self._new(request.id, request.guild_id, request.channel_id, member_id), since)

    async def find(self, spoken_id: str, member_id: int) -> SpokenConsent:
        """Return a sentence that a member was asked for. Raises NotFound, and NotAllowed for anybody else."""
        asked = await self._storage.spoken_consents.get(spoken_id)
        if asked.member_id != member_id:
            raise NotAllowed("Only the member who was asked for this sentence can say it.")
        return asked

    async def request_of(self, asked: SpokenConsent) -> ConsentRequest:
        """Return the consent request that an author answers with this sentence. Raises NotFound."""
        return await self._storage.consents.get_request(asked.id)

    async def waiting(self, member_id: int, guild_id: int | None) -> list[SpokenConsent]:
        """Return the sentences that a member has to say, newest first: at most one for each server, of one or of all.

        Raises NotFound if there is none.
        """
        return await self._storage.spoken_consents.waiting(member_id, guild_id)

    async def answer(self, spoken_id: str, member_id: int, audio: bytes) -> JobRecord:
        """Check a recording of the sentence, and clone if it is a yes.

        Uses the member's current rights. Raises InvalidInput, with the reason, for an answer that is not a yes;
        Conflict while another recording of the sentence is checked; Conflict or LimitReached when the sentence is no
        longer open; Unavailable if the recording could not be checked or the yes could not be stored, which does not
        count as an attempt; and any error that keeps the clone from being accepted.
        """
        check_size(len(audio))
        asked = await self.find(spoken_id, member_id)
        if spoken_id in self._listening:  # the last attempt deletes what the earlier recording is compared with
            raise Conflict("I am still listening to your other recording of this sentence. Wait for my answer first.")
        self._listening.add(spoken_id)
        try:
            return await self._answer(asked, member_id, audio)
        finally:
            self._listening.discard(spoken_id)

    async def _answer(self, asked: SpokenConsent, member_id: int, audio: bytes) -> JobRecord:
        if asked.order is not None:
            await self._clones.check(await self._actor(asked), clone_of(asked.order), len(audio))
        else:
            self._check_open(await self.request_of(asked), member_id)
        asked = await self._storage.spoken_consents.begin_attempt(asked.id, member_id, ATTEMPTS)
        heard = await self._listen(asked, audio)
        yes = SpokenYes(asked.id, heard.words, heard.of, heard.likeness)
        _log.info("spoken_consent_given", id=asked.id, guild_id=asked.guild_id)
        try:
            return await self._accept(asked, yes)
        except Unavailable:
            await self._return_attempt(asked)
            raise

    async def _accept(self, asked: SpokenConsent, yes: SpokenYes) -> JobRecord:
        if asked.order is not None:
            return await self._clones.submit_spoken(await self._actor(asked), clone_of(asked.order), yes)
        _, job = await self._requests.answer(asked.id, asked.member_id, True, yes)
        if job is None:
            raise Conflict(_ANSWERED)
        return job

    def _check_open(self, request: ConsentRequest, member_id: int) -> None:
        """Raise NotAllowed for anybody but the author, and Conflict when the request was answered or has expired."""
        if request.author_id != member_id:
            raise NotAllowed("Only the member whose voice is in that message can answer this.")
        if request.state is not ConsentState.PENDING or request.expires_at <= self._clock():
            raise Conflict(_ANSWERED)

    async def _new(self, spoken_id: str, guild_id: int, channel_id: int, member_id: int) -> SpokenConsent:
        await self._storage.hourly.count(member_id, Asked.SENTENCE, SENTENCES_PER_HOUR)
        now = self._clock()
        return SpokenConsent(spoken_id, guild_id, channel_id, member_id, None, new_sentence(), now, now + SAY_WITHIN)

    async def _put(self, asked: SpokenConsent, since: int) -> SpokenConsent:
        for replaced in await self._storage.spoken_consents.ask(asked, since):
            if replaced.order is None:
                continue
            try:
                await self._storage.files.drop_upload(replaced.id)
            except BarkeepError as error:  # the new sentence is stored; the next start cleans up again
                _log.warning("recording_left_behind", id=replaced.id, reason=error.message)
        return asked

    async def _actor(self, asked: SpokenConsent) -> Actor:
        """Return the member with their current roles. Raises NotAllowed if they have left."""
        actor = await self._courier.actor(asked.guild_id, asked.channel_id, asked.member_id)
        if actor is None:
            raise NotAllowed("You have left that server, so nothing was cloned.")
        return actor

    async def _listen(self, asked: SpokenConsent, audio: bytes) -> SpokenAnswer:
        """Return what was heard if it is a yes. Otherwise raises InvalidInput, which says what to do next."""
        try:
            files = self._storage.files
            async with files.upload_at_hand(asked.id) as recording, files.briefly(audio) as answer:
                heard = await self._executor.listen(recording, answer, asked.sentence)
        except InvalidInput as error:
            await self._storage.spoken_consents.get(asked.id)  # raises if it was replaced or deleted meanwhile
            raise InvalidInput(f"{error.message} {await self._next(asked)}") from error
        except Exception:
            await self._return_attempt(asked)
            raise
        if not heard.counts:
            await self._storage.spoken_consents.get(asked.id)  # raises if it was replaced or deleted meanwhile
            reason = "words" if not heard.has_words else "mark" if heard.is_generated else "voice"
            await self._storage.audit.write(asked.guild_id, asked.member_id, "consent.fail", "", reason)
            raise InvalidInput(f"{_shortcoming(heard)} {await self._next(asked)}")
        return heard

    async def _return_attempt(self, asked: SpokenConsent) -> None:
        """Take an attempt back: the recording could not be checked, or the yes could not be stored."""
        try:
            await self._storage.spoken_consents.return_attempt(asked.id)
        except BarkeepError as error:
            _log.warning("attempt_not_returned", id=asked.id, reason=error.message)

    async def _next(self, asked: SpokenConsent) -> str:
        """Return what the member can do after a failed attempt. After the last one, the sentence is deleted."""
        left = ATTEMPTS - asked.attempts
        if left > 0:
            return f"You have {left} more attempt{'' if left == 1 else 's'} for this sentence. Nothing was cloned yet."
        if await self._storage.spoken_consents.delete(asked.id) and asked.order is not None:
            await self._storage.files.drop_upload(asked.id)
        start = "Press Allow" if asked.order is None else "Use /clone"
        return f"That was the last attempt for this sentence. Nothing was cloned. {start} again for a new one."


def _shortcoming(heard: SpokenAnswer) -> str:
    if not heard.has_words:
        text = heard.text[:_TEXT_SHOWN] or "no words"
        return f"I did not hear the sentence. I understood: “{text}”. Say it once, clearly, and nothing else."
    if heard.is_generated:
        return "This recording carries the mark of generated speech. Say the sentence yourself."
    return (
        "I heard the words, but the voice does not sound like the one in the recording that is to be cloned. "
        "Record both with the same microphone, in a quiet place."
    )
